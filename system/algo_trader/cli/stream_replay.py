"""`stream --replay-ticks`: play a file or the archive back through the live pipeline.

What is played back goes to the simulator's realm under names of its own, or nowhere at all with
--dry-run: it is never stored as what is live.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from system.algo_trader.cli.invocation import Invocation

if TYPE_CHECKING:
    import pyarrow as pa

    from system.algo_trader.feeds.live import FeedFacts, Instrument
    from system.algo_trader.feeds.replay import ReplayClock, ReplayFeed
    from system.algo_trader.market.bars import Bars
    from system.algo_trader.pipeline.cold_store import ColdStore
    from system.algo_trader.pipeline.keeper import LocalKeeper
    from system.algo_trader.pipeline.live import Sinks
    from system.algo_trader.pipeline.pieces import RunFacts, Told
    from system.algo_trader.pipeline.sinks import HotFrame, Portion
    from system.algo_trader.quality.tick_rules import TickRule
    from system.algo_trader.runtime import Runtime

_ARCHIVE = "archive"
_COMMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Tape:
    """Say what is played back.

    Attributes:
        places: Files, or the one word `archive`.
        zone: Of a file's times without an offset.
        start: Of a span of the archive; None for all.
        end: The instant before which it ends.
        universe: A file of symbols.
    """

    places: tuple[str, ...]
    zone: str | None
    start: str | None
    end: str | None
    universe: Path | None


class Nowhere:
    """Take everything and keep nothing: the sinks of a dry run."""

    def publish(self, frames: list[HotFrame]) -> None:
        """Take frames."""

    write_errors = 0

    def commit(self, portions: list[Portion]) -> None:
        """Take portions."""

    def project(self, bars: Bars, metrics: Sequence[dict[str, object]]) -> None:
        """Take bars and figures."""


def replay(
    invocation: Invocation,
    tape: Tape,
    *,
    speed: float | None,
    off: Sequence[TickRule],
    is_dry: bool,
) -> None:
    """Play a tape back to its end, or until Ctrl-C.

    Args:
        invocation: The command line.
        tape: What is played.
        speed: Times as fast as it happened, None for as fast as it goes.
        off: Checks that are switched off.
        is_dry: Whether nothing is stored.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from infrastructure.clock import SystemClock
    from infrastructure.errors import UsageError
    from infrastructure.exchange.calendars import date_of
    from system.algo_trader.feeds.replay import ReplayClock, ReplayFeed, replay_instruments
    from system.algo_trader.feeds.replay_tape import ticks_of
    from system.algo_trader.market.source import Source

    rows, made_up = _rows(invocation, tape)
    source = Source.REPLAY_SIM if made_up else Source.REPLAY
    first_ns = pc.min(rows.column("ts_event")).as_py()
    symbols = sorted(pc.unique(rows.column("symbol")).to_pylist())
    instruments = replay_instruments(symbols, date_of(first_ns))
    if len(instruments) != len(symbols):
        raise UsageError(f"the tape spells one instrument in several ways: {', '.join(symbols)}")
    names = pa.array(symbols, pa.string())
    ticks = ticks_of(rows, names)
    invocation.sim = True
    with invocation.runtime() as runtime:
        clock = ReplayClock(int(ticks.ts_recv.min()), SystemClock())
        asyncio.run(
            _play(
                invocation,
                runtime,
                ReplayFeed(ticks, source, clock, speed),
                clock,
                instruments,
                off,
                is_dry,
            )
        )


def _rows(invocation: Invocation, tape: Tape) -> tuple[pa.Table, bool]:
    """Return the records that are played, and whether they were made up."""
    import pyarrow as pa

    from infrastructure.errors import NoDataError, UsageError
    from system.algo_trader.feeds.replay_tape import tape_of_file

    settings = invocation.settings()
    if tape.places == (_ARCHIVE,):
        return _of_archive(invocation, tape)
    if _ARCHIVE in tape.places or tape.start or tape.end:
        raise UsageError("files are played whole: --start and --end are for the archive")
    symbols = settings.symbols or ()
    only = symbols[0] if len(symbols) == 1 else None
    found = [tape_of_file(Path(place), tape.zone, only) for place in tape.places]
    rows = pa.concat_tables([table for table, _ in found])
    if not rows.num_rows:
        raise NoDataError("the files to play back hold no rows")
    return rows, any(made_up for _, made_up in found)


