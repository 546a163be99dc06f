"""Where a live run puts what it has: the few verbs that it needs of Redis, archive and InfluxDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from system.algo_trader.market.bars import Bars
from system.algo_trader.storage.records import STREAM_GAP_SCHEMA


@dataclass(frozen=True, slots=True)
class HotFrame:
    """Carry one frame to those who watch live.

    Attributes:
        kind: "ticks" or "books".
        rows: Its rows, for others to read.
        received_ns: When it reached us, nanoseconds UTC.
    """

    kind: str
    rows: pa.RecordBatch
    received_ns: int


class HotSink(Protocol):
    """Publish frames as they come."""

    def publish(self, frames: list[HotFrame]) -> None:
        """Write frames in their order; an outage is bridged by the sink itself."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Carry what is committed to the archive at once.

    Attributes:
        mark: Names the last update that is in it; it is committed with the rows.
        trades: Rows of `records.TRADE_SCHEMA`.
        quotes: Rows of `records.QUOTE_SCHEMA`.
        rejects: Refused updates, rows of `records.REJECT_SCHEMA`.
        bars: Closed bars.
        gaps: What the stream missed, rows of `records.STREAM_GAP_SCHEMA`.
        closed_ns: Every bar that was over by then is in this portion or in one before it,
            nanoseconds UTC; None where nobody said.
    """

    mark: str
    trades: pa.Table
    quotes: pa.Table
    rejects: pa.Table
    bars: Bars
    gaps: pa.Table = field(default_factory=STREAM_GAP_SCHEMA.empty_table)
    closed_ns: int | None = None

    def __len__(self) -> int:
        tables = (self.trades, self.quotes, self.rejects, self.gaps)
        return sum(int(table.num_rows) for table in tables) + len(self.bars)


class ColdSink(Protocol):
    """Keep what is final."""

    @property
    def write_errors(self) -> int:
        """Return how many writes InfluxDB has refused or missed so far."""

    def commit(self, portions: list[Portion]) -> None:
        """Store portions in their order, each wholly or not at all."""

    def project(self, bars: Bars, metrics: Sequence[dict[str, object]]) -> None:
        """Hand closed bars and figures of the run to InfluxDB's spool."""
