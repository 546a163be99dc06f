"""When futures contracts stop trading: one pure function a rule, (year, month) to the last day.

The year and the month are those of the contract. Sources are the "Termination of Trading" lines of
CME Group's contract specification pages and the rulebook chapters named in `contract_table`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from infrastructure.exchange.business_days import (
    THURSDAY,
    UK,
    add_months,
    business_days,
    days_before,
    last_of_month,
    month_end,
    nth_of_month,
    nth_weekday,
    on_or_before,
    third_friday,
)

ExpiryRule = Callable[[int, int], date]

_WEDNESDAY: Final = 2


def equity_index(year: int, month: int) -> date:
    """Return the third Friday; the business day before it when that is a holiday."""
    return on_or_before(third_friday(year, month))


def crude_oil(year: int, month: int) -> date:
    """Return three business days before the 25th of the month before the contract month.

    When the 25th is not a business day, the count starts at the last business day before it.
    """
    return days_before(on_or_before(date(*add_months(year, month, -1), 25)), 3)


def micro_crude_oil(year: int, month: int) -> date:
    """Return the business day before the full-size contract ends."""
    return days_before(crude_oil(year, month), 1)


def natural_gas(year: int, month: int) -> date:
    """Return the third last business day of the month before the contract month."""
    return last_of_month(*add_months(year, month, -1), nth=3)


def refined_products(year: int, month: int) -> date:
    """Return the last business day of the month before the contract month."""
    return last_of_month(*add_months(year, month, -1))


def brent(year: int, month: int) -> date:
    """Return the last London business day two months before; for February the second last.

    Holds from the March 2016 contract on; earlier ones ended in the middle of the month.
    """
    return last_of_month(*add_months(year, month, -2), nth=2 if month == 2 else 1, market=UK)


def metals(year: int, month: int) -> date:
    """Return the third last business day of the contract month."""
    return last_of_month(year, month, nth=3)


def long_treasury(year: int, month: int) -> date:
    """Return the seventh business day before the last business day of the contract month."""
    return last_of_month(year, month, nth=8)


def short_treasury(year: int, month: int) -> date:
    """Return the last business day of the contract month."""
    return last_of_month(year, month)


def grains(year: int, month: int) -> date:
    """Return the business day before the 15th of the contract month."""
    return days_before(date(year, month, 15), 1)


def currency(year: int, month: int) -> date:
    """Return the second business day before the third Wednesday of the contract month."""
    return days_before(nth_weekday(year, month, _WEDNESDAY, 3), 2)


def canadian_dollar(year: int, month: int) -> date:
    """Return the business day before the third Wednesday of the contract month."""
    return days_before(nth_weekday(year, month, _WEDNESDAY, 3), 1)


def live_cattle(year: int, month: int) -> date:
    """Return the last business day of the contract month."""
    return last_of_month(year, month)


def lean_hogs(year: int, month: int) -> date:
    """Return the tenth business day of the contract month."""
    return nth_of_month(year, month, 10)


def feeder_cattle(year: int, month: int) -> date:
    """Return the last Thursday of the contract month, in November the one before Thanksgiving.

    When that day or one of the four weekdays before it is a holiday, the Thursday before it that
    is free of both.
    """
    if month == 11:
        day = nth_weekday(year, 11, THURSDAY, 4) - timedelta(days=7)
    else:
        end = month_end(year, month)
        day = end - timedelta(days=(end.weekday() - THURSDAY) % 7)
    while len(business_days(day - timedelta(days=6), day)) < 5:
        day -= timedelta(days=7)
    return day


def volatility_index(year: int, month: int) -> date:
    """Return the Wednesday thirty days before the following month's third Friday.

    When that Friday is a holiday, the count starts at the business day before it; when the
    Wednesday is a holiday, trading ends on the business day before it. CFE rule 1202.
    """
    friday = on_or_before(third_friday(*add_months(year, month, 1)))
    return on_or_before(friday - timedelta(days=30))


def notice_before_month(year: int, month: int) -> date:
    """Return the last business day before the contract month: the first notice day."""
    return last_of_month(*add_months(year, month, -1))
