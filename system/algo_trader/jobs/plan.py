"""Which bars to ask for: the main job's spans, and the extension of what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np

from infrastructure.exchange.session import Session as Day
from infrastructure.exchange.timeframes import period_start, schwab_bar_starts, trading_date
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.quality.overlap import OVERLAP_BARS


class SessionDays(Protocol):
    """List sessions: the part of `exchange.calendars.Calendar` that planning uses."""

    def sessions(self, start: date, end: date) -> list[Day]:
        """Return the sessions from one date to another, both included."""


class StoredBars(Protocol):
    """Tell what is stored: the part of `Archive` that planning uses."""

    def last(self, count: int, series: Series) -> Bars:
        """Return the last bars of a series, by rising start."""


@dataclass(frozen=True, slots=True)
class Lookback:
    """Name how far back to ask for bars of one timeframe.

    Attributes:
        timeframe: The span of a bar.
        years: Calendar years; 0 when `sessions` counts.
        sessions: Trading days, the running one included; 0 when `years` counts.
    """

    timeframe: Timeframe
    years: int = 0
    sessions: int = 0

    def __str__(self) -> str:
        if self.years:
            return f"{self.timeframe} x {self.years} year{'s' if self.years > 1 else ''}"
        return f"{self.timeframe} x {self.sessions} day{'s' if self.sessions > 1 else ''}"


MAIN_PLAN: Final = (
    Lookback(Timeframe.D1, years=1),
    Lookback(Timeframe.W1, years=5),
    Lookback(Timeframe.MO1, years=20),
    Lookback(Timeframe.M1, sessions=5),
)
"""What the main job fetches of each symbol."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Ask for the bars of one symbol and timeframe.

    Attributes:
        symbol: The instrument.
        timeframe: The span of a bar.
        start_ns: The first start, nanoseconds UTC.
        end_ns: The last one.
    """

    symbol: str
    timeframe: Timeframe
    start_ns: int
    end_ns: int


def first_start(lookback: Lookback, now_ns: int, calendar: SessionDays) -> int:
    """Return the start of the first bar of a lookback.

    It is the start of a whole period, so that no week or month begins in its middle.

    Args:
        lookback: How far back.
        now_ns: The market's time, nanoseconds UTC.
        calendar: The exchange's calendar.
    """
    today = trading_date(now_ns)
    if lookback.sessions:
        ago = today - timedelta(days=2 * lookback.sessions + 14)
        begun = [day for day in calendar.sessions(ago, today) if day.open_ns <= now_ns]
        return begun[-lookback.sessions :][0].open_ns
    day = _years_before(today, lookback.years)
    named = np.array([np.datetime64(day, "D")])
    if lookback.timeframe.is_intraday:
        return int(schwab_bar_starts(named, Timeframe.D1)[0])
    # A day's bar is stamped by its date; weeks and months by the first date of the period.
    whole = np.array([np.datetime64(period_start(day, lookback.timeframe), "D")])
    return int(schwab_bar_starts(whole, lookback.timeframe)[0])


def plan(
    wanted: Iterable[tuple[Series, Lookback]],
    *,
    now_ns: int,
    calendar: SessionDays,
    stored: StoredBars,
) -> tuple[FetchRequest, ...]:
    """Return requests for lookbacks, reaching back to the stored bars where those are older.

    Args:
        wanted: The series and how far back.
        now_ns: The market's time, nanoseconds UTC.
        calendar: The exchange's calendar.
        stored: What is stored already.
    """
    requests = []
    for series, lookback in wanted:
        start_ns = first_start(lookback, now_ns, calendar)
        known = stored.last(OVERLAP_BARS, series)
        if len(known):
            start_ns = min(start_ns, int(known.start[0]))
        requests.append(FetchRequest(series.symbol, series.timeframe, start_ns, now_ns))
    return tuple(requests)


def extension(
    series: Iterable[Series], *, now_ns: int, stored: StoredBars
) -> tuple[FetchRequest, ...]:
    """Return requests that extend stored series to now, reading their last bars again.

    Args:
        series: The series; those of which nothing is stored are left out.
        now_ns: The market's time, nanoseconds UTC.
        stored: What is stored already.
    """
    requests = []
    for each in series:
        known = stored.last(OVERLAP_BARS, each)
        if len(known):
            requests.append(FetchRequest(each.symbol, each.timeframe, int(known.start[0]), now_ns))
    return tuple(requests)


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        # 29 February has no namesake in most years.
        return day.replace(year=day.year - years, day=28)
