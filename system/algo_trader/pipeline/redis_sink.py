"""Frames into Redis: the streams and the channels."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

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
    """

    def __init__(self, ticks: Bus, books: Bus) -> None:
        self._buses = {"ticks": ticks, "books": books}

    def publish(self, frames: list[HotFrame]) -> None:
        """Write frames."""
        for kind, bus in self._buses.items():
            mine = [frame.rows for frame in frames if frame.kind == kind]
            if mine:
                bus.write(mine)
