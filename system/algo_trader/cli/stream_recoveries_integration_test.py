"""Break what a stream stands on, one thing at a time: nothing that came is lost, gaps are known.

The local Schwab's ledger says what it sent; a real Valkey, the archive and the embedded InfluxDB
say what they hold. A market that runs sixty times as fast makes minutes of seconds.
"""

from __future__ import annotations

import asyncio
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

import pyarrow as pa
import pytest

from infrastructure.errors import DiskFull, StackError
from infrastructure.redis.frames import decode_frame
from infrastructure.simulators.schwab.streamer.ledger import SENT, Run
from infrastructure.supervision import Supervisor
from system.algo_trader.cli import stream as verb
from system.algo_trader.cli.invocation import Invocation
from system.algo_trader.feeds.live import Channel
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.pipeline.market_clock import MarketClock
from system.algo_trader.runtime import Runtime
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.hot_keys import TICKS
from system.algo_trader.storage.quota import set_quota
from system.algo_trader.storage.records import QUOTES, TRADES
from system.algo_trader.storage.stream_gaps import StreamGaps
from system.algo_trader.testing.command_line import CommandLine

SPEED = 60.0
SYMBOLS = ["AAPL", "MSFT", "GOOG"]
DEADLINE_S = 90.0
BACK_S = 30.0
"""Ten at most on a quiet machine; one that runs other tests besides takes longer."""
EQUITIES = "LEVELONE_EQUITIES"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    monkeypatch.setenv("ALGO_TRADER_HOME", str(folder))
    monkeypatch.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    line = CommandLine(folder)
    assert line.run("services", "start").code == 0
    yield folder
    line.run("services", "stop")
    rmtree(folder)


def until(met: Callable[[], bool], what: str, seconds: float = DEADLINE_S) -> float:
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
        assert self.runtime.simulator is not None
        return self.runtime.simulator.streamer

    def sent(self) -> int:
        runs = self.streamer.ledger.runs(EQUITIES)
        return sum(run.items for run in runs if run.fate == SENT)

    def streams(self, more: int = 30) -> None:
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
        endpoint = Supervisor(self.home / "services").status(service).endpoint
        assert endpoint is not None
        return endpoint.pid

    def in_redis(self) -> pa.Table:
        frames = [decode_frame(entry) for entry in self.runtime.redis.xrange(TICKS.of())]
        return pa.concat_tables([frame.replace_schema_metadata(None) for frame in frames])


Deed = Callable[[Stage], None]


def drop_the_socket(stage: Stage) -> None:
    stage.streamer.drop_connections()
    stage.streams()


def leave_the_socket_half_open(stage: Stage) -> None:
    stage.streamer.half_open()
    before = stage.sent()
    took = until(lambda: stage.sent() > before, "a new connection")
    # Three seconds of silence, three for an answer to the ping, and the connection itself.
    assert took < BACK_S
    stage.streams()


def kill_redis(stage: Stage) -> None:
    """Its keeper starts it anew, with what it had put on disk."""
    os.kill(stage.pid("redis"), signal.SIGKILL)
    stage.streams(60)
    stage.reach_redis()


def freeze_redis(stage: Stage) -> None:
    pid = stage.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        stage.streams(300)
    finally:
        os.kill(pid, signal.SIGCONT)
    stage.reach_redis()


def kill_influxdb(stage: Stage) -> None:
    os.kill(stage.pid("influxdb"), signal.SIGKILL)
    stage.streams(100)


def freeze_influxdb(stage: Stage) -> None:
    pid = stage.pid("influxdb")
    os.kill(pid, signal.SIGSTOP)
    try:
        stage.streams(300)
    finally:
        os.kill(pid, signal.SIGCONT)
    stage.streams()


