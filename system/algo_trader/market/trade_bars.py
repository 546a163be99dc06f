"""Bars out of all trades at once: the plain statement of what a bar is.

The incremental builder (`bar_builder`) gives the same bars trade by trade; after a crash, bars
are rebuilt with this function from stored trades.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from system.algo_trader.market.session_spans import RTH, SessionSpans
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.market.trade_columns import TradeColumns

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TradeBars:
    """Hold bars of one timeframe as columns of shape (n,), by symbol, then start, then kind.

    Attributes:
        symbol: Position of the symbol in the list that the trades were given with.
        kind: `session_spans.RTH` or `EXT`.
        start: int64 nanoseconds UTC.
        end: When the bar is over.
        open: The first price by (ts_event, order).
        high: The highest price.
        low: The lowest price.
        close: The last price by (ts_event, order).
        volume: Sum of the sizes.
        trades: How many trades.
        revision: How often a late trade has changed the bar since it was first given out.
    """

    symbol: Int64s
    kind: Int64s
    start: Int64s
    end: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Int64s
    trades: Int64s
    revision: Int64s

    def __len__(self) -> int:
        return len(self.start)


def bars_of(trades: TradeColumns, timeframe: Timeframe, spans: SessionSpans) -> TradeBars:
    """Return the bars of one timeframe that hold at least one trade.

    Intraday bars are counted from the start of their span of trading and end with it; a daily bar
    holds the trades of regular hours. Trades outside of every span belong to no bar.

    Args:
        trades: In any order.
        timeframe: 1s to 1h, or 1d.
        spans: The hours of trading.

    Raises:
        ValueError: If the timeframe is longer than a day.
    """
    row = spans.row_of(trades.ts_event)
    step = timeframe.duration_ns
    inside = row >= 0
    if step is None:
        if timeframe is not Timeframe.D1:
            raise ValueError(f"bars of {timeframe} are not built from trades")
        inside &= spans.kind[row] == RTH
    rows, kept = row[inside], trades.take(inside)
    if step is None:
        start, end = spans.day_start[rows], spans.day_end[rows]
    else:
        origin = spans.start[rows]
        start = origin + (kept.ts_event - origin) // step * step
        end = np.minimum(start + step, spans.end[rows])
    kind = spans.kind[rows]
    by_time = np.lexsort((kept.order, kept.ts_event, start, kind, kept.symbol))
    kept, start, end, kind = kept.take(by_time), start[by_time], end[by_time], kind[by_time]
    fresh = np.ones(len(kept), dtype=np.bool_)
    fresh[1:] = (np.diff(kept.symbol) != 0) | (np.diff(start) != 0) | (np.diff(kind) != 0)
    first = np.flatnonzero(fresh)
    if not len(first):
        none, empty = np.empty(0, np.int64), np.empty(0, np.float64)
        return TradeBars(*(none,) * 4, *(empty,) * 4, *(none,) * 3)
    last = np.append(first[1:], len(kept)) - 1
    return TradeBars(
        symbol=kept.symbol[first],
        kind=kind[first],
        start=start[first],
        end=end[first],
        open=kept.price[first],
        high=np.maximum.reduceat(kept.price, first),
        low=np.minimum.reduceat(kept.price, first),
        close=kept.price[last],
        volume=np.add.reduceat(kept.size, first),
        trades=last - first + 1,
        revision=np.zeros(len(first), dtype=np.int64),
    )
