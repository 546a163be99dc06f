"""Timeframes of bars, and the stamp that Schwab puts on daily, weekly and monthly bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

import numpy as np

from infrastructure.errors import InputError
from infrastructure.exchange.zones import (
    CHICAGO,
    NEW_YORK,
    NS_PER_S,
    Dates,
    Instants,
    date_from_day_number,
    local_dates,
    local_to_ns,
)

INTRADAY_NS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "1s": NS_PER_S,
        "1m": 60 * NS_PER_S,
        "5m": 300 * NS_PER_S,
        "10m": 600 * NS_PER_S,
        "15m": 900 * NS_PER_S,
        "30m": 1_800 * NS_PER_S,
        "1h": 3_600 * NS_PER_S,
        "4h": 14_400 * NS_PER_S,
    }
)
CALENDAR_TIMEFRAMES: Final = ("1d", "1w", "1mo")
TIMEFRAMES: Final = (*INTRADAY_NS, *CALENDAR_TIMEFRAMES)


def require_timeframe(timeframe: str) -> str:
    """Return the timeframe if we know it.

    Raises:
        InputError: If it is none of `TIMEFRAMES`.
    """
    if timeframe not in TIMEFRAMES:
        raise InputError(
            f"unknown timeframe {timeframe!r}, expected one of {', '.join(TIMEFRAMES)}"
        )
    return timeframe


def period_start(day: date, timeframe: str) -> date:
    """Return the date that names the day, week or month which a date lies in.

    A day is named by itself, a week by its Monday even when that is a holiday [?: schwab-api.md
    does not establish the weekday], a month by its first day [O].

    Raises:
        InputError: If the timeframe is not 1d, 1w or 1mo.
    """
    if timeframe == "1d":
        return day
    if timeframe == "1w":
        return day - timedelta(days=day.weekday())
    if timeframe == "1mo":
        return day.replace(day=1)
    raise InputError(
        f"a {timeframe!r} bar has no calendar period, "
        f"expected one of {', '.join(CALENDAR_TIMEFRAMES)}"
    )


def period_starts(dates: Dates, timeframe: str) -> Dates:
    """Return `period_start` of every date, datetime64[D] of the same shape."""
    days = dates.astype("datetime64[D]")
    if timeframe == "1w":
        # Day 0 of the epoch was a Thursday, three days after its Monday.
        number = days.astype(np.int64)
        return (number - (number + 3) % 7).astype("datetime64[D]")
    if timeframe == "1mo":
        return days.astype("datetime64[M]").astype("datetime64[D]")
    period_start(date_from_day_number(0), timeframe)
    return days


def schwab_bar_start(day: date, timeframe: str) -> int:
    """Return the stamp of the daily, weekly or monthly bar that a trading date belongs to.

    Schwab stamps such bars at midnight US/Central of the period's first date: 06:00 UTC in
    winter, 05:00 in summer. Measured on monthly bars [O], daily bars by analogy [D], weekly
    bars by analogy and on Monday [?] (schwab-api.md §2.1).

    Returns:
        int64 nanoseconds UTC.

    Raises:
        InputError: If the timeframe is not 1d, 1w or 1mo.
    """
    return int(schwab_bar_starts(np.array([np.datetime64(day, "D")]), timeframe)[0])


def schwab_bar_starts(dates: Dates, timeframe: str) -> Instants:
    """Return `schwab_bar_start` of every date, int64 nanoseconds UTC of the same shape."""
    return local_to_ns(period_starts(dates, timeframe), 0, CHICAGO)


def trading_date(ns: int) -> date:
    """Return the US trading date that a bar's start belongs to.

    It is the date in New York: right for Schwab's stamps at midnight US/Central (01:00 in New
    York), for stamps at midnight in New York, and for every minute of the equity session with
    its extended hours. It is wrong for stamps at midnight UTC (which Schwab does not use) and
    for evening sessions of futures: ask `Calendar.session_of` for those.
    """
    return date_from_day_number(
        int(trading_dates(np.array([ns], dtype=np.int64)).astype(np.int64)[0])
    )


def trading_dates(instants: Instants) -> Dates:
    """Return `trading_date` of every instant as datetime64[D]."""
    return local_dates(instants, NEW_YORK)
