"""Trades and quotes as columns, with prices in whole ticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError
from system.algo_trader.tape.sides import MISSING

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

GRID_TOLERANCE: Final = 1e-4
"""How far from a whole number of ticks a price may lie, in ticks: room for binary rounding."""

LARGEST_TICKS: Final = 2**53
"""Prices beyond so many ticks are not whole numbers in float64 any more."""


def ticks_of(prices: npt.ArrayLike, tick_size: float) -> Int64s:
    """Return prices as whole ticks, so that comparing them is exact.

    Args:
        prices: Prices, shape (n,); NaN where there is none.
        tick_size: The grid that all of them lie on, in the prices' unit. Trades inside the
            spread need the finest one: US stocks print to 0.0001.

    Returns:
        int64 (n,), `MISSING` where the price is NaN.

    Raises:
        InputError: If the tick size is not positive, or a price is infinite or off the grid.
    """
    if not (np.isfinite(tick_size) and tick_size > 0):
        raise InputError(f"a tick size is above 0, not {tick_size}")
    given = np.asarray(prices, dtype=np.float64)
    present = ~np.isnan(given)
    scaled = np.where(present, given, 0.0) / tick_size
    finite = np.abs(scaled) <= LARGEST_TICKS
    whole = np.rint(np.where(finite, scaled, 0.0))
    wrong = ~finite | (np.abs(np.where(finite, scaled, 0.0) - whole) > GRID_TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"price {given[row]} in row {row} is no multiple of the tick size {tick_size}",
            next_step="Give the finest step in which prices are printed.",
        )
    return np.where(present, whole.astype(np.int64), MISSING)


@dataclass(frozen=True, slots=True)
class Trades:
    """Hold trades in the order in which they happened.

    Attributes:
        time_ns: Instants, int64 nanoseconds UTC, never falling, shape (n,).
        price: Prices in ticks, int64 (n,), `MISSING` where there is none.
        size: Shares or contracts, float64 (n,), finite and not negative.
        tick_size: Value of a tick.
        sampled: Whether the feed delivers only some of the trades, as Schwab's streamer does;
            everything made of them then describes the sample, not the market.
    """

    time_ns: Int64s
    price: Int64s
    size: Floats
    tick_size: float
    sampled: bool

    @classmethod
    def of(
        cls,
        time_ns: npt.ArrayLike,
        price: npt.ArrayLike,
        size: npt.ArrayLike,
        *,
        tick_size: float,
        sampled: bool,
    ) -> Trades:
        """Return trades of checked columns.

        Args:
            time_ns: Instants, int64 nanoseconds UTC, shape (n,).
            price: Prices in the instrument's currency, shape (n,), NaN where there is none.
            size: Shares or contracts, shape (n,).
            tick_size: The grid of the prices.
            sampled: Whether trades are left out.

        Raises:
            InputError: If columns differ in length, times fall, a price is off the grid, or a
                size is negative, infinite or NaN.
        """
        times = rising(time_ns, "trades")
        sizes = np.asarray(size, dtype=np.float64)
        ticks = ticks_of(price, tick_size)
        same_length(len(times), price=ticks, size=sizes)
        if not (np.isfinite(sizes) & (sizes >= 0)).all():
            row = int(np.argmin(np.isfinite(sizes) & (sizes >= 0)))
            raise InputError(f"the size {sizes[row]} in row {row} is no number of shares")
        return cls(times, ticks, sizes, tick_size, sampled)

    def __len__(self) -> int:
        return len(self.time_ns)

    def prices(self) -> Floats:
        """Return the prices in the instrument's currency, NaN where there is none."""
        return np.where(self.price == MISSING, np.nan, self.price * self.tick_size)


@dataclass(frozen=True, slots=True)
class Quotes:
    """Hold best bids and offers, each in force until the next one.

    Attributes:
        time_ns: Instants, int64 nanoseconds UTC, never falling, shape (m,).
        bid: Best bid in ticks, int64 (m,), `MISSING` where nobody bids.
        ask: Best offer, likewise.
        tick_size: Value of a tick.
    """

    time_ns: Int64s
    bid: Int64s
    ask: Int64s
    tick_size: float

    @classmethod
    def of(
        cls, time_ns: npt.ArrayLike, bid: npt.ArrayLike, ask: npt.ArrayLike, *, tick_size: float
    ) -> Quotes:
        """Return quotes of checked columns; a side of NaN is empty.

        Raises:
            InputError: If columns differ in length, times fall or a price is off the grid.
        """
        times = rising(time_ns, "quotes")
        bids, asks = ticks_of(bid, tick_size), ticks_of(ask, tick_size)
        same_length(len(times), bid=bids, ask=asks)
        return cls(times, bids, asks, tick_size)

    def __len__(self) -> int:
        return len(self.time_ns)


def rising(time_ns: npt.ArrayLike, what: str) -> Int64s:
    """Return instants as int64 after seeing that none lies before its predecessor.

    Raises:
        InputError: If one does, or they are not whole numbers.
    """
    times = np.asarray(time_ns)
    if times.ndim != 1 or (times.size and times.dtype.kind not in "iu"):
        raise InputError(f"the times of {what} are one column of whole nanoseconds")
    times = times.astype(np.int64, copy=False)
    falls = times[1:] < times[:-1]
    if falls.any():
        raise InputError(
            f"the times of {what} fall in row {int(np.argmax(falls)) + 1}",
            next_step="Sort the rows by time, keeping the order of equal times.",
        )
    return times


def same_length(count: int, **columns: npt.NDArray[np.generic]) -> None:
    """See that every column has one value a row.

    Raises:
        InputError: If one has not; says which.
    """
    for name, column in columns.items():
        if column.shape != (count,):
            raise InputError(f"the column {name} has the shape {column.shape}, expected ({count},)")
