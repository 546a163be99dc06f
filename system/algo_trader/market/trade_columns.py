"""Trades of several symbols as columns: what bars are built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Hold trades in the order in which they came; every array has shape (n,).

    Attributes:
        symbol: Position of the trade's symbol in a list that reader and writer share.
        ts_event: When the exchange reported it, int64 nanoseconds UTC.
        order: What came first among trades of one instant: a sequence number or the number of
            the arrival.
        price: In the instrument's currency.
        size: Shares or contracts.
    """

    symbol: Int64s
    ts_event: Int64s
    order: Int64s
    price: Floats
    size: Int64s

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self._columns()}
        if len(lengths) != 1:
            raise ValueError(f"columns of trades differ in length: {sorted(lengths)}")

    @classmethod
    def of(
        cls,
        *,
        symbol: npt.ArrayLike,
        ts_event: npt.ArrayLike,
        order: npt.ArrayLike,
        price: npt.ArrayLike,
        size: npt.ArrayLike,
    ) -> Self:
        """Return trades of any array-likes, each of shape (n,).

        Raises:
            ValueError: If they differ in length.
        """
        return cls(
            np.ascontiguousarray(symbol, np.int64),
            np.ascontiguousarray(ts_event, np.int64),
            np.ascontiguousarray(order, np.int64),
            np.ascontiguousarray(price, np.float64),
            np.ascontiguousarray(size, np.int64),
        )

    def __len__(self) -> int:
        return len(self.symbol)

    def take(self, rows: npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]) -> TradeColumns:
        """Return the trades of these positions, or those for which a mask is true."""
        return TradeColumns(*(column[rows] for column in self._columns()))

    def _columns(self) -> tuple[npt.NDArray[Any], ...]:
        return self.symbol, self.ts_event, self.order, self.price, self.size
