"""Live rows as plain values for JSON: instants as RFC 3339, unknown as null."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from system.algo_trader.api.operations.rendering import columns_of

_TICK: Final = (
    *("symbol", "bid", "ask", "bid_size", "ask_size", "last", "last_size", "total"),
    *("is_quote", "is_trade", "sequence"),
)
_BAR: Final = (
    *("symbol", "timeframe", "session", "open", "high", "low", "close", "volume"),
    *("source", "revision", "is_synthetic"),
)


def tick_rows(frame: pa.Table) -> list[dict[str, Any]]:
    """Return rows of the stream `ticks`; `ts_event` is the newer of quote and trade."""
    quote = pc.fill_null(frame.column("ts_quote"), 0).to_numpy()
    trade = pc.fill_null(frame.column("ts_trade"), 0).to_numpy()
    event = np.maximum(quote, trade)
    columns = {
        "ts_event": pa.array(event, pa.timestamp("ns", "UTC"), mask=event == 0),
        "ts_recv": frame.column("ts_recv").cast(pa.timestamp("ns", "UTC")),
        **{name: frame.column(name) for name in _TICK},
    }
    return _rows(pa.table(columns).rename_columns({"total": "volume"}))


def bar_rows(frame: pa.Table) -> list[dict[str, Any]]:
    """Return rows of the stream `bars`."""
    columns = {
        "time": frame.column("start").cast(pa.timestamp("ns", "UTC")),
        **{name: frame.column(name) for name in _BAR},
    }
    rows = _rows(pa.table(columns))
    for row in rows:
        row["series"] = f"{row['symbol']} {row['timeframe']} {row['time']}"
    return rows


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    columns = columns_of(table)
    names = tuple(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
