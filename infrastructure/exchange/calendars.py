"""Trading calendars: when each market is open, as plain values and as arrays.

``calendar("XNYS")`` and its siblings are built at first use and shared afterwards; the first time
on a machine it takes about a second, nearly all of it the import of pandas. Future days follow the
exchanges' standing rules; one-off closures that nobody has announced yet cannot be in them.
"""

from __future__ import annotations

import threading
from datetime import date, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Final, Literal

import numpy as np

from infrastructure.errors import InputError, NoDataError
from infrastructure.exchange.bar_starts import bar_starts_in_spans
from infrastructure.exchange.calendar_hours import HOURS, HoursTable, build_table
from infrastructure.exchange.session import Session, SessionKind, Span
from infrastructure.exchange.timeframes import (
    INTRADAY_NS,
    period_starts,
    require_timeframe,
    schwab_bar_starts,
)
from infrastructure.exchange.zones import (
    NS_PER_DAY,
    NS_PER_S,
    Dates,
    Instants,
    date_from_day_number,
)

FIRST_DATE: Final = date(1985, 1, 1)
LAST_DATE: Final = date(2100, 12, 31)
ALIASES: Final = {"NYSE": "XNYS", "XNAS": "XNYS", "NASDAQ": "XNYS", "ARCX": "XNYS"}

_YEARS_AHEAD: Final = 4
_FIRST_BUILD_TO: Final = 2030
_KINDS: Final[tuple[SessionKind, ...]] = ("rth", "ext", "all")


def calendar_names() -> tuple[str, ...]:
    """Return the names that `calendar` takes, without aliases."""
    return tuple(HOURS)


def calendar(name: str) -> Calendar:
    """Return the calendar of a market; every call with one name returns the same object.

    Args:
        name: One of `calendar_names()` or an alias such as NYSE.

    Raises:
        InputError: If there is no such calendar.
    """
    key = ALIASES.get(name.upper(), name.upper())
    if key not in HOURS:
        close = get_close_matches(key, [*HOURS, *ALIASES], n=1)
        raise InputError(
            f"unknown calendar {name!r}, expected one of {', '.join(HOURS)}",
            next_step=f"Did you mean {close[0]}?" if close else None,
        )
    return _shared(key)


@cache
def _shared(name: str) -> Calendar:
    return Calendar(name)


