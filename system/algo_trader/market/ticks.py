"""Updates of level one as columns: what the live pipeline hands from part to part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from system.algo_trader.market.trade_columns import TradeColumns

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NO_TIME: Final = -1
"""Stands for an instant or a count that the source did not give."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Hold updates in the order in which they came; every array has shape (n,).

    A row shows what is known of a symbol after one update: best bid and offer, last trade. Level
    one is sampled: what happened between two updates is not in it, but for the volume, which is
    a running total. Prices are NaN and counts `NO_TIME` where nothing is known.

    Attributes:
        symbol: Position of the symbol in the list that reader and writer share.
        order: Number of the update among all updates of the run, rising.
        ts_recv: When it reached us, int64 nanoseconds UTC.
        ts_quote: The exchange's time of the quote.
        ts_trade: The exchange's time of the last trade.
        bid: Best bid.
        ask: Best offer.
        bid_size: Shares or contracts at the bid.
        ask_size: Shares or contracts at the offer.
        last: Price of the last trade.
        last_size: Its size.
        volume: Traded since the previous update, by the running total; the size of the last
            trade where there is no total; 0 in a row that shows no new trade.
        total: The running total of the day.
        is_quote: Whether the update changed bid or offer.
        is_trade: Whether it shows a trade that no earlier update showed.
    """

    symbol: Int64s
    order: Int64s
    ts_recv: Int64s
    ts_quote: Int64s
    ts_trade: Int64s
    bid: Floats
    ask: Floats
    bid_size: Int64s
    ask_size: Int64s
    last: Floats
    last_size: Int64s
    volume: Int64s
    total: Int64s
    is_quote: Mask
    is_trade: Mask

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, field.name)) for field in fields(self)}
        if len(lengths) != 1:
            raise ValueError(f"columns of ticks differ in length: {sorted(lengths)}")

    @classmethod
    def of_rows(cls, rows: list[tuple[Any, ...]]) -> Self:
        """Return rows of values, each in the order of the attributes, as columns."""
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(KINDS)
        return cls(
            *(
                np.array(column, dtype=kind)
                for column, kind in zip(columns, KINDS.values(), strict=True)
            )
        )

    @classmethod
    def concat(cls, parts: Iterable[Self]) -> Self:
        """Return the rows of all parts, in their order."""
        every = list(parts)
        if not every:
            return cls.of_rows([])
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in every])
                for field in fields(cls)
            )
        )

    @classmethod
    def of_batch(cls, rows: pa.RecordBatch | pa.Table, symbols: pa.Array) -> Self:
        """Return what `batch` gave out as ticks again.

        Args:
            rows: With the columns of `batch`.
            symbols: A list that holds every symbol of the rows.
        """
        columns: dict[str, npt.NDArray[Any]] = {}
        for name, kind in KINDS.items():
            if name == "symbol":
                place = pc.index_in(rows.column(name), pa.array(symbols))
                columns[name] = place.to_numpy(zero_copy_only=False).astype(kind)
                continue
            column = rows.column("sequence" if name == "order" else name)
            if kind == np.dtype(np.float64):
                column = pc.fill_null(column, float("nan"))
            elif kind == np.dtype(np.int64):
                column = pc.fill_null(column, NO_TIME)
            columns[name] = column.to_numpy(zero_copy_only=False).astype(kind)
        return cls(**columns)

    def __len__(self) -> int:
        return len(self.symbol)

    def take(self, rows: npt.NDArray[np.integer[Any]] | Mask) -> Ticks:
        """Return the rows of these positions, or those for which a mask is true."""
        return Ticks(*(getattr(self, field.name)[rows] for field in fields(self)))

    def trades(self) -> TradeColumns:
        """Return the rows that show a trade as trades of the volume since the row before."""
        rows = self.is_trade
        return TradeColumns(
            self.symbol[rows],
            self.ts_trade[rows],
            self.order[rows],
            self.last[rows],
            self.volume[rows],
        )

    def batch(self, symbols: pa.Array) -> pa.RecordBatch:
        """Return the rows for others to read: names for positions, null for what is unknown.

        Args:
            symbols: The shared list of symbols, as strings.
        """
        columns: list[pa.Array] = [symbols.take(pa.array(self.symbol))]
        for name in FRAME_SCHEMA.names[1:]:
            column = getattr(self, _NAMED_ELSE.get(name, name))
            if KINDS[_NAMED_ELSE.get(name, name)] == np.float64:
                columns.append(pa.array(column, from_pandas=True))
            elif name in _NULLABLE and len(column) and column.min() == NO_TIME:
                columns.append(pa.array(column, mask=column == NO_TIME))
            else:
                columns.append(pa.array(column))
        return pa.RecordBatch.from_arrays(columns, schema=FRAME_SCHEMA)


KINDS: Final[dict[str, np.dtype[Any]]] = {
    field.name: np.dtype(
        {"Int64s": np.int64, "Floats": np.float64, "Mask": np.bool_}[str(field.type)]
    )
    for field in fields(Ticks)
}
"""The dtype of every column."""

_NAMED_ELSE: Final = {"sequence": "order"}
_NULLABLE: Final = frozenset(
    name for name, kind in KINDS.items() if kind == np.int64 and name not in ("symbol", "order")
)
FRAME_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string()),
        *(
            pa.field(name, pa.from_numpy_dtype(kind))
            for name, kind in KINDS.items()
            if name not in ("symbol", "order")
        ),
        pa.field("sequence", pa.int64()),
    ]
)
"""What others read of ticks."""
