"""How complete the stored bars of a symbol are, and which recorded gaps touch its days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from infrastructure.exchange.calendars import date_of
from infrastructure.exchange.markets import calendar_of
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.coverage import Coverage, coverage
from system.algo_trader.quality.coverage_page import Known
from system.algo_trader.quality.known_gaps import gaps_by_day
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import bars_dataset


def stored_coverage(
    archive: Archive, symbol: str, timeframe: Timeframe, days: int, now_ns: int
) -> Coverage:
    """Return the coverage of the last trading days up to the last stored bar.

    Args:
        archive: Where the bars are.
        symbol: The instrument.
        timeframe: Shorter than a day.
        days: Trading days.
        now_ns: What is not over by then is not expected, nanoseconds UTC.

    Raises:
        CorruptStore: If a part is damaged.
    """
    calendar = calendar_of(symbol)
    span = timedelta(days=2 * days + 10)
    # Only what the days can hold is read: the whole of it may be years. Bars of other hours may be
    # newer, so that a few days more are read than are judged.
    parts = archive.parts(bars_dataset(timeframe), symbol)
    newest_ns = max((part.last_ns for part in parts), default=now_ns)
    first_ns = newest_ns - 2 * span // timedelta(microseconds=1) * 1000
    starts = archive.winners(symbol, timeframe, start_ns=max(0, first_ns)).start
    last = date_of(int(starts.max())) if len(starts) else date_of(newest_ns)
    sessions = calendar.sessions(last - span, last)[-days:]
    return coverage(symbol, starts, timeframe, Session.RTH, calendar, days=sessions, now_ns=now_ns)


def known_gaps(rows: Sequence[Coverage], gaps: Iterable[StreamGap]) -> Known:
    """Return the recorded gaps of streams that touch the days of coverages, by symbol and day."""
    every = list(gaps)
    found = {}
    for each in rows:
        if not each.days:
            continue
        days = calendar_of(each.symbol).sessions(each.days[0].date, each.days[-1].date)
        touching = gaps_by_day(each.symbol, days, every)
        if touching:
            found[each.symbol] = touching
    return found