class Calendar:
    """Answer when one market trades.

    Dates are trading dates from 1985-01-01 on. The table grows by itself when a later date is
    asked for, to four years beyond it. Safe to share between threads.

    Globex calendars list US holidays on which a short session runs as sessions of their own; CME
    books their trades to the next business day. Use `contracts.business_days` to count business
    days.

    Attributes:
        name: Its name in `calendar_names()`.
        zone: IANA zone of its wall times.
        main_kind: The session meant when none is named: "rth" for stocks and options, "all" for
            futures.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.zone = HOURS[name].zone
        self.main_kind: SessionKind = HOURS[name].main_kind
        self._lock = threading.Lock()
        self._built: HoursTable | None = None

    def __repr__(self) -> str:
        return f"calendar({self.name!r})"

    def is_session(self, day: date) -> bool:
        """Say whether the market trades on a date."""
        table = self._table(day)
        row = _row_at_or_after(table, day)
        return row < table.dates.size and bool(table.dates[row] == np.datetime64(day, "D"))

    def session(self, day: date) -> Session:
        """Return the session of a trading date.

        Raises:
            InputError: If the date is outside 1985 to 2100.
            NoDataError: If the market does not trade on that date.
        """
        if not self.is_session(day):
            raise NoDataError(
                f"{day} is not a session of {self.name}",
                next_step=f"The session before it is {self.previous_session(day).date}.",
            )
        table = self._table(day)
        return self._session(table, _row_at_or_after(table, day))

    def sessions(self, start: date, end: date) -> list[Session]:
        """Return the sessions from one date to another, both included."""
        table, rows = self._rows(start, end)
        return [self._session(table, row) for row in range(rows.start, rows.stop)]

    def session_dates(self, start: date, end: date) -> Dates:
        """Return the trading dates from one date to another, both included, as datetime64[D]."""
        table, rows = self._rows(start, end)
        return table.dates[rows].copy()

    def early_close_dates(self, start: date, end: date) -> Dates:
        """Return the dates of shortened sessions between two dates, both included."""
        table, rows = self._rows(start, end)
        return table.dates[rows][table.early[rows]]

    def previous_session(self, day: date) -> Session:
        """Return the last session before a date.

        Raises:
            InputError: If there is none since 1985.
        """
        table = self._table(day)
        row = _row_at_or_after(table, day) - 1
        if row < 0:
            raise InputError(
                f"{self.name} has no session before {day}: the calendar starts in 1985"
            )
        return self._session(table, row)

    def next_session(self, day: date) -> Session:
        """Return the first session after a date."""
        table = self._table(day)
        return self._session(table, _row_at_or_after(table, day + timedelta(days=1)))

    def session_of(self, ns: int, kind: SessionKind | None = None) -> Session | None:
        """Return the session that an instant belongs to, None outside of every session.

        A pause inside a session belongs to it (the grains' morning break, the minutes between
        Cboe's global and regular hours).

        Args:
            ns: Nanoseconds UTC.
            kind: Whose hours count, `main_kind` by default. Use "all" to include extended hours.
        """
        table, row = self._row_of(ns, kind or self.main_kind)
        return None if row is None else self._session(table, row)

    def is_open(self, ns: int, kind: SessionKind | None = None) -> bool:
        """Say whether the market trades at an instant, pauses excluded.

        Args:
            ns: Nanoseconds UTC.
            kind: Whose hours count, `main_kind` by default.
        """
        chosen = kind or self.main_kind
        table, row = self._row_of(ns, chosen)
        if row is None:
            return False
        spans = table.spans[chosen][row]
        return bool(np.any((spans[:, 0] <= ns) & (ns < spans[:, 1])))

    def open_ns(self, day: date) -> int:
        """Return the instant at which a date's main session opens; errors as in `session`."""
        return self.session(day).open_ns

    def close_ns(self, day: date) -> int:
        """Return the instant at which a date's main session closes; errors as in `session`."""
        return self.session(day).close_ns

    def next_open(self, ns: int, kind: SessionKind | None = None) -> int:
        """Return the first instant, not before the given one, at which a session opens."""
        opens = self._edges(ns, kind, edge=0)
        return int(opens[np.searchsorted(opens, ns, side="left")])

    def next_close(self, ns: int, kind: SessionKind | None = None) -> int:
        """Return the first instant, not before the given one, at which a session ends."""
        closes = self._edges(ns, kind, edge=1)
        return int(closes[np.searchsorted(closes, ns, side="left")])

    def last_closed_session(self, ns: int) -> Session:
        """Return the last session whose main hours have ended by an instant.

        Raises:
            InputError: If there is none since 1985.
        """
        table = self._table_at(ns)
        closes = table.spans[self.main_kind][:, :, 1].max(axis=1)
        row = int(np.searchsorted(closes, ns, side="right")) - 1
        if row < 0:
            raise InputError(f"{self.name} has no session that ended by {date_of(ns)}")
        return self._session(table, row)

    def session_minutes(self, day: date, kind: SessionKind | None = None) -> int:
        """Return the minutes of trading on a date: 390 on a usual NYSE day, 210 on a half day."""
        spans = self.session(day).spans(kind or self.main_kind)
        return sum(end - start for start, end in spans) // (60 * NS_PER_S)

    def spans(self, start_ns: int, end_ns: int, kind: SessionKind | None = None) -> Instants:
        """Return the spans of trading that touch [start_ns, end_ns), uncut.

        Returns:
            int64 (n, 2): start and end in nanoseconds UTC, in the order of time.
        """
        if end_ns <= start_ns:
            return np.empty((0, 2), dtype=np.int64)
        self._table_at(start_ns)
        table = self._table_at(end_ns)
        spans = table.spans[kind or self.main_kind].reshape(-1, 2)
        # Spans are in order of both start and end, so the touching ones are neighbours.
        first = int(np.searchsorted(spans[:, 1], start_ns, side="right"))
        stop = int(np.searchsorted(spans[:, 0], end_ns, side="left"))
        touching = spans[first:stop]
        return touching[touching[:, 0] < touching[:, 1]]

    def expected_bar_starts(
        self, timeframe: str, start_ns: int, end_ns: int, session: SessionKind = "rth"
    ) -> Instants:
        """Return the starts of the bars that should exist in a stretch of time.

        Intraday bars are counted from the start of each span of trading (09:30, not 09:00). Daily,
        weekly and monthly bars carry Schwab's stamp (`schwab_bar_start`), one for each period with
        at least one session. Whether a thinly traded symbol has a trade in each minute is another
        question: outside regular hours, and for options, read the result as "may exist".

        Args:
            timeframe: One of `timeframes.TIMEFRAMES`.
            start_ns: First instant at which a bar may start, nanoseconds UTC.
            end_ns: Instant before which it must start.
            session: Whose hours count; without meaning for daily and longer bars.

        Returns:
            int64 nanoseconds UTC, strictly rising.

        Raises:
            InputError: If the timeframe or the session is unknown or the dates are out of range.
        """
        require_timeframe(timeframe)
        if session not in _KINDS:
            raise InputError(f"unknown session {session!r}, expected one of {', '.join(_KINDS)}")
        if timeframe in INTRADAY_NS:
            spans = self.spans(start_ns, end_ns, session)
            return bar_starts_in_spans(spans, INTRADAY_NS[timeframe], start_ns, end_ns)
        if end_ns <= start_ns:
            return np.empty(0, dtype=np.int64)
        # A month's bar starts up to 31 days before its sessions; stamps lie within a day of UTC.
        first = max(date_of(start_ns) - timedelta(days=1), FIRST_DATE)
        last = min(date_of(end_ns) + timedelta(days=32), LAST_DATE)
        periods = np.unique(period_starts(self.session_dates(first, last), timeframe))
        starts = schwab_bar_starts(periods, timeframe)
        return starts[(starts >= start_ns) & (starts < end_ns)]

    def _session(self, table: HoursTable, row: int) -> Session:
        kinds = {kind: _plain(table.spans[kind][row]) for kind in _KINDS}
        main = kinds[self.main_kind]
        return Session(
            date=date_from_day_number(int(table.dates[row].astype(np.int64))),
            open_ns=main[0][0],
            close_ns=main[-1][1],
            is_early_close=bool(table.early[row]),
            rth=kinds["rth"],
            ext=kinds["ext"],
            all=kinds["all"],
        )

    def _rows(self, start: date, end: date) -> tuple[HoursTable, slice]:
        self._table(start)
        table = self._table(end)
        low = _row_at_or_after(table, start)
        return table, slice(low, max(low, _row_at_or_after(table, end + timedelta(days=1))))

    def _row_of(self, ns: int, kind: SessionKind) -> tuple[HoursTable, int | None]:
        table = self._table_at(ns)
        spans = table.spans[kind]
        row = int(np.searchsorted(spans[:, 0, 0], ns, side="right")) - 1
        if row < 0 or ns >= spans[row, :, 1].max():
            return table, None
        return table, row

    def _edges(self, ns: int, kind: SessionKind | None, *, edge: Literal[0, 1]) -> Instants:
        chosen = kind or self.main_kind
        spans = self._table_at(ns).spans[chosen]
        trades = spans[:, :, 0] < spans[:, :, 1]
        rows = trades.any(axis=1)
        if not rows.any():
            raise NoDataError(f"{self.name} has no {chosen!r} hours")
        edges: Instants
        if edge == 0:
            edges = np.where(trades, spans[:, :, 0], np.iinfo(np.int64).max).min(axis=1)[rows]
        else:
            edges = np.where(trades, spans[:, :, 1], np.iinfo(np.int64).min).max(axis=1)[rows]
        return edges

    def _table_at(self, ns: int) -> HoursTable:
        return self._table(date_of(ns))

    def _table(self, day: date) -> HoursTable:
        if not FIRST_DATE <= day <= LAST_DATE:
            raise InputError(
                f"{day} is outside the calendar {self.name}, "
                f"expected a date from {FIRST_DATE} to {LAST_DATE}"
            )
        table = self._built
        # A year in hand, so that "the next session" and a month's bars always lie inside.
        if table is not None and day.year < table.last_year:
            return table
        with self._lock:
            table = self._built
            if table is None or day.year >= table.last_year:
                table = build_table(self.name, max(day.year + _YEARS_AHEAD, _FIRST_BUILD_TO))
                self._built = table
            return table


def date_of(ns: int) -> date:
    """Return the UTC date of an instant."""
    return date_from_day_number(ns // NS_PER_DAY)


def _row_at_or_after(table: HoursTable, day: date) -> int:
    return int(np.searchsorted(table.dates, np.datetime64(day, "D"), side="left"))


def _plain(spans: Instants) -> tuple[Span, ...]:
    return tuple((int(start), int(end)) for start, end in spans.tolist() if start < end)
