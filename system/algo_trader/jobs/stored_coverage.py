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
    bars = archive.winners(symbol, timeframe)
    last = date_of(int(bars.start.max())) if len(bars) else date_of(now_ns)
    sessions = calendar.sessions(last - timedelta(days=2 * days + 10), last)[-days:]
    return coverage(
        symbol, bars.start, timeframe, Session.RTH, calendar, days=sessions, now_ns=now_ns
    )


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
