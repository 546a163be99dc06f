"""Judge coverage by days from which known bars were taken out."""

from datetime import date

import numpy as np
import pytest

from infrastructure.exchange.calendars import Calendar, calendar
from system.algo_trader.market.bars import Int64s
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.coverage import Coverage, coverage

M = 60_000_000_000
EVER = 2**62


@pytest.fixture(scope="module")
def nyse() -> Calendar:
    return calendar("XNYS")


def minutes(nyse: Calendar, day: date) -> Int64s:
    opened, closed = nyse.open_ns(day), nyse.close_ns(day)
    return np.arange(opened, closed, M, dtype=np.int64)


def judge(nyse: Calendar, starts: Int64s, first: date, last: date, now: int = EVER) -> Coverage:
    return coverage(
        "AAPL", starts, Timeframe.M1, Session.RTH, nyse,
        days=nyse.sessions(first, last), now_ns=now,
    )  # fmt: skip


def test_a_whole_week_with_a_half_day_is_complete(nyse: Calendar) -> None:
    # Thanksgiving week of 2024: Thursday closed, Friday until one.
    days = [date(2024, 11, day) for day in (25, 26, 27, 29)]
    starts = np.concatenate([minutes(nyse, day) for day in days])
    found = judge(nyse, starts, date(2024, 11, 25), date(2024, 11, 30))
    assert [(day.date, day.expected, day.present) for day in found.days] == [
        *((day, 390, 390) for day in days[:3]),
        (days[3], 210, 210),
    ]
    assert [day.is_early_close for day in found.days] == [False, False, False, True]
    assert (found.share, found.incomplete(), found.strays) == (1.0, (), 0)


def test_missing_minutes_are_counted_with_their_longest_run(nyse: Calendar) -> None:
    day = date(2019, 2, 14)
    starts = np.delete(minutes(nyse, day), [3, 100, 101, 102, 389])
    (found,) = judge(nyse, starts, day, day).incomplete()
    assert (found.expected, found.present, found.longest_gap) == (390, 385, 3)


def test_a_day_without_bars_is_there_with_zero(nyse: Calendar) -> None:
    found = judge(nyse, np.empty(0, np.int64), date(2024, 3, 8), date(2024, 3, 11))
    assert [(day.date.day, day.share, day.longest_gap) for day in found.days] == [
        (8, 0.0, 390),
        (11, 0.0, 390),
    ]


def test_bars_that_are_not_over_are_not_expected(nyse: Calendar) -> None:
    day = date(2024, 3, 11)
    now = nyse.open_ns(day) + 10 * M
    found = judge(nyse, minutes(nyse, day)[:10], day, day, now)
    assert (found.days[0].expected, found.days[0].present) == (10, 10)
    before = judge(nyse, np.empty(0, np.int64), day, day, nyse.open_ns(day))
    assert (before.expected, before.share) == (0, None)


def test_bars_at_times_without_trading_are_strays_and_doubles_count_once(nyse: Calendar) -> None:
    day = date(2024, 3, 11)
    starts = minutes(nyse, day)
    extra = np.array([starts[0] + M // 2, starts[7]])
    found = judge(nyse, np.concatenate([starts, extra]), day, day)
    assert (found.present, found.strays) == (390, 1)


def test_daily_bars_have_no_coverage_by_day(nyse: Calendar) -> None:
    with pytest.raises(ValueError, match="have no days"):
        coverage("AAPL", np.empty(0, np.int64), Timeframe.D1, Session.RTH, nyse, days=[], now_ns=0)
