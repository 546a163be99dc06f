"""Frames into Redis: the streams and channels, and the last quote of every symbol."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from system.algo_trader.pipeline.last_quotes import LastQuotes, LastValues
from system.algo_trader.pipeline.sinks import HotFrame


class Bus(Protocol):
    """Take frames, whatever Redis does: the part of `FrameBus` that is needed."""

    def write(self, frames: list[pa.RecordBatch]) -> int:
        """Take frames; they are in Redis or in a spool when this returns."""


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
        facts = {"source": source, "is_synthetic": "true" if is_synthetic else "false"}
        self._quotes = LastQuotes(quotes, facts)

    def publish(self, frames: list[HotFrame]) -> None:
        """Write frames; the last quotes that they bring follow within a fifth of a second."""
        for kind, bus in self._buses.items():
            mine = [frame.rows for frame in frames if frame.kind == kind]
            if mine:
                bus.write(mine)
        self._quotes.take([frame.rows for frame in frames if frame.kind == "ticks"])

    def close(self, timeout_s: float) -> bool:
        """Write the last quotes; say whether that was done in time."""
        return self._quotes.close(timeout_s)
