"""Bars of all symbols of a run, each built by the hours of its own exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from system.algo_trader.feeds.live import Instrument
from system.algo_trader.market.bar_builder import BarBuilder
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.session_spans import SessionSpans
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.market.trade_columns import TradeColumns
from system.algo_trader.pipeline.bar_rows import built_bars


class BarDesk:
    """Send trades to the builder of their calendar, and collect what is over.

    Args:
        instruments: Trades name them by position.
        hours: The hours of each calendar that occurs.
        source: The name to store bars under.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        hours: Mapping[str, SessionSpans],
        source: Source,
    ) -> None:
        self._source = source
        self._desk = np.empty(len(instruments), dtype=np.int64)
        self._place = np.empty(len(instruments), dtype=np.int64)
        self._builders: list[BarBuilder] = []
        self._names: list[pa.Array] = []
        for number, name in enumerate(sorted({each.calendar for each in instruments})):
            mine = [i for i, each in enumerate(instruments) if each.calendar == name]
            self._desk[mine] = number
            self._place[mine] = np.arange(len(mine))
            self._builders.append(BarBuilder(len(mine), hours[name]))
            self._names.append(pa.array([instruments[i].symbol for i in mine], pa.string()))

    @property
    def late(self) -> int:
        """Return how many trades changed a minute bar which had been given out."""
        return sum(builder.late[Timeframe.M1] for builder in self._builders)

    @property
    def outside(self) -> int:
        """Return how many trades lay outside of every session."""
        return sum(builder.outside for builder in self._builders)

    def add(self, trades: TradeColumns) -> int:
        """Take trades in; return for how many bars one was too late."""
        if not len(trades):
            return 0
        beyond = 0
        desk = self._desk[trades.symbol]
        for number, builder in enumerate(self._builders):
            mine = trades.take(desk == number)
            local = TradeColumns(
                self._place[mine.symbol], mine.ts_event, mine.order, mine.price, mine.size
            )
            beyond += len(builder.add(local))
        return beyond

    def closed(self, watermark_ns: int, now_ns: int) -> Bars:
        """Return the bars that are over and were not given out as they are now."""
        parts = [
            built_bars(bars, timeframe, names, self._source, now_ns)
            for builder, names in zip(self._builders, self._names, strict=True)
            for timeframe, bars in builder.closed(watermark_ns).items()
        ]
        return Bars.concat(parts)
