"""Frames into Redis: the streams and channels, and the last quote of every symbol."""

from __future__ import annotations

from typing import Any, Final, Protocol

import pyarrow as pa

from system.algo_trader.pipeline.sinks import HotFrame
from system.algo_trader.storage.hot_keys import QUOTE

QUOTE_FIELDS: Final = (
    *("bid", "bid_size", "ask", "ask_size", "last", "last_size", "total"),
    *("ts_quote", "ts_trade", "ts_recv", "sequence"),
)
"""What a hash `quote:{symbol}` holds beside `source` and `is_synthetic`; unknown is absent."""


class Bus(Protocol):
    """Take frames, whatever Redis does: the part of `FrameBus` that is needed."""

    def write(self, frames: list[pa.RecordBatch]) -> int:
        """Take frames; they are in Redis or in a spool when this returns."""


class LastValues(Protocol):
    """Merge last values: the part of `HotHashes` that is needed."""

    def update(self, name: str, fields: dict[str, Any]) -> None:
        """Merge fields into a hash; None removes one."""

    def flush(self) -> bool:
        """Send what changed."""


class RedisSink:
    """Publish frames in their order, one entry a frame.

    Args:
        ticks: The way into the stream `ticks`.
        books: The way into the stream `books`.
        quotes: The last quotes.
        source: The name of the records, part of every hash.
        is_synthetic: Whether they were made up.
    """

    def __init__(
        self, ticks: Bus, books: Bus, quotes: LastValues, *, source: str, is_synthetic: bool
    ) -> None:
        self._buses = {"ticks": ticks, "books": books}
        self._quotes = quotes
        self._facts = {"source": source, "is_synthetic": "true" if is_synthetic else "false"}

    def publish(self, frames: list[HotFrame]) -> None:
        """Write frames, then the last quotes that they bring."""
        for kind, bus in self._buses.items():
            mine = [frame.rows for frame in frames if frame.kind == kind]
            if mine:
                bus.write(mine)
        # Of the rows that came together, the last one of a symbol is what is known of it now.
        newest: dict[str, tuple[pa.RecordBatch, int]] = {}
        for frame in frames:
            if frame.kind == "ticks":
                for row, symbol in enumerate(frame.rows.column("symbol").to_pylist()):
                    newest[symbol] = (frame.rows, row)
        for symbol, (rows, row) in newest.items():
            values = {name: rows.column(name)[row].as_py() for name in QUOTE_FIELDS}
            self._quotes.update(QUOTE.of(symbol=symbol), {**values, **self._facts})
        if newest:
            self._quotes.flush()
