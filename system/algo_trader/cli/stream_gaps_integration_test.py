"""Stream the local Schwab, let it hold things back, and compare what is known with its ledger."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest

from infrastructure.exchange.calendars import calendar
from infrastructure.simulators.schwab.streamer.ledger import SENT, Ledger, Run
from infrastructure.simulators.schwab.streamer.streamer import Streamer
from system.algo_trader.cli import stream as verb
from system.algo_trader.cli.invocation import Invocation
from system.algo_trader.feeds.live import Channel
from system.algo_trader.market.stream_gap import GapState, StreamGap
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.pipeline.backfill import lost_minutes
from system.algo_trader.runtime import Runtime
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.stream_gaps import StreamGaps
from system.algo_trader.testing.command_line import CommandLine

SPEED = 60.0
DEADLINE_S = 60.0
EQUITIES, CHART = "LEVELONE_EQUITIES", "CHART_EQUITY"
SLACK_NS = 60_000_000_000
"""A second on the way, in the market's time; what is held back lasts four times as long."""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    monkeypatch.setenv("ALGO_TRADER_HOME", str(folder))
    monkeypatch.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    yield folder
    rmtree(folder)


def until(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < end, f"not in time: {what}"
        threading.Event().wait(0.05)


class Hand:
    """Make the simulator hold things back while a run goes on, then end the run."""

    def __init__(self, streamer: Streamer, archive: Archive) -> None:
        self.streamer = streamer
        self.gaps = StreamGaps(archive)
        self.failure: BaseException | None = None

    def __call__(self) -> None:
        try:
            self.hold_back()
        except BaseException as error:
            self.failure = error
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def hold_back(self) -> None:
        until(lambda: self.sent(CHART) >= 3 and self.sent(EQUITIES) >= 60, "a stream")
        self.streamer.drop_connections()
        before = self.sent(CHART)
        until(lambda: self.sent(CHART) >= before + 3, "a new connection")
        self.streamer.drop_interval(4.0)
        before = self.sent(CHART)
        until(lambda: self.sent(CHART) >= before + 3, "the interval's end")
        until(self.is_filled, "backfill")

    def sent(self, service: str) -> int:
        return sum(run.items for run in self.streamer.ledger.runs(service) if run.fate == SENT)

    def is_filled(self) -> bool:
        gaps = self.gaps.all()
        told = [(each.service, each.reason) for each in gaps if each.state is GapState.BACKFILLED]
        return {(EQUITIES, "disconnected"), (CHART, "disconnected"), (CHART, "sequence")} <= set(
            told
        )


def covers(gap: StreamGap, run: Run) -> bool:
    """Whether what was held back lies in a gap, and most of the gap in it."""
    first, last = run.first_ms * 1_000_000, run.last_ms * 1_000_000
    return gap.start_ns - SLACK_NS <= first and last <= gap.end_ns + SLACK_NS


def test_what_is_known_to_be_missing_is_what_was_held_back_and_its_bars_come(home: Path) -> None:
    invocation = Invocation(flags={"symbols": ("AAPL",)}, as_json=True, sim=True)
    with invocation.runtime(market_speed=SPEED) as runtime:
        ledger, gaps = stream(invocation, runtime)
        archive = runtime.archive
        bars = archive.winners("AAPL", Timeframe.M1)
        held_back = {service: ledger.withheld(service) for service in (EQUITIES, CHART)}
        series = runtime.feed.series("AAPL", Timeframe.M1)

    certain = [each for each in gaps if each.state is GapState.BACKFILLED]
    assert len(certain) == 3
    for service in (EQUITIES, CHART):
        runs = held_back[service]
        mine = [each for each in gaps if each.service == service]
        assert {run.fate for run in runs} >= {"dropped interval"}
        for run in runs:
            assert any(covers(gap, run) for gap in mine), f"{run}\n{mine}"
    (counted,) = [each for each in certain if each.reason == "sequence"]
    interval = [run for run in held_back[CHART] if run.fate == "dropped interval"]
    assert counted.missing == sum(run.items for run in interval)
    # A busy machine makes silences of its own: more than the planted one may be suspected.
    silences = [each for each in gaps if each.reason == "silent"]
    assert {(each.service, each.state) for each in silences} == {(EQUITIES, GapState.SUSPECTED)}
    assert len(gaps) == len(certain) + len(silences)

    for gap in certain:
        lost = lost_minutes(gap, calendar("XNYS"), series)
        there = bars.where(np.isin(bars.start, lost))
        assert len(there) == len(lost) == gap.filled
        assert set(there.table.column("source").to_pylist()) == {"schwab-sim"}
    requests = {commit.request_id.split("/")[0] for commit in archive.commits()}
    assert requests == {"stream", "backfill"}

    shown = CommandLine(home).run("--sim", "quality", "gaps", "--json").json()
    assert shown["totals"]["backfilled"] == 3
    assert {row["reason"] for row in shown["gaps"]} == {"disconnected", "sequence", "silent"}


def stream(invocation: Invocation, runtime: Runtime) -> tuple[Ledger, list[StreamGap]]:
    feed, clock = verb._feed(runtime)
    choice = verb.Choice([Channel.TICKS, Channel.BARS], [], DEADLINE_S * 3, 1.0, SPEED)
    assert runtime.simulator is not None
    streamer = runtime.simulator.streamer
    hand = Hand(streamer, runtime.archive)
    thread = threading.Thread(target=hand)
    thread.start()
    work = verb._stream(invocation, runtime, feed, clock, feed.resolve(["AAPL"]), choice)
    asyncio.run(work)
    thread.join()
    if hand.failure is not None:
        raise hand.failure
    return streamer.ledger, hand.gaps.all()
