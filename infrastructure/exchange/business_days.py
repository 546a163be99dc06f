"""Business days by standing holiday rules, and the arithmetic that expiry rules are made of."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Final

import numpy as np

from infrastructure.errors import InputError
from infrastructure.exchange.calendar_sources import market_holidays
from infrastructure.exchange.zones import date_from_day_number

US: Final = "XNYS"
UK: Final = "XLON"

FIRST_YEAR: Final = 1985
LAST_YEAR: Final = 2100

THURSDAY: Final = 3
FRIDAY: Final = 4


@cache
def _book(market: str) -> np.busdaycalendar:
    # Futures exchanges trade on when the NYSE closes for one day (hurricane Sandy, days of
    # mourning), so only the standing rules count; UK bank holidays are proclaimed and all count.
    return np.busdaycalendar(holidays=market_holidays(market, include_one_off=market == UK))


def is_business_day(day: date, market: str = US) -> bool:
    """Say whether a date is a business day of a market.

    Args:
        day: A date from 1985 to 2100, as everywhere in this module.
        market: `US` (CME Group, Cboe) or `UK` (London).

    Raises:
        InputError: If the date is out of range; holidays are known for those years only.
    """
    _require_known(day)
    return bool(np.is_busday(np.datetime64(day, "D"), busdaycal=_book(market)))


def business_days(start: date, end: date, market: str = US) -> list[date]:
    """Return the business days from one date to another, both included."""
    _require_known(start)
    _require_known(end)
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    kept: list[date] = days[np.is_busday(days, busdaycal=_book(market))].tolist()
    return kept


def on_or_before(day: date, market: str = US) -> date:
    """Return the date itself if it is a business day, else the last one before it."""
    return _offset(day, 0, market)


def days_before(day: date, count: int, market: str = US) -> date:
    """Return the business day that lies so many business days before a date.

    A date that is no business day itself is not counted: one day before a Sunday is the Friday.
    """
    if is_business_day(day, market):
        return _offset(day, -count, market)
    return _offset(on_or_before(day, market), -(count - 1), market)


def last_of_month(year: int, month: int, nth: int = 1, market: str = US) -> date:
    """Return the last business day of a month, the second last for `nth=2`, and so on."""
    return _offset(month_end(year, month), -(nth - 1), market)


def nth_of_month(year: int, month: int, nth: int, market: str = US) -> date:
    """Return the nth business day of a month, counted from 1."""
    start = date(year, month, 1)
    _require_known(start)
    first = np.busday_offset(
        np.datetime64(start, "D"), nth - 1, roll="forward", busdaycal=_book(market)
    )
    return date_from_day_number(int(first.astype(np.int64)))


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the nth Monday (0) to Sunday (6) of a month, counted from 1."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def third_friday(year: int, month: int) -> date:
    """Return the third Friday of a month, holiday or not."""
    return nth_weekday(year, month, FRIDAY, 3)


def month_end(year: int, month: int) -> date:
    """Return the last calendar day of a month."""
    following = add_months(year, month, 1)
    return date(*following, 1) - timedelta(days=1)


def add_months(year: int, month: int, count: int) -> tuple[int, int]:
    """Return the year and month that lie so many months later (or earlier, if negative)."""
    position = year * 12 + month - 1 + count
    return position // 12, position % 12 + 1


def _require_known(day: date) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InputError(
            f"no holidays are known for {day}, expected a year from {FIRST_YEAR} to {LAST_YEAR}"
        )


def _offset(day: date, count: int, market: str) -> date:
    _require_known(day)
    found = np.busday_offset(
        np.datetime64(day, "D"), count, roll="backward", busdaycal=_book(market)
    )
    return date_from_day_number(int(found.astype(np.int64)))
