"""Break what a stream stands on, one thing at a time: nothing that came is lost, gaps are known.

The local Schwab's ledger says what it sent; a real Valkey, the archive and the embedded InfluxDB
say what they hold. A market that runs sixty times as fast makes minutes of seconds.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.errors import DiskFull
from infrastructure.simulators.schwab.streamer.ledger import Run
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.quota import set_quota
from system.algo_trader.storage.records import QUOTES
from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.stream_deeds import (
    BACK_S,
    EQUITIES,
    SPEED,
    SYMBOLS,
    Deed,
    Stage,
    frozen,
    perform,
    served_home,
    until,
)


@pytest.fixture
def home() -> Iterator[Path]:
    with served_home() as folder:
        yield folder


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
    with frozen(stage, "redis"):
        stage.streams(300)
    stage.reach_redis()


def kill_influxdb(stage: Stage) -> None:
    os.kill(stage.pid("influxdb"), signal.SIGKILL)
    stage.streams(100)


def freeze_influxdb(stage: Stage) -> None:
    with frozen(stage, "influxdb"):
        stage.streams(300)
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
ON_THE_SOCKET = {"drop_the_socket", "leave_the_socket_half_open", "sleep_for_an_hour"}


@pytest.mark.parametrize("name", DEEDS)
def test_what_came_is_everywhere_once_and_what_did_not_is_a_gap(home: Path, name: str) -> None:
    stage, document, gaps = perform(home, DEEDS[name])
    certain = [gap for gap in gaps if gap.reason != "silent"]
    withheld = stage.streamer.ledger.withheld(EQUITIES)
    if name not in ON_THE_SOCKET:
        assert (certain, withheld, document["reconnects"]) == ([], [], 0)
        return
    [gap] = {(each.start_ns, each.end_ns, each.reason) for each in certain}
    assert gap[2] == "disconnected"
    assert withheld
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
