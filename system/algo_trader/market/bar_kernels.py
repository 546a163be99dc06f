"""The compiled loop of the bar builder. Import this module late: it brings the compiler with it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from system.algo_trader.market.session_spans import RTH

_RTH: Final = RTH
_EMPTY: Final = np.iinfo(np.int64).min


@kernel
def add_kernel(
    first: int,
    symbol: npt.NDArray[np.int64],
    ts_event: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    size: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    span_start: npt.NDArray[np.int64],
    span_end: npt.NDArray[np.int64],
    span_kind: npt.NDArray[np.int64],
    day_start: npt.NDArray[np.int64],
    day_end: npt.NDArray[np.int64],
    step: npt.NDArray[np.int64],
    base: npt.NDArray[np.int64],
    depth: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    prices: npt.NDArray[np.float64],
    volume: npt.NDArray[np.int64],
    trades: npt.NDArray[np.int64],
    edge: npt.NDArray[np.int64],
    revision: npt.NDArray[np.int64],
    dirty: npt.NDArray[np.bool_],
    late: npt.NDArray[np.int64],
    beyond: npt.NDArray[np.int64],
) -> int:
    """Add trades to the slots of their bars; `trade_bars.bars_of` says the same in NumPy.

    A slot holds one bar; the slots of one symbol, kind and timeframe are a ring of `depth`. Stops
    before a trade that would take the slot of a bar that was not given out yet.

    Args:
        first: The trade to begin with.
        symbol: Of the trades, (n,), as are `ts_event`, `order`, `price` and `size`.
        row: The span of each trade, -1 outside of all, (n,).
        span_start: (m,), as are `span_end`, `span_kind`, `day_start` and `day_end`.
        step: Nanoseconds of each timeframe, 0 for a day, (f,).
        base: The first slot of each timeframe, (f,).
        depth: The bars of each ring, (f,).
        start: Of each slot's bar, the smallest integer where the slot is empty, (k,).
        end: (k,), as are `volume`, `trades`, `revision` and `dirty`.
        prices: Open, high, low, close, (k, 4).
        edge: Of first and last trade: ts_event, order, ts_event, order, (k, 4).
        late: Counted up by trades that changed a bar which had been given out, (f,).
        beyond: Written: 1 where a trade was too late for a ring, (n, f).

    Returns:
        The number of the trade before which it stopped, n when all are in.
    """
    for i in range(first, symbol.size):
        at = row[i]
        if at < 0:
            continue
        kind = span_kind[at]
        for check in range(2):
            for f in range(step.size):
                if step[f] == 0:
                    if kind != _RTH:
                        continue
                    begin = day_start[at]
                    number = begin // 86_400_000_000_000
                else:
                    begin = span_start[at] + (ts_event[i] - span_start[at]) // step[f] * step[f]
                    number = begin // step[f]
                slot = base[f] + (symbol[i] * 2 + kind) * depth[f] + number % depth[f]
                if check == 0:
                    if start[slot] != _EMPTY and start[slot] < begin and dirty[slot]:
                        return i
                    continue
                if start[slot] > begin:
                    beyond[i, f] = 1
                    continue
                if start[slot] < begin:
                    start[slot] = begin
                    end[slot] = day_end[at]
                    if step[f] != 0:
                        end[slot] = min(begin + step[f], span_end[at])
                    prices[slot, :] = price[i]
                    volume[slot] = size[i]
                    trades[slot] = 1
                    edge[slot, 0] = ts_event[i]
                    edge[slot, 1] = order[i]
                    edge[slot, 2] = ts_event[i]
                    edge[slot, 3] = order[i]
                    revision[slot] = -1
                    dirty[slot] = True
                    continue
                prices[slot, 1] = max(prices[slot, 1], price[i])
                prices[slot, 2] = min(prices[slot, 2], price[i])
                volume[slot] += size[i]
                trades[slot] += 1
                if ts_event[i] < edge[slot, 0] or (
                    ts_event[i] == edge[slot, 0] and order[i] < edge[slot, 1]
                ):
                    prices[slot, 0] = price[i]
                    edge[slot, 0] = ts_event[i]
                    edge[slot, 1] = order[i]
                if ts_event[i] > edge[slot, 2] or (
                    ts_event[i] == edge[slot, 2] and order[i] >= edge[slot, 3]
                ):
                    prices[slot, 3] = price[i]
                    edge[slot, 2] = ts_event[i]
                    edge[slot, 3] = order[i]
                if not dirty[slot]:
                    dirty[slot] = True
                    late[f] += 1
    return symbol.size
