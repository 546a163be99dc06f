"""The hours of a calendar as columns, for the bars of a live run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from infrastructure.clock import utc_from_ns
from infrastructure.exchange.calendars import calendar, date_of
from infrastructure.exchange.session import Session, SessionKind
from infrastructure.exchange.timeframes import schwab_bar_start
from system.algo_trader.market.session_spans import EXT, RTH, SessionSpans

NEW_YORK: Final = ZoneInfo("America/New_York")


class SessionCalendar(Protocol):
    """List sessions: the part of `exchange.calendars.Calendar` that is needed here."""

    @property
    def main_kind(self) -> SessionKind:
        """The hours of the calendar's own session."""

    def sessions(self, start: date, end: date) -> list[Session]:
        """Return the sessions from one date to another, both included."""


def market_words(hours: Mapping[str, SessionSpans], now_ns: int) -> str:
    """Return which markets are open and until when, or when they open, in New York's time.

    Args:
        hours: The hours of each calendar.
        now_ns: The market's time, nanoseconds UTC.
    """
    return "; ".join(f"{name} {_state(spans, now_ns)}" for name, spans in sorted(hours.items()))


def is_any_open(hours: Mapping[str, SessionSpans], now_ns: int) -> bool:
    """Return whether any of the markets trades now, outside of regular hours included."""
    now = np.array([now_ns], dtype=np.int64)
    return any(spans.row_of(now)[0] >= 0 for spans in hours.values())


def was_any_open(names: Iterable[str], since_ns: int, until_ns: int) -> bool:
    """Return whether any of some calendars had hours between two instants, nanoseconds UTC."""
    first, last = date_of(since_ns) - timedelta(days=1), date_of(until_ns) + timedelta(days=1)
    for name in set(names):
        spans = session_spans(calendar(name), first, last)
        if np.any((spans.start < until_ns) & (spans.end > since_ns)):
            return True
    return False


def _state(spans: SessionSpans, now_ns: int) -> str:
    row = int(spans.row_of(np.array([now_ns], dtype=np.int64))[0])
    if row >= 0:
        kind = "open" if spans.kind[row] == RTH else "open outside of regular hours"
        return f"{kind} until {_clock(int(spans.end[row]))}"
    later = spans.start[spans.start > now_ns]
    return f"closed until {_clock(int(later[0]))}" if len(later) else "closed"


def _clock(instant_ns: int) -> str:
    return utc_from_ns(instant_ns).astimezone(NEW_YORK).strftime("%a %Y-%m-%d %H:%M")


def session_spans(exchange: SessionCalendar, first: date, last: date) -> SessionSpans:
    """Return the hours of all sessions from one date to another, both included.

    Where a calendar's own session is all of its hours, as for futures, all of them count as
    regular: a daily bar of a future holds the evening before.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    whole = exchange.main_kind == "all"
    for session in exchange.sessions(first, last):
        day = (schwab_bar_start(session.date, "1d"), session.close_ns)
        if whole:
            rows += [(*span, RTH, *day) for span in session.all]
            continue
        rows += [(*span, RTH, *day) for span in session.rth]
        rows += [(*span, EXT, *day) for span in session.ext]
    columns = np.array(sorted(rows), dtype=np.int64).reshape(-1, 5).T
    return SessionSpans(*(np.ascontiguousarray(column) for column in columns))
