"""When listed options expire, how they settle, and the moment their value is fixed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal

from infrastructure.exchange.business_days import third_friday
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.symbology import Option, parse_option
from infrastructure.exchange.zones import NEW_YORK, local_moment_ns

Settlement = Literal["AM", "PM"]

# Classes whose exercise value is taken from opening prices on the expiration date. Cboe's
# specification pages of SPX, RUT, DJX and VIX/VIXW; Nasdaq's of NDX. The weekly and end-of-month
# classes of the same indices (SPXW, NDXP, RUTW) and XSP, OEX, XEO, MRUT settle on the close.
AM_SETTLED_ROOTS: Final = frozenset({"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW"})

_OPEN_S: Final = 9 * 3_600 + 30 * 60


def monthly_expiry(year: int, month: int) -> date:
    """Return the standard monthly expiration: the third Friday, or the session before it.

    It moves to Thursday when the Friday is a holiday: Good Friday (2025-04-18), Juneteenth
    (2026-06-19). Cboe Options rule 1.1 and the OCC's expiration calendar.
    """
    friday = third_friday(year, month)
    book = calendar("XNYS")
    return friday if book.is_session(friday) else book.previous_session(friday).date


def is_monthly_expiry(day: date) -> bool:
    """Say whether a date is the standard monthly expiration of its month."""
    return day == monthly_expiry(day.year, day.month)


def settlement_of(option: Option | str) -> Settlement:
    """Say whether an option settles on opening (AM) or closing (PM) prices.

    Options on stocks and funds are PM: they are exercised against the close of the last day.

    Args:
        option: The option or its symbol.
    """
    root = _option(option).root.rstrip("0123456789")
    return "AM" if root in AM_SETTLED_ROOTS else "PM"


def expiration_date(option: Option | str) -> date:
    """Return the session on which an option's value is fixed.

    It is the date in the symbol, except where that is no session: until February 2015 monthly
    symbols carried the Saturday after the third Friday, and a holiday moves it to the session
    before.

    Args:
        option: The option or its symbol.
    """
    day = _option(option).expiry
    book = calendar("XNYS")
    return day if book.is_session(day) else book.previous_session(day).date


def last_trading_date(option: Option | str) -> date:
    """Return the last date on which an option trades.

    AM-settled options stop on the session before their value is fixed.

    Args:
        option: The option or its symbol.
    """
    day = expiration_date(option)
    if settlement_of(option) == "AM":
        return calendar("XNYS").previous_session(day).date
    return day


def settlement_ns(option: Option | str) -> int:
    """Return the instant at which an option's value is fixed.

    AM: 09:30 New York on the expiration date, when the opening prices are taken (their last print
    may come minutes later, and Cboe publishes the value later still). PM: the close of the stock
    market, 16:00 or 13:00 on a half day; index options that trade to 16:15 on other days stop then
    on their last one.

    Args:
        option: The option or its symbol.

    Returns:
        int64 nanoseconds UTC.
    """
    day = expiration_date(option)
    if settlement_of(option) == "AM":
        return local_moment_ns(day, _OPEN_S, NEW_YORK)
    return calendar("XNYS").close_ns(day)


def last_trade_ns(option: Option | str) -> int:
    """Return the instant at which regular trading in an option ends for good.

    Args:
        option: The option or its symbol.
    """
    day = last_trading_date(option)
    if settlement_of(option) == "AM":
        return calendar("CBOE_INDEX_OPTIONS").close_ns(day)
    return calendar("XNYS").close_ns(day)


def is_weekend_dated(option: Option | str) -> bool:
    """Say whether the symbol carries a Saturday, as monthly ones did until February 2015."""
    return _option(option).expiry.weekday() == 5


def days_to_expiry(option: Option | str, on: date) -> int:
    """Return the calendar days from a date to the expiration date; negative once it has passed."""
    return (expiration_date(option) - on) // timedelta(days=1)


def _option(option: Option | str) -> Option:
    return parse_option(option) if isinstance(option, str) else option
