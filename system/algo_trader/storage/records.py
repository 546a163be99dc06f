"""The datasets of the archive and the columns of those that are no bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from infrastructure.influxdb.schema import TableSchema
from system.algo_trader.market.bars import BAR_SCHEMA
from system.algo_trader.market.quarantine import QUARANTINE_SCHEMA
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.tables import OPTION_QUOTES as OPTION_TABLE
from system.algo_trader.storage.tables import QUOTES as QUOTE_TABLE
from system.algo_trader.storage.tables import TRADES as TRADE_TABLE

QUARANTINE: Final = "quarantine"
SPLITS: Final = "splits"
GAPS: Final = "gaps"
TRADES: Final = TRADE_TABLE.name
QUOTES: Final = QUOTE_TABLE.name
OPTION_QUOTES: Final = OPTION_TABLE.name
REJECTS: Final = "rejects"
STREAM_GAPS: Final = "stream_gaps"
ROLLS: Final = "rolls"
EVENT_TIME: Final = "ts_event"
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


def _tape_schema(table: TableSchema) -> pa.Schema:
    required = {"is_synthetic"}
    return pa.schema(
        [
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field(EVENT_TIME, pa.int64(), nullable=False),
            *(
                pa.field(each.name, each.arrow_type, nullable=each.name not in required)
                for each in table.fields
            ),
        ]
    )


TRADE_SCHEMA: Final = _tape_schema(TRADE_TABLE)
"""A trade: `ts_event` is the exchange's time, ns UTC; the other columns are those of the table."""

QUOTE_SCHEMA: Final = _tape_schema(QUOTE_TABLE)
"""A best bid and offer, in the same way."""

OPTION_QUOTE_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field(EVENT_TIME, pa.int64(), nullable=False),
        pa.field("settles", pa.int64(), nullable=False),
        pa.field("strike", pa.float64(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        pa.field("multiplier", pa.float64(), nullable=False),
        pa.field("spot", pa.float64(), nullable=False),
        *(
            pa.field(name, pa.float64())
            for name in ("bid", "ask", "last", "volume", "open_interest")
        ),
        *(
            pa.field(name, pa.float64())
            for name in ("vendor_volatility", "vendor_delta", "vendor_gamma")
        ),
        pa.field("is_synthetic", pa.bool_(), nullable=False),
    ]
)
"""A contract of a chain as it was quoted: `symbol` is the underlying, `ts_event` the moment for
which the whole chain holds, `settles` when the contract's value is fixed (both ns UTC). What the
source did not say is null; volatilities and Greeks of our own are computed anew from these."""

REJECT_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("content", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detected_at", pa.int64(), nullable=False),
    ]
)
"""A refused record that is no bar, as JSON, with the rule that it broke and a sentence."""

STREAM_GAP_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("missing", pa.int64()),
        pa.field("instruments", pa.int64(), nullable=False),
        pa.field("symbols", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("filled", pa.int64()),
        pa.field("absent", pa.int64()),
        pa.field("recorded_at", pa.int64(), nullable=False),
    ]
)
"""What a stream missed: `symbol` is the service, `symbols` a JSON list of the instruments whose
bars can be fetched afterwards. Each state of a gap is a row of its own; the last one counts."""

ROLL_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("contract", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("close", pa.float64()),
        pa.field("close_before", pa.float64()),
        pa.field("recorded_at", pa.int64(), nullable=False),
    ]
)
"""A roll of a continuous future: `contract` counts from `start` (ns UTC) on; the closes are the
last ones that both contracts have before it. Each state of a roll is a row of its own; the last
one counts."""

SCHEMAS: Final[dict[str, pa.Schema]] = {
    QUARANTINE: QUARANTINE_SCHEMA,
    SPLITS: SPLIT_SCHEMA,
    GAPS: GAP_SCHEMA,
    TRADES: TRADE_SCHEMA,
    QUOTES: QUOTE_SCHEMA,
    OPTION_QUOTES: OPTION_QUOTE_SCHEMA,
    REJECTS: REJECT_SCHEMA,
    STREAM_GAPS: STREAM_GAP_SCHEMA,
    ROLLS: ROLL_SCHEMA,
}

TIME_COLUMNS: Final[dict[str, str]] = {
    QUARANTINE: "start",
    SPLITS: "detected_at",
    GAPS: "detected_at",
    TRADES: EVENT_TIME,
    QUOTES: EVENT_TIME,
    OPTION_QUOTES: EVENT_TIME,
    REJECTS: "detected_at",
    STREAM_GAPS: "start",
    ROLLS: "start",
}

TAPE: Final = (TRADES, QUOTES)
"""Datasets of single records: each is stored as often as it happened, equal ones included."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Describe a dataset of the archive.

    Attributes:
        name: As in its folder; `bars_{timeframe}` stands for one of each timeframe.
        schema: Its columns.
        key: The columns by which a record is known again.
        time: The column by which parts are sorted and pruned.
        description: One sentence.
        retention: How long rows are kept, as "90d"; None for ever.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    time: str
    description: str
    retention: str | None = None


_TAPE_KEY: Final = ("every column", "number among equal rows")

ARCHIVED: Final = (
    Dataset(
        "bars_{timeframe}",
        BAR_SCHEMA,
        ("symbol", "timeframe", "start", "session", "adjustment", "source", "revision"),
        "start",
        "Closed bars with every revision; the newest of the best source wins.",
    ),
    Dataset(
        TRADES, TRADE_SCHEMA, _TAPE_KEY, EVENT_TIME, TRADE_TABLE.description, TRADE_TABLE.retention
    ),
    Dataset(
        QUOTES, QUOTE_SCHEMA, _TAPE_KEY, EVENT_TIME, QUOTE_TABLE.description, QUOTE_TABLE.retention
    ),
    Dataset(
        OPTION_QUOTES,
        OPTION_QUOTE_SCHEMA,
        _TAPE_KEY,
        EVENT_TIME,
        OPTION_TABLE.description,
        OPTION_TABLE.retention,
    ),
    Dataset(
        QUARANTINE,
        QUARANTINE_SCHEMA,
        ("timeframe", "session", "source", "start", "rule", "prices and volume"),
        "start",
        "Refused bars, each with the rule that it broke and a sentence about it.",
    ),
    Dataset(
        REJECTS,
        REJECT_SCHEMA,
        ("symbol", "dataset", "content", "rule"),
        "detected_at",
        "Refused trades and quotes, each with the rule that it broke.",
    ),
    Dataset(
        SPLITS,
        SPLIT_SCHEMA,
        ("symbol", "timeframe", "session", "source", "before"),
        "detected_at",
        "Splits found by comparing with stored bars.",
    ),
    Dataset(
        GAPS,
        GAP_SCHEMA,
        ("symbol", "timeframe", "session", "first", "last"),
        "detected_at",
        "Runs of missing bars as they were found.",
    ),
    Dataset(
        STREAM_GAPS,
        STREAM_GAP_SCHEMA,
        ("symbol", "run_id", "reason", "start", "end", "symbols", "state"),
        "start",
        "What a stream missed, by service, and what became of it; lost updates stay recorded.",
    ),
    Dataset(
        ROLLS,
        ROLL_SCHEMA,
        ("symbol", "contract", "start", "close", "close_before"),
        "start",
        "Which contract stood for a continuous future from when, and the gap of prices then.",
    ),
)
"""Every dataset of the archive. Rows go only by the command that first says which."""


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
