"""Find the bars that should exist and do not."""

from __future__ import annotations

from typing import Final

import numpy as np

from system.algo_trader.market.bars import Int64s
from system.algo_trader.market.gap import Gap
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.closing import BarCalendar, kind_of

NO_GAPS: Final[tuple[Gap, ...]] = ()


def find_gaps(
    starts: Int64s, timeframe: Timeframe, session: Session, calendar: BarCalendar
) -> tuple[Gap, ...]:
    """Return the runs of bars that are missing between the first and the last one.

    Nothing is said about the time before the first bar (the symbol may not have been listed) and
    after the last (the source may be late). Thinly traded symbols have minutes without a trade:
    those are missing too, and stay so.

    Args:
        starts: Starts of the bars that exist, int64 nanoseconds UTC, in any order.
        timeframe: Their timeframe.
        session: The hours that they count.
        calendar: The exchange's calendar.
    """
    if not len(starts):
        return NO_GAPS
    expected = calendar.expected_bar_starts(
        timeframe, int(starts.min()), int(starts.max()) + 1, kind_of(session)
    )
    missing = np.flatnonzero(~np.isin(expected, starts))
    if not len(missing):
        return NO_GAPS
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    return tuple(Gap(int(expected[run[0]]), int(expected[run[-1]]), len(run)) for run in runs)
