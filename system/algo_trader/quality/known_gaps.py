"""Which recorded gaps of streams touch which trading days of a symbol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from infrastructure.clock import rfc3339
from infrastructure.exchange.session import Session as Day
from system.algo_trader.market.stream_gap import StreamGap


def gaps_by_day(
    symbol: str, days: Sequence[Day], gaps: Iterable[StreamGap]
) -> dict[date, list[StreamGap]]:
    """Return the gaps that touch each day, days without one left out.

    Args:
        symbol: A gap that names others only is not of it; one that names nobody is of everybody.
        days: The sessions.
        gaps: What is recorded.
    """
    found: dict[date, list[StreamGap]] = {}
    mine = [gap for gap in gaps if not gap.symbols or symbol in gap.symbols]
    for day in days:
        spans = day.all or ((day.open_ns, day.close_ns),)
        first, last = spans[0][0], spans[-1][1]
        touching = [gap for gap in mine if gap.start_ns < last and gap.end_ns > first]
        if touching:
            found[day.date] = touching
    return found


def words_of(gap: StreamGap) -> str:
    """Return a gap in one line: what, why, when, and what became of it."""
    span = f"{rfc3339(gap.start_ns)} to {rfc3339(gap.end_ns)}"
    return f"{gap.service} {gap.reason}, {span}, {gap.state}"
