"""When a bar is over: only then may it be stored."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Protocol

import numpy as np

from infrastructure.exchange.session import Session as Day
from infrastructure.exchange.session import SessionKind
from infrastructure.exchange.timeframes import period_start, trading_dates
from infrastructure.exchange.zones import Instants, date_from_day_number
from system.algo_trader.market.bars import Int64s
from system.algo_trader.market.timeframe import Session, Timeframe

_LONGEST_PERIOD = timedelta(days=31)


class BarCalendar(Protocol):
    """Say which bars should exist: the part of `exchange.calendars.Calendar` that checks use."""

    def expected_bar_starts(
        self, timeframe: str, start_ns: int, end_ns: int, session: SessionKind = "rth"
    ) -> Instants:
        """Return the starts of the bars that should exist in [start_ns, end_ns)."""

    def spans(self, start_ns: int, end_ns: int, kind: SessionKind | None = None) -> Instants:
        """Return the spans of trading that touch [start_ns, end_ns), shape (n, 2)."""

    def sessions(self, start: date, end: date) -> list[Day]:
        """Return the sessions from one date to another, both included."""


def kind_of(session: Session) -> SessionKind:
    """Return the exchange's word for the hours that a bar counts."""
    kinds: dict[Session, SessionKind] = {
        Session.RTH: "rth",
        Session.EXT: "ext",
        Session.ALL: "all",
    }
    return kinds[session]


def bar_ends(
    starts: Int64s, timeframe: Timeframe, session: Session, calendar: BarCalendar
) -> Int64s:
    """Return the instants at which bars are over.

    An intraday bar ends after its span or with the trading that it lies in, whichever is first; a
    daily, weekly or monthly bar ends when the last session of its period closes.

    Args:
        starts: Starts of bars, int64 nanoseconds UTC, shape (n,), rising.
        timeframe: Their timeframe.
        session: The hours that they count.
        calendar: The exchange's calendar.

    Returns:
        int64 nanoseconds UTC, shape (n,).
    """
    if not len(starts):
        return starts
    duration = timeframe.duration_ns
    if duration is not None:
        ends = starts + duration
        spans = calendar.spans(int(starts[0]), int(ends[-1]), kind_of(session))
        if not len(spans):
            return ends
        row = np.clip(np.searchsorted(spans[:, 0], starts, side="right") - 1, 0, None)
        closes = spans[row, 1]
        inside = (spans[row, 0] <= starts) & (starts < closes)
        return np.where(inside, np.minimum(ends, closes), ends)
    return _period_ends(starts, timeframe, calendar)


def _period_ends(starts: Int64s, timeframe: Timeframe, calendar: BarCalendar) -> Int64s:
    dates = [date_from_day_number(int(day)) for day in trading_dates(starts).astype(np.int64)]
    last_close: dict[date, int] = {}
    for day in calendar.sessions(min(dates), max(dates) + _LONGEST_PERIOD):
        last_close[period_start(day.date, timeframe)] = day.close_ns
    # A period without a session has no close: such a bar is refused as outside of sessions.
    closes = [last_close.get(period_start(day, timeframe)) for day in dates]
    return np.array(
        [int(start) if end is None else end for start, end in zip(starts, closes, strict=True)],
        dtype=np.int64,
    )
