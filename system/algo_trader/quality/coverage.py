"""How complete the stored bars are, by symbol and trading date, against the exchange's calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from infrastructure.exchange.session import Session as Day
from system.algo_trader.market.bars import Int64s
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.closing import BarCalendar, kind_of


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """Count the bars of one trading date.

    Attributes:
        date: The trading date.
        expected: Bars that the calendar has on it: fewer on a half day.
        present: Those of them that are stored.
        is_early_close: Whether the exchange closed early.
        longest_gap: The most bars in a row that are missing.
    """

    date: date
    expected: int
    present: int
    is_early_close: bool
    longest_gap: int

    @property
    def share(self) -> float | None:
        """Return the share that is stored, 0 to 1; None where nothing was expected."""
        return self.present / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Hold the days of one symbol.

    Attributes:
        symbol: The instrument.
        timeframe: The span of a bar.
        session: The hours that count.
        days: By rising date, from the first to the last one asked for.
        strays: Stored bars that the calendar has no place for.
    """

    symbol: str
    timeframe: Timeframe
    session: Session
    days: tuple[DayCoverage, ...]
    strays: int

    @property
    def expected(self) -> int:
        """Return how many bars the calendar has."""
        return sum(day.expected for day in self.days)

    @property
    def present(self) -> int:
        """Return how many of them are stored."""
        return sum(day.present for day in self.days)

    @property
    def share(self) -> float | None:
        """Return the share that is stored, 0 to 1; None where nothing was expected."""
        return self.present / self.expected if self.expected else None

    def incomplete(self) -> tuple[DayCoverage, ...]:
        """Return the days on which bars are missing."""
        return tuple(day for day in self.days if day.present < day.expected)


def coverage(
    symbol: str,
    starts: Int64s,
    timeframe: Timeframe,
    session: Session,
    calendar: BarCalendar,
    *,
    days: Sequence[Day],
    now_ns: int,
) -> Coverage:
    """Compare stored intraday bars with those that the calendar expects to be over.

    A thinly traded symbol has minutes without a trade, and a halted one too: those count as
    missing here, since nobody can tell them from lost ones without another source.

    Args:
        symbol: The instrument.
        starts: Starts of the stored bars, int64 nanoseconds UTC, in any order.
        timeframe: Their timeframe, shorter than a day.
        session: The hours that they count.
        calendar: The exchange's calendar.
        days: The sessions to judge.
        now_ns: Bars that are not over by then are not expected yet.

    Raises:
        ValueError: If the timeframe is a day or longer.
    """
    span = timeframe.duration_ns
    if span is None:
        raise ValueError(f"coverage is counted by day; bars of {timeframe} have no days")
    found, known = [], 0
    have = np.unique(starts)
    for day in days:
        first, last = _edges(day, session)
        if first >= last:
            expected = np.empty(0, dtype=np.int64)
        else:
            expected = calendar.expected_bar_starts(timeframe, first, last, kind_of(session))
        # The last bar of a half hour's rest is shorter; it is over when the session is.
        expected = expected[np.minimum(expected + span, last) <= now_ns]
        present = np.isin(expected, have, assume_unique=True)
        known += int(present.sum())
        found.append(
            DayCoverage(
                day.date, len(expected), int(present.sum()), day.is_early_close, _longest(~present)
            )
        )
    inside = 0
    if days:
        first, last = _edges(days[0], session)[0], _edges(days[-1], session)[1]
        inside = int(((have >= first) & (have < last)).sum())
    return Coverage(symbol, timeframe, session, tuple(found), inside - known)


def _edges(day: Day, session: Session) -> tuple[int, int]:
    spans = day.spans(kind_of(session))
    return (spans[0][0], spans[-1][1]) if spans else (day.open_ns, day.open_ns)


def _longest(missing: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
