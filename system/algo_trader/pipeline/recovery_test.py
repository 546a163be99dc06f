"""Judge what a recovery says was missed, by notes and entries that are written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.redis.frames import FIELD, encode_frame
from infrastructure.redis.streams import StreamEntry
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.ticks import Ticks
from system.algo_trader.pipeline.recovery import PROCESS_ENDED, RecoveredRun, Recovery
from system.algo_trader.pipeline.run_notes import RunNote, RunNotes, named_frame
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.storage.archive import Archive

S = 1_000_000_000
NOON = 1_710_172_800 * S
"""2024-03-11T16:00Z, a Monday, noon in New York."""
FRIDAY_NIGHT = NOON - 3 * 86_400 * S + 10 * 3_600 * S
HOUR = 3_600 * S
SERVICE = "LEVELONE_EQUITIES"


@dataclass
class Cold:
    write_errors = 0
    portions: list[Portion] = field(default_factory=list)

    def commit(self, portions: list[Portion]) -> None:
        self.portions += portions

    def project(self, bars: Bars, metrics: Sequence[dict[str, object]]) -> None:
        assert not metrics


@dataclass
class Entries:
    entries: list[StreamEntry] = field(default_factory=list)

    def xrange(
        self, stream: str, start: str = "-", end: str = "+", count: int | None = None
    ) -> list[StreamEntry]:
        after = -1 if start == "-" else int(start[1:].partition("-")[0])
        found = [each for each in self.entries if int(each.id.partition("-")[0]) > after]
        return found[:count]


@dataclass
class World:
    """One realm's notes; each recovery stands for a new process."""

    folder: Path
    entries: Entries = field(default_factory=Entries)
    cold: Cold = field(default_factory=Cold)

    def notes(self) -> RunNotes:
        return RunNotes(self.folder / "streams", VirtualClock(NOON))

    def recovery(self, now_ns: int) -> Recovery:
        archive = Archive(self.folder / "archive")
        clock = VirtualClock(now_ns)
        return Recovery(self.notes(), archive, self.cold, self.entries, clock, 2 * S)

    def note(self, closed_ns: int, **changes: Any) -> None:
        calendars = {"AAPL": "XNYS", "MSFT": "XNYS"}
        values = {"services": (SERVICE,), "after": "5-0", **changes}
        self.notes().write(RunNote("r1", "schwab-live", calendars, closed_ns=closed_ns, **values))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def spans(recovered: Sequence[RecoveredRun]) -> list[tuple[str, int, int]]:
    return [(gap.reason, gap.start_ns, gap.end_ns) for run in recovered for gap in run.gaps]


def test_a_gap_is_told_to_each_new_run_until_one_has_stored_it(world: World) -> None:
    world.note(NOON)
    for now in (NOON + HOUR, NOON + 2 * HOUR):
        recovery = world.recovery(now)
        assert spans(recovery.recover()) == [(PROCESS_ENDED, NOON, now)]
    recovery.settled()
    assert world.recovery(NOON + 3 * HOUR).recover() == []


def test_a_run_that_ended_in_order_leaves_no_gap_here(world: World) -> None:
    world.note(NOON)
    world.notes().ended("r1")
    assert spans(world.recovery(NOON + HOUR).recover()) == []


def test_hours_in_which_nothing_trades_are_no_gap(world: World) -> None:
    world.note(FRIDAY_NIGHT)
    assert spans(world.recovery(FRIDAY_NIGHT + 12 * HOUR).recover()) == []
    again = spans(world.recovery(NOON).recover())
    assert again == [(PROCESS_ENDED, FRIDAY_NIGHT, NOON)]


@pytest.mark.parametrize(("first", "is_cut"), [(0, False), (20, True)])
def test_updates_that_redis_dropped_are_in_the_gap(
    world: World, first: int, is_cut: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = _ticks(30)
    kept = ticks.take(np.arange(first, 30))
    rows = kept.batch(pa.array(["AAPL", "MSFT"]))
    frame = encode_frame(named_frame(rows, "r1", SERVICE, "schwab-live"))
    world.entries.entries.append(StreamEntry("9-0", {FIELD: frame}))
    world.note(NOON)
    [run] = world.recovery(NOON + HOUR).recover()
    assert run.updates == 30 - first
    newest = int(ticks.ts_recv[-1])
    assert spans([run]) == [(PROCESS_ENDED, NOON if is_cut else newest, NOON + HOUR)]
    assert ("Redis has dropped" in caplog.text) is is_cut


def _ticks(count: int) -> Ticks:
    order = np.arange(count)
    at = NOON + (order + 1) * S
    price = (100 + order).astype(np.float64)
    size = np.full(count, 2)
    ones = np.ones(count, dtype=np.bool_)
    return Ticks(
        symbol=order % 2, order=order, ts_recv=at + 5, ts_quote=at, ts_trade=at, bid=price - 1,
        ask=price + 1, bid_size=size, ask_size=size, last=price, last_size=size,
        volume=size, total=order * 2, is_quote=ones, is_trade=ones,
    )  # fmt: skip
