"""Larger bars out of smaller ones, stamped as Schwab does."""

from __future__ import annotations

from infrastructure.exchange.timeframes import schwab_bar_starts
from infrastructure.exchange.zones import local_dates
from infrastructure.simulators.schwab.bars import Bars, merged, no_bars
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.synthesis import NS_PER_MINUTE


def merged_by_calendar(bars: Bars, timeframe: str) -> Bars:
    """Merge daily bars into weeks (from Monday) or months, stamped as Schwab does. [O][?]

    Args:
        bars: Daily bars.
        timeframe: "1w" or "1mo".
    """
    if len(bars) == 0:
        return no_bars()
    return merged(bars, schwab_bar_starts(local_dates(bars.start_ns, NEW_YORK), timeframe))


def merged_by_clock(bars: Bars, minutes: int) -> Bars:
    """Merge one-minute bars into bars of 5, 10, 15 or 30 minutes of the hour."""
    step = minutes * NS_PER_MINUTE
    return merged(bars, bars.start_ns - bars.start_ns % step)
