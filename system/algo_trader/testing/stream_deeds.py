"""Streams of the local Schwab to which a deed is done while they run, and what came of them.

For tests. The simulator's ledger says what it sent; a real Valkey, the archive and the embedded
InfluxDB say what they hold. A market that runs sixty times as fast makes minutes of seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from infrastructure.errors import StackError
from infrastructure.redis.frames import decode_frame
from infrastructure.simulators.schwab.streamer.ledger import SENT
from infrastructure.supervision import Supervisor
from system.algo_trader import terminal
from system.algo_trader.cli import stream as verb
from system.algo_trader.cli.invocation import Invocation
from system.algo_trader.feeds.live import Channel
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.pipeline.market_clock import MarketClock
from system.algo_trader.runtime import Runtime
from system.algo_trader.storage.hot_keys import TICKS
from system.algo_trader.storage.records import QUOTES, TRADES
from system.algo_trader.storage.stream_gaps import StreamGaps
from system.algo_trader.testing.command_line import CommandLine

SPEED = 60.0
SYMBOLS = ["AAPL", "MSFT", "GOOG"]
DEADLINE_S = 90.0
BACK_S = 10.0
EQUITIES = "LEVELONE_EQUITIES"


@contextlib.contextmanager
def served_home() -> Iterator[Path]:
    """Yield a home whose servers are kept running, and end them."""
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    variables = {"ALGO_TRADER_HOME": str(folder), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"}
    line = CommandLine(folder)
    try:
        with patch.dict(os.environ, variables):
            assert line.run("services", "start").code == 0
            yield folder
    finally:
        line.run("services", "stop")
        rmtree(folder)


def until(met: Callable[[], bool], what: str, seconds: float = DEADLINE_S) -> float:
    """Wait until something is so, and return how long that took, seconds."""
    begun = time.monotonic()
    while not met():
        assert time.monotonic() < begun + seconds, f"not in time: {what}"
        threading.Event().wait(0.02)
    return time.monotonic() - begun


@dataclass
class Stage:
    """What a deed may touch while the stream runs."""

    runtime: Runtime
    home: Path
    clock: MarketClock

    @property
    def streamer(self) -> Any:
        """Return the simulator's streamer."""
        assert self.runtime.simulator is not None
        return self.runtime.simulator.streamer

    def sent(self) -> int:
        """Return how many updates of level one it has sent."""
        runs = self.streamer.ledger.runs(EQUITIES)
        return sum(run.items for run in runs if run.fate == SENT)

    def streams(self, more: int = 30) -> None:
        """Wait until it has sent more."""
        before = self.sent()
        until(lambda: self.sent() >= before + more, "more of the stream")

    def reach_redis(self) -> None:
        """Wait until Redis has again what was sent until now."""
        sent = self.sent()

        def is_there() -> bool:
            try:
                return int(self.in_redis().num_rows) >= sent
            except StackError:
                return False

        assert until(is_there, "Redis has it") < BACK_S

    def pid(self, service: str) -> int:
        """Return the process of a kept server."""
        endpoint = Supervisor(self.home / "services").status(service).endpoint
        assert endpoint is not None
        return endpoint.pid

    def in_redis(self) -> pa.Table:
        """Return the rows of every frame in the stream."""
        frames = [decode_frame(entry) for entry in self.runtime.redis.xrange(TICKS.of())]
        return pa.concat_tables([frame.replace_schema_metadata(None) for frame in frames])


Deed = Callable[[Stage], None]


@contextlib.contextmanager
def frozen(stage: Stage, service: str) -> Iterator[None]:
    """Let a server hang for the length of a block."""
    pid = stage.pid(service)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def perform(
    home: Path, deed: Deed, seconds: float = DEADLINE_S * 3
) -> tuple[Stage, dict[str, Any], list[StreamGap]]:
    """Stream, do the deed, end the stream; return its stage, what it says, and the gaps.

    Every update that came is counted in Redis, the archive and InfluxDB on the way.

    Args:
        home: With servers that are kept running.
        deed: What is done to them, or to the stream.
        seconds: How long the stream lasts at most.
    """
    invocation = Invocation(flags={"symbols": tuple(SYMBOLS)}, as_json=True, sim=True)
    said: list[dict[str, Any]] = []
    failures: list[BaseException] = []
    with patch.object(terminal, "print_json", said.append):
        runtime = invocation.runtime(market_speed=SPEED)
        with runtime as parts:
            feed, clock = verb._feed(parts)
            stage = Stage(parts, home, clock)
            is_over = threading.Event()
            choice = verb.Choice([Channel.TICKS], [], seconds, 1.0, SPEED)

            def act() -> None:
                try:
                    until(lambda: stage.sent() >= 60, "a stream")
                    deed(stage)
                except BaseException as error:
                    failures.append(error)
                finally:
                    if not is_over.is_set():
                        os.kill(os.getpid(), signal.SIGINT)

            thread = threading.Thread(target=act)
            thread.start()
            work = verb._stream(invocation, parts, feed, clock, feed.resolve(SYMBOLS), choice)
            try:
                asyncio.run(work)
            finally:
                is_over.set()
                thread.join()
            if failures:
                raise failures[0]
            parts.influxdb.deliver_waiting()
            _compare(stage, said[-1])
            gaps = StreamGaps(parts.archive).all()
    return stage, said[-1], gaps


def _compare(stage: Stage, document: dict[str, Any]) -> None:
    """Count every update where it has to be."""
    updates = document["updates"]
    assert updates["received"] == stage.sent()
    assert updates["accepted"] == updates["received"] - sum(updates["rejected"].values())
    assert (updates["conflated"], updates["dropped"], updates["bad_frames"]) == (0, 0, 0)
    order = stage.in_redis().column("sequence").to_pylist()
    assert len(order) == len(set(order)) == updates["accepted"] == updates["published"]
    archive, influx = stage.runtime.archive, stage.runtime.influxdb
    stored = {name: archive.records(name, None).num_rows for name in (TRADES, QUOTES)}
    assert sum(stored.values()) == updates["stored_rows"]
    for name, rows in stored.items():
        [found] = influx.query_rows(f"SELECT count(*) AS n FROM {name}")
        assert found["n"] == rows