def _of_archive(invocation: Invocation, tape: Tape) -> tuple[pa.Table, bool]:
    from system.algo_trader.cli.export import instant
    from system.algo_trader.feeds.replay_tape import tape_of_records
    from system.algo_trader.jobs.universe import read_universe
    from system.algo_trader.storage.archive import Archive

    with invocation.runtime() as runtime:
        archive = Archive(runtime.realm.archive, clock=runtime.clock)
        wanted = (
            read_universe(tape.universe)
            if tape.universe is not None
            else list(runtime.settings.symbols or runtime.redis.watchlist())
        )
    first, last = instant(tape.start), instant(tape.end)
    return tape_of_records(
        lambda dataset, symbol: archive.records(dataset, symbol, first, last), wanted
    )


async def _play(
    invocation: Invocation,
    runtime: Runtime,
    feed: ReplayFeed,
    clock: ReplayClock,
    instruments: list[Instrument],
    off: Sequence[TickRule],
    is_dry: bool,
) -> None:
    """Run to the tape's end, then say what was done."""
    import signal
    import uuid

    from system.algo_trader import terminal
    from system.algo_trader.cli.stream import _hours
    from system.algo_trader.cli.stream_view import first, show_end, view, watch
    from system.algo_trader.feeds.live import Channel
    from system.algo_trader.pipeline.live import LivePolicy, LiveRun
    from system.algo_trader.quality.tick_checks import TickChecks

    with _sinks(runtime, feed.facts, is_dry) as sinks:
        run = LiveRun(
            feed,
            instruments,
            [Channel.TICKS],
            hours=_hours(instruments, clock.now_ns()),
            sinks=sinks,
            checks=TickChecks(len(instruments), off=off),
            run_id=uuid.uuid4().hex,
            clock=clock,
            policy=LivePolicy(commit_s=_COMMIT_S, measures=False),
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, run.stop)
        shown = view(run, clock, len(instruments)) if not invocation.as_json else None
        running = asyncio.create_task(run.run())
        ending = asyncio.create_task(_stop_at_end(feed, run.stop))
        try:
            await watch(running, shown)
        except* Exception as group:
            raise first(group) from None
        finally:
            ending.cancel()
    if invocation.as_json:
        extra = {"source": str(feed.facts.source.of_live), "replayed": True, "stored": not is_dry}
        terminal.print_json(run.document() | extra)
        return
    where = "Nothing was stored." if is_dry else f"Stored in the realm {runtime.realm.name}."
    terminal.console().print(f"Played back as {feed.facts.source.of_live}. {where}")
    show_end(run)


async def _stop_at_end(feed: ReplayFeed, stop: Any) -> None:
    await feed.over.wait()
    stop()


@contextlib.contextmanager
def _sinks(runtime: Runtime, facts: FeedFacts, is_dry: bool) -> Iterator[Sinks]:
    """Open the stores of the simulator's realm, or none."""
    from system.algo_trader.pipeline.cold_store import ColdStore
    from system.algo_trader.pipeline.live import Sinks
    from system.algo_trader.pipeline.redis_sink import RedisSink
    from system.algo_trader.storage.hot_keys import BOOKS, TICKS

    if is_dry:
        yield Sinks(Nowhere(), Nowhere())
        return
    runtime.influxdb.ensure_tables()
    cold = ColdStore(runtime.archive, runtime.influxdb)
    try:
        with (
            runtime.redis.frame_bus(TICKS, runtime.settings.tick_channel) as ticks,
            runtime.redis.frame_bus(BOOKS, runtime.settings.level2_channel) as books,
        ):
            yield Sinks(RedisSink(ticks, books), cold, partial(_keeper, runtime, cold))
    finally:
        cold.close(60.0)


def _keeper(runtime: Runtime, cold: ColdStore, facts: RunFacts, told: Told) -> LocalKeeper:
    from system.algo_trader.pipeline.keeper import LocalKeeper
    from system.algo_trader.pipeline.last_quotes import LastQuotes

    about = {"source": str(facts.source), "is_synthetic": str(facts.source.is_simulated).lower()}
    quotes = LastQuotes(runtime.redis.hot_quotes(), facts.names, about)
    return LocalKeeper(facts, cold, told, quotes)
