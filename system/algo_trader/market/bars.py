"""The canonical bar, as columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe

BAR_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("timeframe", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("session", pa.string(), nullable=False),
        pa.field("adjustment", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("fetched_at", pa.int64(), nullable=False),
        pa.field("open", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("close", pa.float64()),
        pa.field("volume", pa.int64()),
        pa.field("is_synthetic", pa.bool_(), nullable=False),
    ]
)
"""Columns of a batch of bars.

`start` and `fetched_at` are int64 nanoseconds UTC; prices are in the instrument's currency; the
volume is in shares or contracts and null where the source has none. The key is symbol, timeframe,
start, session, adjustment and source; `revision` counts corrections of one key from 0.
"""

PRICES: Final = ("open", "high", "low", "close")
SERIES_KEY: Final = ("symbol", "timeframe", "session", "adjustment", "source")

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Series:
    """Name one run of bars: everything of their key but the start.

    Args:
        symbol: The instrument as the source names it.
        timeframe: The span of a bar.
        session: The hours that count.
        adjustment: What prices are adjusted for.
        source: Where the bars come from.
    """

    symbol: str
    timeframe: Timeframe
    session: Session = Session.RTH
    adjustment: Adjustment = Adjustment.SPLIT
    source: Source = Source.SCHWAB

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe}"


@dataclass(frozen=True, slots=True)
class Bars:
    """Hold bars as one Arrow table of `BAR_SCHEMA`, in one chunk.

    Args:
        table: The rows, in any order.

    Raises:
        ValueError: If the columns are not those of `BAR_SCHEMA`, or a key column holds a null.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        if self.table.schema.names != BAR_SCHEMA.names:
            raise ValueError(
                f"bars have the columns {', '.join(BAR_SCHEMA.names)}, "
                f"not {', '.join(self.table.schema.names)}"
            )
        table = self.table.cast(BAR_SCHEMA).combine_chunks()
        for field in BAR_SCHEMA:
            if not field.nullable and table.column(field.name).null_count:
                raise ValueError(f"a bar without {field.name} has no place: that column is the key")
        object.__setattr__(self, "table", table)

    @classmethod
    def empty(cls) -> Self:
        """Return no bars."""
        return cls(BAR_SCHEMA.empty_table())

    @classmethod
    def concat(cls, parts: Iterable[Bars]) -> Self:
        """Return the rows of all parts, in their order."""
        tables = [part.table for part in parts]
        return cls(pa.concat_tables(tables)) if tables else cls.empty()

    @classmethod
    def of(
        cls,
        series: Series,
        *,
        start: npt.ArrayLike,
        open: npt.ArrayLike | pa.Array,
        high: npt.ArrayLike | pa.Array,
        low: npt.ArrayLike | pa.Array,
        close: npt.ArrayLike | pa.Array,
        volume: npt.ArrayLike | pa.Array,
        fetched_at: int,
        is_synthetic: bool,
        revision: int = 0,
    ) -> Self:
        """Return the bars of one series.

        Args:
            series: What the bars belong to.
            start: Starts, int64 nanoseconds UTC, shape (n,).
            open: First prices, shape (n,); null where missing.
            high: Highest prices, likewise.
            low: Lowest prices, likewise.
            close: Last prices, likewise.
            volume: Shares, likewise.
            fetched_at: When they were fetched, nanoseconds UTC.
            is_synthetic: Whether they were made up.
            revision: Their revision.

        Raises:
            ValueError: If the columns differ in length.
        """
        starts = pa.array(start, pa.int64())
        count = len(starts)
        values: dict[str, Any] = {
            "symbol": series.symbol,
            "timeframe": str(series.timeframe),
            "session": str(series.session),
            "adjustment": str(series.adjustment),
            "source": str(series.source),
            "revision": revision,
            "fetched_at": fetched_at,
            "is_synthetic": is_synthetic,
        }
        columns: dict[str, pa.Array] = {
            name: pa.repeat(pa.scalar(value, BAR_SCHEMA.field(name).type), count)
            for name, value in values.items()
        }
        columns["start"] = starts
        for name, given in (("open", open), ("high", high), ("low", low), ("close", close)):
            columns[name] = pa.array(given, pa.float64())
        columns["volume"] = pa.array(volume, pa.int64())
        lengths = {name: len(column) for name, column in columns.items() if len(column) != count}
        if lengths:
            raise ValueError(f"{count} starts, but other columns differ in length: {lengths}")
        return cls(pa.table([columns[name] for name in BAR_SCHEMA.names], schema=BAR_SCHEMA))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def start(self) -> Int64s:
        """Return the starts, int64 nanoseconds UTC, shape (n,)."""
        return self.integers("start")

    def integers(self, name: str) -> Int64s:
        """Return an integer column without nulls as an array of shape (n,)."""
        column: Int64s = self.table.column(name).to_numpy()
        return column

    def equals(self, name: str, text: str) -> Mask:
        """Say which rows hold a text in a column, as a mask of shape (n,)."""
        found: Mask = pc.equal(self.table.column(name), str(text)).to_numpy()
        return found

    def words(self, name: str) -> tuple[list[str], Int64s]:
        """Return the distinct texts of a column, and each row's index among them, shape (n,)."""
        encoded = pc.dictionary_encode(self.table.column(name).combine_chunks())
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)

    def floats(self, name: str) -> Floats:
        """Return a numeric column as float64 of shape (n,), NaN where it is null."""
        column: Floats = pc.cast(self.table.column(name), pa.float64(), safe=False).to_numpy()
        return column

    def prices(self) -> Floats:
        """Return open, high, low, close as float64 of shape (n, 4), NaN where one is null."""
        return np.column_stack([self.floats(name) for name in PRICES])

    def sorted(self) -> Bars:
        """Return the bars by rising start; equal starts keep their order."""
        return self.take(np.argsort(self.start, kind="stable"))

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> Bars:
        """Return the rows of these positions."""
        return Bars(self.table.take(pa.array(rows, pa.int64())))

    def where(self, mask: Mask) -> Bars:
        """Return the rows for which the mask of shape (n,) is true."""
        return Bars(self.table.filter(pa.array(mask, pa.bool_())))

    def between(self, start_ns: int | None, end_ns: int | None) -> Bars:
        """Return the bars that start in [start_ns, end_ns); None leaves a side open."""
        inside = np.ones(len(self), dtype=np.bool_)
        if start_ns is not None:
            inside &= self.start >= start_ns
        if end_ns is not None:
            inside &= self.start < end_ns
        return self if inside.all() else self.where(inside)

    def of_series(self, series: Series) -> Bars:
        """Return the bars of one series, in their order."""
        wanted = np.ones(len(self), dtype=np.bool_)
        for name in SERIES_KEY:
            wanted &= self.equals(name, getattr(series, name))
        return self if wanted.all() else self.where(wanted)

    def last(self, count: int) -> Bars:
        """Return the last rows, as many as there are up to `count`."""
        return Bars(self.table.slice(max(len(self) - count, 0)))

    def replace(self, **columns: npt.ArrayLike | pa.Array) -> Bars:
        """Return the bars with some columns exchanged, each of shape (n,).

        Raises:
            KeyError: If there is no such column.
        """
        table = self.table
        for name, given in columns.items():
            field = BAR_SCHEMA.field(name)
            table = table.set_column(
                BAR_SCHEMA.get_field_index(name), field, pa.array(given, field.type)
            )
        return Bars(table)

    def series(self) -> list[Series]:
        """Return the series that occur, in the order of their first row."""
        keys = self.table.select(list(SERIES_KEY)).group_by(list(SERIES_KEY)).aggregate([])
        return [
            Series(
                row["symbol"],
                Timeframe(row["timeframe"]),
                Session(row["session"]),
                Adjustment(row["adjustment"]),
                Source(row["source"]),
            )
            for row in keys.to_pylist()
        ]

    def only_series(self) -> Series:
        """Return the one series of these bars.

        Raises:
            ValueError: If there is none or more than one.
        """
        found = self.series()
        if len(found) != 1:
            raise ValueError(f"expected bars of one series, got {len(found)}")
        return found[0]
