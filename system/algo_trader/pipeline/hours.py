"""The hours of a calendar as columns, for the bars of a live run."""

from __future__ import annotations

from datetime import date
from typing import Protocol

import numpy as np

from infrastructure.exchange.session import Session, SessionKind
from infrastructure.exchange.timeframes import schwab_bar_start
from system.algo_trader.market.session_spans import EXT, RTH, SessionSpans


class SessionCalendar(Protocol):
    """List sessions: the part of `exchange.calendars.Calendar` that is needed here."""

    @property
    def main_kind(self) -> SessionKind:
        """The hours of the calendar's own session."""

    def sessions(self, start: date, end: date) -> list[Session]:
        """Return the sessions from one date to another, both included."""


def session_spans(calendar: SessionCalendar, first: date, last: date) -> SessionSpans:
    """Return the hours of all sessions from one date to another, both included.

    Where a calendar's own session is all of its hours, as for futures, all of them count as
    regular: a daily bar of a future holds the evening before.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    whole = calendar.main_kind == "all"
    for session in calendar.sessions(first, last):
        day = (schwab_bar_start(session.date, "1d"), session.close_ns)
        if whole:
            rows += [(*span, RTH, *day) for span in session.all]
            continue
        rows += [(*span, RTH, *day) for span in session.rth]
        rows += [(*span, EXT, *day) for span in session.ext]
    columns = np.array(sorted(rows), dtype=np.int64).reshape(-1, 5).T
    return SessionSpans(*(np.ascontiguousarray(column) for column in columns))
