"""Candles and metrics in memory, for tests without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from infrastructure.errors import BugError, ServiceUnavailable
from infrastructure.influxdb.spool import Waiting
from system.algo_trader.market.bars import Bars

_KEYS: Final = pa.schema(
    [
        ("time", pa.int64()),
        ("session", pa.string()),
        ("source", pa.string()),
        ("revision", pa.int64()),
    ]
)


class MemoryCandleStore:
    """Hold what is projected, stricter than InfluxDB: no row may be written twice.

    InfluxDB 3 does not promise which of two writes of a row remains, so a projection that writes
    one twice is wrong.

    Attributes:
        rows: Candles by symbol, timeframe, session, source and start.
        metrics: Rows of `pipeline_metrics`.
        resets: How often all candles were removed.
        writes_left: How many more rows can be written before the store fails; None for ever.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str, str, int], dict[str, Any]] = {}
        self.metrics: list[Mapping[str, Any]] = []
        self.resets = 0
        self.writes_left: int | None = None

    def ensure_tables(self) -> None:
        """Do nothing: the tables are there."""

    def deliver_waiting(self) -> Waiting:
        """Return that nothing waits: rows are held at once or not at all."""
        return Waiting(0, 0, 0)

    def candle_keys(self, symbol: str, timeframe: str) -> pa.Table:
        """Return time (int64 ns), session, source and revision of the stored candles."""
        found = [
            row | {"time": row["start"]}
            for row in self.rows.values()
            if (row["symbol"], row["timeframe"]) == (symbol, timeframe)
        ]
        return pa.Table.from_pylist(found, schema=_KEYS)

    def write_candles(self, bars: Bars) -> int:
        """Hold bars; return how many.

        Raises:
            ServiceUnavailable: Once `writes_left` rows have been written; those before are held.
            BugError: If a row is held already.
        """
        for row in bars.table.to_pylist():
            if self.writes_left is not None:
                if self.writes_left <= 0:
                    raise ServiceUnavailable("no answer from the store in memory")
                self.writes_left -= 1
            key = (row["symbol"], row["timeframe"], row["session"], row["source"], row["start"])
            if key in self.rows:
                raise BugError(f"the candle {key} was written twice")
            self.rows[key] = row
        return len(bars)

    def waiting(self) -> Waiting:
        """Return that nothing waits."""
        return Waiting(0, 0, 0)

    def write_pipeline_metrics(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Hold rows of metrics; return how many."""
        self.metrics.extend(rows)
        return len(rows)

    def reset_candles(self) -> None:
        """Remove all candles."""
        self.rows.clear()
        self.resets += 1

    def closes(self, symbol: str, timeframe: str = "1d") -> list[float]:
        """Return the closing prices of a symbol by rising start."""
        rows = [
            row
            for row in self.rows.values()
            if (row["symbol"], row["timeframe"]) == (symbol, timeframe)
        ]
        return [row["close"] for row in sorted(rows, key=lambda row: int(row["start"]))]
