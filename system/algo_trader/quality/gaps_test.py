from __future__ import annotations

from datetime import date

import numpy as np

from infrastructure.clock import parse_rfc3339
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_start
from system.algo_trader.market.gap import Gap
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.gaps import find_gaps

NYSE = calendar("XNYS")
MINUTE = 60_000_000_000


def day(number: int) -> int:
    return schwab_bar_start(date(2013, 2, number), "1d")


def test_a_weekend_and_a_holiday_are_no_gap() -> None:
    starts = np.array([day(15), day(19)])
    assert find_gaps(starts, Timeframe.D1, Session.RTH, NYSE) == ()


def test_missing_days_are_grouped_into_runs() -> None:
    starts = np.array([day(11), day(14), day(19), day(21)])
    assert find_gaps(starts, Timeframe.D1, Session.RTH, NYSE) == (
        Gap(day(12), day(13), 2),
        Gap(day(15), day(15), 1),
        Gap(day(20), day(20), 1),
    )


def test_a_run_goes_over_a_weekend() -> None:
    starts = np.array([day(21), day(26)])
    assert find_gaps(starts, Timeframe.D1, Session.RTH, NYSE) == (Gap(day(22), day(25), 2),)


def test_minutes_are_expected_in_the_session_only() -> None:
    last = parse_rfc3339("2013-02-27T20:59:00Z")
    first = parse_rfc3339("2013-02-28T14:30:00Z")
    starts = np.array([last, first + MINUTE])
    assert find_gaps(starts, Timeframe.M1, Session.RTH, NYSE) == (Gap(first, first, 1),)


def test_nothing_stored_has_no_gaps() -> None:
    assert find_gaps(np.array([], dtype=np.int64), Timeframe.D1, Session.RTH, NYSE) == ()
