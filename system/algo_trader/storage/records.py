"""The datasets of the archive and the columns of those that are no bars."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from system.algo_trader.market.bars import BAR_SCHEMA
from system.algo_trader.market.quarantine import QUARANTINE_SCHEMA
from system.algo_trader.market.timeframe import Timeframe

QUARANTINE: Final = "quarantine"
SPLITS: Final = "splits"
GAPS: Final = "gaps"
_BARS: Final = "bars_"

SPLIT_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("timeframe", pa.string(), nullable=False),
        pa.field("session", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("numerator", pa.int64(), nullable=False),
        pa.field("denominator", pa.int64(), nullable=False),
        pa.field("before", pa.int64(), nullable=False),
        pa.field("detected_at", pa.int64(), nullable=False),
    ]
)
"""A split found in one series: bars that start before `before` (ns UTC) were restated by
numerator/denominator new shares for one old share."""

GAP_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("timeframe", pa.string(), nullable=False),
        pa.field("session", pa.string(), nullable=False),
        pa.field("first", pa.int64(), nullable=False),
        pa.field("last", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("detected_at", pa.int64(), nullable=False),
    ]
)
"""A run of missing bars: starts of the first and the last one, ns UTC, and how many."""

SCHEMAS: Final[dict[str, pa.Schema]] = {
    QUARANTINE: QUARANTINE_SCHEMA,
    SPLITS: SPLIT_SCHEMA,
    GAPS: GAP_SCHEMA,
}

TIME_COLUMNS: Final[dict[str, str]] = {
    QUARANTINE: "start",
    SPLITS: "detected_at",
    GAPS: "detected_at",
}


def bars_dataset(timeframe: Timeframe) -> str:
    """Return the name of the dataset of one timeframe's bars, such as `bars_1d`."""
    return f"{_BARS}{timeframe}"


def timeframe_of(dataset: str) -> Timeframe | None:
    """Return the timeframe of a dataset of bars, None for any other dataset."""
    return Timeframe(dataset[len(_BARS) :]) if dataset.startswith(_BARS) else None


def schema_of(dataset: str) -> pa.Schema:
    """Return the columns of a dataset."""
    return BAR_SCHEMA if timeframe_of(dataset) is not None else SCHEMAS[dataset]


def time_column(dataset: str) -> str:
    """Return the column by which a dataset's parts are sorted and their spans are told."""
    return TIME_COLUMNS.get(dataset, "start")
