"""Read Schwab's chart bars and books as Arrow batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from infrastructure.schwab.streamer.services import ServiceSpec
from infrastructure.schwab.streamer.state import Update

_NS_PER_MS: Final = 1_000_000
CHART_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        *(pa.field(name, pa.float64()) for name in ("open", "high", "low", "close")),
        pa.field("volume", pa.int64()),
        pa.field("sequence", pa.int64()),
    ]
)
"""Minute bars as Schwab streams them; `start` in int64 nanoseconds UTC."""
BOOK_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("ts_event", pa.int64(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("level", pa.int64(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("size", pa.int64()),
        pa.field("orders", pa.int64()),
        pa.field("ts_recv", pa.int64(), nullable=False),
        pa.field("service", pa.string(), nullable=False),
    ]
)
"""Levels of order books: rank 0 is the best; `orders` counts the market makers at the price."""


def chart_bars(
    spec: ServiceSpec, updates: Iterable[Update], symbols: Mapping[str, str]
) -> pa.RecordBatch:
    """Return the bars of a frame of CHART_EQUITY or CHART_FUTURES.

    Args:
        spec: The service.
        updates: As the wire has them.
        symbols: The stored name of each key; bars of other keys are left out.
    """
    number = {name: str(field.number) for name, field in spec.by_name.items()}
    sequence = number.get("sequence", "seq")
    rows = []
    for update in updates:
        start = update.get(number["chart_time"])
        if update["key"] not in symbols or not isinstance(start, int):
            continue
        prices = [_price(update.get(number[f"{name}_price"])) for name in _PRICES]
        volume = update.get(number["volume"])
        rows.append(
            (
                *(symbols[update["key"]], start * _NS_PER_MS, *prices),
                int(volume) if isinstance(volume, int | float) and volume >= 0 else None,
                update.get(sequence),
            )
        )
    return _batch(rows, CHART_SCHEMA)


def book_levels(
    spec: ServiceSpec, updates: Iterable[Update], symbols: Mapping[str, str], received_ns: int
) -> pa.RecordBatch:
    """Return the levels of a frame of a book service, one row a side and level.

    Args:
        spec: The service.
        updates: As the wire has them; each is the whole book.
        symbols: The stored name of each key; books of other keys are left out.
        received_ns: When the frame came, nanoseconds UTC.
    """
    rows = []
    for update in updates:
        at = update.get("1")
        if update["key"] not in symbols or not isinstance(at, int):
            continue
        for side, word in (("bid", "2"), ("ask", "3")):
            for rank, level in enumerate(update.get(word) or ()):
                rows.append(
                    (
                        *(symbols[update["key"]], at * _NS_PER_MS, side, rank),
                        *(_price(level.get("0")), level.get("1"), level.get("2")),
                        *(received_ns, spec.service.value),
                    )
                )
    return _batch(rows, BOOK_SCHEMA)


_PRICES: Final = ("open", "high", "low", "close")


def _price(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
