"""The streamer's part of the simulator's command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import UsageError
from infrastructure.simulators.schwab.clock_speed import FASTEST, PacedClock
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.frame_replay import FrameReplay
from infrastructure.simulators.schwab.streamer.pace import StartedTime, SteppedClock
from infrastructure.simulators.schwab.streamer.room import StreamOptions
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.synthetic_ticks import SyntheticTicks
from infrastructure.simulators.schwab.streamer.tick_file import TickFile

MAX: Final = "max"


def add_stream_arguments(line: argparse.ArgumentParser) -> None:
    """Add the options of the streamer to a command line."""
    line.add_argument("--from-open", action="store_true", help="start at the session's open")
    line.add_argument("--speed", default="1", metavar="X", help="times real time, or max")
    line.add_argument("--stream-port", type=int, default=0, help="of the streamer; 0: a free one")
    line.add_argument("--ticks", metavar="FILE", type=Path, help="stream trades and quotes of FILE")
    line.add_argument(
        "--frames", metavar="FILE", type=Path, help="replay what `schwab record` has kept"
    )
    line.add_argument(
        "--synthetic-ticks",
        nargs=2,
        type=int,
        metavar=("SYMBOLS", "RATE"),
        help="stream invented ticks of SIM0000 and so on, RATE a second in all",
    )
    line.add_argument(
        "--unconflated", action="store_true", help="stream every update, not one a second"
    )


def market_clock(options: argparse.Namespace) -> Clock:
    """Return what moves the market: real time, some times as fast, or the streamer's clients.

    Raises:
        UsageError: If the speed is neither a number from 1 on nor "max".
    """
    if options.speed == MAX:
        return SteppedClock(SystemClock().now_ns())
    try:
        return PacedClock(float(options.speed.removesuffix("x")))
    except ValueError as error:
        raise UsageError(
            f"--speed is a number from 1 to {FASTEST:g}, or max, not {options.speed!r}"
        ) from error


def stream_options(
    options: argparse.Namespace, market: ReplayMarket, clock: Clock
) -> StreamOptions:
    """Return what a command line asks the streamer to do.

    Args:
        options: The parsed command line.
        market: The replayed market.
        clock: What moves it.

    Raises:
        UsageError: If it asks for two sources.
        InputError: If the tick file cannot be read.
    """
    named = (options.frames, options.ticks, options.synthetic_ticks)
    if sum(each is not None for each in named) > 1:
        raise UsageError(
            "of --frames, --ticks and --synthetic-ticks two sources are named; name one"
        )
    rules = StreamRules(interval_s=unconflated()) if options.unconflated else StreamRules()
    step = clock.step if isinstance(clock, SteppedClock) else None
    if options.frames is not None:
        frames = FrameReplay(options.frames)
        time = StartedTime(frames.start_ns, clock)
        own = SystemClock()
        return StreamOptions(rules, options.stream_port, None, time, step, own, frames)
    if options.ticks is not None:
        ticks = TickFile(options.ticks)
        time = StartedTime(ticks.start_ns, clock)
        return StreamOptions(rules, options.stream_port, [ticks], time, step, SystemClock())
    if options.synthetic_ticks is not None:
        symbols, rate = options.synthetic_ticks
        invented = SyntheticTicks(symbols, rate, market.now_ns, options.seed)
        return StreamOptions(rules, options.stream_port, [invented], None, step, SystemClock())
    return StreamOptions(rules, options.stream_port, step=step, clock=SystemClock())
