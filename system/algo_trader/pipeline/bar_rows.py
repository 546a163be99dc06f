"""Bars built from trades, and bars that a feed streams, as rows of the archive.

Prices of the running day are in today's shares: until the next split they are split-adjusted.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from system.algo_trader.market.bars import BAR_SCHEMA, Bars
from system.algo_trader.market.session_spans import RTH, SessionSpans
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.market.trade_bars import TradeBars


def built_bars(
    bars: TradeBars, timeframe: Timeframe, symbols: pa.Array, source: Source, at_ns: int
) -> Bars:
    """Return bars that were built from trades.

    Args:
        bars: As columns.
        timeframe: Theirs.
        symbols: The shared list of symbols, as strings.
        source: The name to store them under.
        at_ns: When they were given out, nanoseconds UTC.
    """
    return _bars(
        symbols.take(pa.array(bars.symbol)),
        timeframe,
        _sessions(bars.kind == RTH),
        source,
        at_ns,
        start=pa.array(bars.start),
        open=pa.array(bars.open),
        high=pa.array(bars.high),
        low=pa.array(bars.low),
        close=pa.array(bars.close),
        volume=pa.array(bars.volume),
    )


def streamed_bars(batch: pa.RecordBatch, spans: SessionSpans, source: Source, at_ns: int) -> Bars:
    """Return minute bars that a feed streamed; those outside of every session are left out.

    Args:
        batch: Rows of `schwab_frames.CHART_SCHEMA`.
        spans: The hours of trading.
        source: The name to store them under.
        at_ns: When they came, nanoseconds UTC.
    """
    row = spans.row_of(batch.column("start").to_numpy())
    inside = row >= 0
    kept = batch.filter(pa.array(inside))
    return _bars(
        kept.column("symbol"),
        Timeframe.M1,
        _sessions(spans.kind[row[inside]] == RTH),
        source,
        at_ns,
        **{name: kept.column(name) for name in ("start", "open", "high", "low", "close", "volume")},
    )


def _sessions(is_regular: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    words = pa.array([str(Session.EXT), str(Session.RTH)])
    return words.take(pa.array(is_regular.astype(np.int64)))


def _bars(
    symbol: pa.Array,
    timeframe: Timeframe,
    session: pa.Array,
    source: Source,
    at_ns: int,
    **columns: pa.Array,
) -> Bars:
    def all_of(value: object) -> pa.Array:
        return pa.repeat(pa.scalar(value), len(symbol))

    columns |= {
        "symbol": symbol,
        "timeframe": all_of(str(timeframe)),
        "session": session,
        "adjustment": all_of(str(Adjustment.SPLIT)),
        "source": all_of(str(source)),
        "revision": all_of(0),
        "fetched_at": all_of(at_ns),
        "is_synthetic": all_of(source.is_simulated),
    }
    return Bars(
        pa.table([columns[field.name].cast(field.type) for field in BAR_SCHEMA], schema=BAR_SCHEMA)
    )
