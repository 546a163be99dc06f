"""Build bars trade by trade, and correct one when a trade comes late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from system.algo_trader.market.session_spans import SessionSpans
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.market.trade_bars import TradeBars
from system.algo_trader.market.trade_columns import TradeColumns

Int64s = npt.NDArray[np.int64]

DEFAULT_DEPTHS: Final[Mapping[Timeframe, int]] = {
    Timeframe.S1: 64,
    Timeframe.M1: 8,
    Timeframe.M5: 4,
    Timeframe.M15: 4,
    Timeframe.H1: 4,
    Timeframe.D1: 2,
}
"""Bars of each timeframe that a late trade can still reach."""

_EMPTY: Final = np.iinfo(np.int64).min


class BarBuilder:
    """Hold the newest bars of many symbols and give out those that are over.

    A bar is given out once the watermark has passed its end. A trade that comes after that makes
    a new revision of its own bar and changes no other. A trade for a bar that is no longer held is
    counted in `beyond`, with the bar named, so that it can be rebuilt from the stored trades.

    Args:
        symbols: How many symbols there are; trades name them by position.
        spans: The hours of trading of all of them.
        depths: The timeframes to build, and how many bars of each are held.

    Attributes:
        outside: Trades outside of every span of trading.
        late: By timeframe, trades that changed a bar which had been given out.
    """

    def __init__(
        self,
        symbols: int,
        spans: SessionSpans,
        depths: Mapping[Timeframe, int] = DEFAULT_DEPTHS,
    ) -> None:
        self.timeframes = tuple(depths)
        self._depth = np.array([depths[each] for each in self.timeframes], dtype=np.int64)
        self._step = np.array([each.duration_ns or 0 for each in self.timeframes], dtype=np.int64)
        sizes = symbols * 2 * self._depth
        self._base = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        slots = int(self._base[-1])
        self._start = np.full(slots, _EMPTY, dtype=np.int64)
        self._end = np.zeros(slots, dtype=np.int64)
        self._prices = np.zeros((slots, 4))
        self._volume = np.zeros(slots, dtype=np.int64)
        self._trades = np.zeros(slots, dtype=np.int64)
        self._edge = np.zeros((slots, 4), dtype=np.int64)
        self._revision = np.full(slots, -1, dtype=np.int64)
        self._dirty = np.zeros(slots, dtype=np.bool_)
        self._late = np.zeros(len(self.timeframes), dtype=np.int64)
        self._forced: list[tuple[int, TradeBars]] = []
        self._symbols = symbols
        self.spans = spans
        self.outside = 0

    @property
    def late(self) -> dict[Timeframe, int]:
        """Return how many trades changed a bar of each timeframe that had been given out."""
        return dict(zip(self.timeframes, self._late.tolist(), strict=True))

    def add(self, trades: TradeColumns) -> list[tuple[Timeframe, int, int]]:
        """Take trades in, in any order.

        Args:
            trades: Their `symbol` lies below the number of symbols.

        Returns:
            The bars that are no longer held and that a trade was too late for: timeframe,
            symbol, and the ts_event of the trade.

        Raises:
            ValueError: If a symbol is out of range.
        """
        if len(trades) and not 0 <= trades.symbol.min() <= trades.symbol.max() < self._symbols:
            raise ValueError(f"a trade's symbol is none of the {self._symbols}")
        from system.algo_trader.market.bar_kernels import add_kernel

        row = self.spans.row_of(trades.ts_event)
        self.outside += int((row < 0).sum())
        beyond = np.zeros((len(trades), len(self.timeframes)), dtype=np.int64)
        done = 0
        while True:
            done = add_kernel(
                done,
                trades.symbol,
                trades.ts_event,
                trades.order,
                trades.price,
                trades.size,
                row,
                self.spans.start,
                self.spans.end,
                self.spans.kind,
                self.spans.day_start,
                self.spans.day_end,
                self._step,
                self._base,
                self._depth,
                self._start,
                self._end,
                self._prices,
                self._volume,
                self._trades,
                self._edge,
                self._revision,
                self._dirty,
                self._late,
                beyond,
            )
            if done == len(trades):
                break
            self._make_room(int(trades.symbol[done]), int(trades.ts_event[done]))
        return [
            (self.timeframes[f], int(trades.symbol[i]), int(trades.ts_event[i]))
            for i, f in np.argwhere(beyond)
        ]

    def closed(self, watermark_ns: int) -> dict[Timeframe, TradeBars]:
        """Give out the bars that are over and were not given out as they are now.

        Args:
            watermark_ns: The instant up to which all trades are believed to have come.
        """
        given: dict[Timeframe, TradeBars] = {}
        ready = self._dirty & (self._end <= watermark_ns)
        forced, self._forced = self._forced, []
        for f, timeframe in enumerate(self.timeframes):
            slots = np.flatnonzero(ready[self._base[f] : self._base[f + 1]]) + self._base[f]
            parts = [bars for number, bars in forced if number == f]
            if len(slots):
                parts.append(self._give(f, slots))
            if parts:
                given[timeframe] = _joined(parts)
        return given

    def waiting(self) -> int:
        """Return how many bars have not been given out yet."""
        return int(self._dirty.sum())

    def _make_room(self, symbol: int, ts_event: int) -> None:
        """Give out the bars of a symbol that were over well before a trade."""
        for f in range(len(self.timeframes)):
            first = int(self._base[f] + symbol * 2 * self._depth[f])
            ring = np.arange(first, first + int(2 * self._depth[f]))
            slots = ring[self._dirty[ring] & (self._end[ring] <= ts_event)]
            if len(slots):
                self._forced.append((f, self._give(f, slots)))

    def _give(self, f: int, slots: Int64s) -> TradeBars:
        self._dirty[slots] = False
        self._revision[slots] += 1
        place = (slots - self._base[f]) // self._depth[f]
        order = np.lexsort((place % 2, self._start[slots], place // 2))
        slots, place = slots[order], place[order]
        opened, high, low, close = self._prices[slots].T
        return TradeBars(
            symbol=place // 2,
            kind=place % 2,
            start=self._start[slots],
            end=self._end[slots],
            open=opened.copy(),
            high=high.copy(),
            low=low.copy(),
            close=close.copy(),
            volume=self._volume[slots],
            trades=self._trades[slots],
            revision=self._revision[slots],
        )


def _joined(parts: list[TradeBars]) -> TradeBars:
    if len(parts) == 1:
        return parts[0]
    names = TradeBars.__dataclass_fields__
    return TradeBars(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )
