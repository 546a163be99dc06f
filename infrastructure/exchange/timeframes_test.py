"""Judge stamps and zone arithmetic by the standard library's zones."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import ns_from_utc, parse_rfc3339, rfc3339
from infrastructure.errors import InputError
from infrastructure.exchange.timeframes import (
    period_start,
    schwab_bar_start,
    schwab_bar_starts,
    trading_date,
)
from infrastructure.exchange.zones import CHICAGO, LONDON, NEW_YORK, local_dates, local_moment_ns

ZONES = st.sampled_from([NEW_YORK, CHICAGO, LONDON])
DAYS = st.dates(date(1985, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("day", "timeframe", "stamp"),
    [
        # Midnight US/Central is 06:00 UTC in winter and 05:00 in summer.
        ("2025-01-15", "1d", "2025-01-15T06:00:00Z"),
        ("2025-07-15", "1d", "2025-07-15T05:00:00Z"),
        ("2025-07-15", "1w", "2025-07-14T05:00:00Z"),
        ("2025-07-14", "1w", "2025-07-14T05:00:00Z"),
        ("2025-07-20", "1w", "2025-07-14T05:00:00Z"),
        ("2025-03-14", "1mo", "2025-03-01T06:00:00Z"),
        # The week of the clock change starts before it.
        ("2025-11-07", "1w", "2025-11-03T06:00:00Z"),
    ],
)
def test_schwab_stamps_bars_at_midnight_in_chicago(day: str, timeframe: str, stamp: str) -> None:
    assert rfc3339(schwab_bar_start(date.fromisoformat(day), timeframe)) == stamp


@settings(deadline=None)
@given(DAYS)
def test_the_trading_date_of_a_daily_stamp_is_its_date(day: date) -> None:
    assert trading_date(schwab_bar_start(day, "1d")) == day


@settings(deadline=None)
@given(day=DAYS, minute=st.integers(7 * 60, 20 * 60 - 1))
def test_the_trading_date_of_an_equity_minute_is_its_day_in_new_york(
    day: date, minute: int
) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(NEW_YORK))
    moment = midnight.replace(hour=minute // 60, minute=minute % 60)
    assert trading_date(ns_from_utc(moment)) == day


@settings(deadline=None)
@given(st.lists(DAYS, min_size=1, max_size=20), st.sampled_from(["1d", "1w", "1mo"]))
def test_many_stamps_equal_single_ones(days: list[date], timeframe: str) -> None:
    found = schwab_bar_starts(np.array(days, dtype="datetime64[D]"), timeframe)
    expected = [
        ns_from_utc(
            datetime.combine(
                period_start(day, timeframe), datetime.min.time(), tzinfo=ZoneInfo(CHICAGO)
            )
        )
        for day in days
    ]
    assert found.tolist() == expected


def test_intraday_bars_have_no_calendar_period() -> None:
    with pytest.raises(InputError, match="'5m' bar has no calendar period, expected one of 1d"):
        schwab_bar_start(date(2025, 1, 2), "5m")


@settings(deadline=None)
@given(day=DAYS, seconds=st.integers(0, 86_399), zone=ZONES)
def test_wall_time_becomes_the_instant_that_zoneinfo_gives(
    day: date, seconds: int, zone: str
) -> None:
    wall = datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)
    assert local_moment_ns(day, seconds, zone) == ns_from_utc(wall.replace(tzinfo=ZoneInfo(zone)))


@settings(deadline=None)
@given(seconds=st.integers(473_385_600, 4_133_894_400), zone=ZONES)
def test_local_dates_are_those_of_zoneinfo(seconds: int, zone: str) -> None:
    expected = datetime.fromtimestamp(seconds, ZoneInfo(zone)).date()
    found = local_dates(np.array([seconds * 10**9], dtype=np.int64), zone)
    assert found.tolist() == [expected]


def test_skipped_and_repeated_wall_times_take_the_offset_before_the_change() -> None:
    assert local_moment_ns(date(2025, 3, 9), 2 * 3600 + 1800, NEW_YORK) == parse_rfc3339(
        "2025-03-09T07:30:00Z"
    )
    assert local_moment_ns(date(2025, 11, 2), 3600 + 1800, NEW_YORK) == parse_rfc3339(
        "2025-11-02T05:30:00Z"
    )
