"""The last days of stored bars are judged, without reading what lies before them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from infrastructure.exchange.calendars import calendar
from system.algo_trader.jobs.stored_coverage import stored_coverage
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import bars_dataset

NOW_NS = 1_800_000_000_000_000_000
NYSE = calendar("XNYS")


def store(archive: Archive, starts: list[int], session: Session = Session.RTH) -> None:
    price = np.full(len(starts), 100.0)
    series = Series("AAPL", Timeframe.M1, session=session)
    archive.append(
        Bars.of(
            series, start=starts, open=price, high=price, low=price, close=price,
            volume=np.ones(len(starts), dtype=np.int64), fetched_at=NOW_NS, is_synthetic=False,
        ),
        "test",
    )  # fmt: skip


def minutes(first: date, last: date) -> list[int]:
    days = NYSE.sessions(first, last)
    return [
        int(start) for day in days for start in NYSE.expected_bar_starts("1m", *day.rth[0], "rth")
    ]


def test_the_last_days_are_judged_and_what_is_missing_counts(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    starts = minutes(date(2024, 1, 2), date(2024, 3, 28))
    del starts[-5:-2]
    store(archive, starts)
    # Bars of other hours are newer, on the next date of UTC: they open no day of their own.
    store(archive, [starts[-1] + 4 * 3_600_000_000_000], Session.EXT)
    found = stored_coverage(archive, "AAPL", Timeframe.M1, 3, NOW_NS)
    assert [day.date for day in found.days] == [date(2024, 3, d) for d in (26, 27, 28)]
    assert [(day.present, day.expected) for day in found.days] == [(390, 390)] * 2 + [(387, 390)]


def test_old_bars_are_not_read(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for year in (2023, 2024):
        store(archive, minutes(date(year, 1, 3), date(year, 1, 31)))
    old = min(archive.parts(bars_dataset(Timeframe.M1), "AAPL"), key=lambda part: part.first_ns)
    (archive.root / old.path).unlink()
    found = stored_coverage(archive, "AAPL", Timeframe.M1, 5, NOW_NS)
    assert (found.present, found.expected) == (5 * 390, 5 * 390)


def test_a_symbol_without_bars_has_none(tmp_path: Path) -> None:
    found = stored_coverage(Archive(tmp_path), "AAPL", Timeframe.M1, 2, NOW_NS)
    assert (found.present, len(found.days)) == (0, 2)
