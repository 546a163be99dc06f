"""Ticks as rows of the archive's trades and quotes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.storage.records import QUOTE_SCHEMA, TRADE_SCHEMA


def trade_rows(ticks: Ticks, symbols: pa.Array, source: Source) -> pa.Table:
    """Return the rows that show a trade, as rows of `records.TRADE_SCHEMA`.

    The size is what the running total grew by since the row before: the sum of sizes is what was
    traded, while single trades between two updates are not seen (`schwab-live` says so).

    Args:
        ticks: In their order.
        symbols: The shared list of symbols, as strings.
        source: The name to store them under.
    """
    shown = ticks.take(ticks.is_trade)
    return _table(
        shown,
        TRADE_SCHEMA,
        source,
        symbol=symbols.take(pa.array(shown.symbol)),
        ts_event=pa.array(np.where(shown.ts_trade == NO_TIME, shown.ts_recv, shown.ts_trade)),
        price=pa.array(shown.last, from_pandas=True),
        size=pa.array(shown.volume),
        aggressor=pa.nulls(len(shown), pa.string()),
    )


def quote_rows(ticks: Ticks, symbols: pa.Array, source: Source) -> pa.Table:
    """Return the rows that changed bid or offer, as rows of `records.QUOTE_SCHEMA`; see above."""
    shown = ticks.take(ticks.is_quote)
    return _table(
        shown,
        QUOTE_SCHEMA,
        source,
        symbol=symbols.take(pa.array(shown.symbol)),
        ts_event=pa.array(np.where(shown.ts_quote == NO_TIME, shown.ts_recv, shown.ts_quote)),
        bid_price=pa.array(shown.bid, from_pandas=True),
        bid_size=_count(shown.bid_size),
        ask_price=pa.array(shown.ask, from_pandas=True),
        ask_size=_count(shown.ask_size),
    )


def _count(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Array:
    return pa.array(values, mask=values == NO_TIME)


def _table(shown: Ticks, schema: pa.Schema, source: Source, **columns: pa.Array) -> pa.Table:
    count = len(shown)
    columns |= {
        "source": pa.repeat(pa.scalar(str(source)), count),
        "sequence": pa.array(shown.order),
        "ts_recv": pa.array(shown.ts_recv),
        "is_synthetic": pa.repeat(pa.scalar(source.is_simulated), count),
    }
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema)
