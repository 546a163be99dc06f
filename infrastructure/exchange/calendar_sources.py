"""Read trading days and closing times out of exchange_calendars and pandas_market_calendars.

Both libraries load pandas, so they are imported when a calendar is built for the first time; what
they answer is kept for later processes.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from infrastructure.exchange.kept_days import Arrays, kept
from infrastructure.exchange.zones import CHICAGO, NS_PER_S, Dates, Instants, local_to_ns

FIRST_DAY: Final = "1985-01-01"
LAST_DAY: Final = "2100-12-31"
_SMALL_BUILD: Final = 1985
_HERE: Final = Path(__file__)


class TradingDays(NamedTuple):
    """Trading dates in order, with the wall time at which each ends.

    Attributes:
        dates: datetime64[D], strictly rising.
        close_s: int64 seconds after local midnight.
    """

    dates: Dates
    close_s: Instants


def exchange_days(code: str, zone: str, last_year: int) -> TradingDays:
    """Return the trading days of an ISO 10383 market from exchange_calendars.

    Args:
        code: Such as XNYS or XLON.
        zone: IANA zone of the market.
        last_year: The last year to build.
    """

    def asked() -> Arrays:
        book = _exchange(code, last_year)
        dates = book.sessions.to_numpy().astype("datetime64[D]")
        return {"dates": dates, "close_s": _wall_seconds(dates, book.schedule["close"], zone)}

    place = zone.replace("/", "_")
    return TradingDays(**kept(f"days-{code}-{place}-{last_year}", _HERE, asked))


def market_holidays(code: str, *, include_one_off: bool) -> Dates:
    """Return a market's holidays from 1985 to 2100 that follow from its standing rules.

    Args:
        code: An ISO 10383 code of exchange_calendars.
        include_one_off: Whether closures outside the rules count too.
    """

    def asked() -> Arrays:
        book = _exchange(code, _SMALL_BUILD)
        days = book.regular_holidays.holidays(FIRST_DAY, LAST_DAY).to_numpy()
        days = days.astype("datetime64[D]")
        if include_one_off:
            one_off = [str(day)[:10] for day in book.adhoc_holidays]
            days = np.union1d(days, np.array(one_off, dtype="datetime64[D]"))
        return {"dates": days}

    kind = "all" if include_one_off else "regular"
    return kept(f"holidays-{code}-{kind}", _HERE, asked)["dates"]


def globex_days(code: str, last_year: int) -> TradingDays:
    """Return the trade dates of a CME Globex product group from pandas_market_calendars.

    Args:
        code: The library's name of the group, such as CMEGlobex_CL.
        last_year: The last year to build.
    """

    def asked() -> Arrays:
        import pandas_market_calendars

        book: Any = pandas_market_calendars.get_calendar(code)
        schedule = book.schedule(FIRST_DAY, f"{last_year}-12-31")
        dates = schedule.index.to_numpy().astype("datetime64[D]")
        close_s = _wall_seconds(dates, schedule["market_close"], CHICAGO)
        return {"dates": dates, "close_s": close_s}

    name = code.replace(" ", "_")
    return TradingDays(**kept(f"globex-{name}-{last_year}", _HERE, asked))


def _exchange(code: str, last_year: int) -> Any:
    import exchange_calendars

    with warnings.catch_warnings():
        # The library reads Series.values, which pandas 3.1 deprecates; the result is right.
        warnings.simplefilter("ignore", DeprecationWarning)
        return exchange_calendars.get_calendar(code, start=FIRST_DAY, end=f"{last_year}-12-31")


def _wall_seconds(dates: Dates, moments: Any, zone: str) -> Instants:
    """Return seconds after local midnight of a pandas series of aware instants, one a date."""
    instants = moments.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    # No US or UK session spans a clock change, so the offset at midnight is the offset at its end.
    seconds: Instants = instants - local_to_ns(dates, 0, zone) // NS_PER_S
    return seconds
