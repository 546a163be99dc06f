"""When the local Schwab's orders trade and end, from the exchange calendar."""

from __future__ import annotations

from datetime import date
from typing import Final

from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import trading_date
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.matching.order import Duration, TradingSession
from infrastructure.simulators.schwab.replay_rows import NEW_YORK

# Seconds after midnight New York; NORMAL is the exchange's own session. [C]
EARLY: Final = (8 * 3_600, 9 * 3_600 + 1_800)
LATE: Final = (16 * 3_600, 20 * 3_600)
# How long an order good till cancel lives; not established. [?]
GOOD_TILL_CANCEL_NS: Final = 180 * 86_400 * 1_000_000_000


class TradingHours:
    """Answer the matching engine's questions about time."""

    def __init__(self) -> None:
        self._book = calendar("XNYS")

    def is_open(self, session: TradingSession, ns: int) -> bool:
        """Return whether a session is running at an instant, nanoseconds UTC."""
        day = trading_date(ns)
        if not self._book.is_session(day):
            return False
        start, end = self._span(session, day)
        return start <= ns < end

    def end_ns(self, duration: Duration, session: TradingSession, ns: int) -> int:
        """Return when an order of that duration entered at `ns` ends, nanoseconds UTC."""
        if duration is Duration.GOOD_TILL_CANCEL:
            return ns + GOOD_TILL_CANCEL_NS
        day = trading_date(ns)
        if not self._book.is_session(day) or self._span(session, day)[1] <= ns:
            day = self._book.next_session(day).date
        return self._span(session, day)[1]

    def close_ns(self, ns: int) -> int:
        """Return the next close of the regular session at or after `ns`."""
        return self.end_ns(Duration.DAY, TradingSession.NORMAL, ns)

    def _span(self, session: TradingSession, day: date) -> tuple[int, int]:
        regular = self._book.session(day)
        early, late = (tuple(local_moment_ns(day, s, NEW_YORK) for s in w) for w in (EARLY, LATE))
        if session is TradingSession.NORMAL:
            return regular.open_ns, regular.close_ns
        if session is TradingSession.AM:
            return early[0], early[1]
        if session is TradingSession.PM:
            return late[0], late[1]
        return early[0], late[1]