def sleep_for_an_hour(stage: Stage) -> None:
    """The clock leaps and the socket is dead, as on a laptop that was closed."""
    stage.streamer.half_open()
    # What was on its way has come before the lid is closed.
    threading.Event().wait(0.5)
    now = stage.clock.now_ns
    stage.clock.now_ns = lambda: now() + 3_600_000_000_000  # type: ignore[method-assign]
    before = stage.sent()
    assert until(lambda: stage.sent() > before, "a new connection") < BACK_S
    stage.streams()


DEEDS: dict[str, Deed] = {
    each.__name__: each
    for each in (
        drop_the_socket,
        leave_the_socket_half_open,
        kill_redis,
        freeze_redis,
        kill_influxdb,
        freeze_influxdb,
        sleep_for_an_hour,
    )
}
ON_THE_SOCKET = {
    "drop_the_socket": "disconnected",
    "leave_the_socket_half_open": "disconnected",
    "sleep_for_an_hour": "disconnected",
}


def perform(home: Path, deed: Deed) -> tuple[Stage, dict[str, Any], list[StreamGap]]:
    """Stream, do the deed, end the stream; return its stage, what it says, and the gaps."""
    invocation = Invocation(flags={"symbols": tuple(SYMBOLS)}, as_json=True, sim=True)
    said: list[dict[str, Any]] = []
    failures: list[BaseException] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("system.algo_trader.terminal.print_json", said.append)
        runtime = invocation.runtime(market_speed=SPEED)
        with runtime as parts:
            feed, clock = verb._feed(parts)
            stage = Stage(parts, home, clock)
            is_over = threading.Event()
            choice = verb.Choice([Channel.TICKS], [], DEADLINE_S * 3, 1.0, SPEED)

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


@pytest.mark.parametrize("name", DEEDS)
def test_what_came_is_everywhere_once_and_what_did_not_is_a_gap(home: Path, name: str) -> None:
    stage, document, gaps = perform(home, DEEDS[name])
    certain = [gap for gap in gaps if gap.reason != "silent"]
    withheld = stage.streamer.ledger.withheld(EQUITIES)
    if name not in ON_THE_SOCKET:
        assert (certain, withheld, document["reconnects"]) == ([], [], 0)
        return
    [gap] = {(each.start_ns, each.end_ns, each.reason) for each in certain}
    assert gap[2] == ON_THE_SOCKET[name]
    assert document["reconnects"] == 1
    for run in withheld:
        assert _lies_in(run, gap[0], gap[1]), f"{run}\n{gap}"
    if name == "sleep_for_an_hour":
        assert gap[1] - gap[0] >= 3_600_000_000_000
    else:
        # No wider than the time without a connection, by the market's clock.
        assert gap[1] - gap[0] < (BACK_S + 1) * SPEED * 1e9


def _lies_in(run: Run, start_ns: int, end_ns: int) -> bool:
    second = int(SPEED * 1e9)
    first, last = run.first_ms * 1_000_000, run.last_ms * 1_000_000
    return start_ns - second <= first and last <= end_ns + second


def test_a_full_archive_ends_the_stream_with_a_sentence_and_the_next_one_stores_it(
    home: Path,
) -> None:
    def fill(stage: Stage) -> None:
        until(lambda: bool(stage.runtime.archive.commits()), "a commit")
        set_quota(stage.runtime.archive.root, 1)
        threading.Event().wait(6.0)

    with pytest.raises(DiskFull, match="its quota is 1"):
        perform(home, fill)
    archive = Archive(home / "sim" / "archive")
    stored = archive.records(QUOTES, None).num_rows
    assert archive.damages() == []
    set_quota(archive.root, None)
    line = CommandLine(home)
    again = line.run(
        *("--sim", "--symbols", ",".join(SYMBOLS), "stream", "--speed", "60"),
        *("--channels", "ticks", "--for", "2s", "--json"),
    )
    assert again.code == 0, again.err
    [recovered] = again.json()["recovered"]
    assert recovered["updates"] > 0
    assert archive.records(QUOTES, None).num_rows > stored
