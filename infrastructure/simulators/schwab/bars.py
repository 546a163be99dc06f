"""Bars as columns, and the merging of short bars into longer ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one symbol, rising by start; all columns have the same length.

    Attributes:
        start_ns: Start of each bar, int64 nanoseconds UTC.
        open: First price, float64 dollars, as are `high`, `low` and `close`.
        volume: Shares traded, int64.
    """

    start_ns: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers

    def __len__(self) -> int:
        return int(self.start_ns.size)

    def take(self, rows: slice | npt.NDArray[Any]) -> Bars:
        """Return the chosen rows.

        Args:
            rows: A slice, a boolean mask or an array of indices.
        """
        return Bars(
            self.start_ns[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )

    def between(self, first_ns: int, last_ns: int) -> Bars:
        """Return the bars that start in [first_ns, last_ns]."""
        low = int(np.searchsorted(self.start_ns, first_ns, side="left"))
        high = int(np.searchsorted(self.start_ns, last_ns, side="right"))
        return self.take(slice(low, high))

    def split_adjusted(self, ratio: Floats) -> Bars:
        """Return the bars in today's shares.

        Args:
            ratio: Today's shares for one share of each bar's date, float64 of the bars' length.
        """
        return Bars(
            self.start_ns,
            self.open / ratio,
            self.high / ratio,
            self.low / ratio,
            self.close / ratio,
            np.rint(self.volume * ratio).astype(np.int64),
        )


def no_bars() -> Bars:
    """Return columns without a row."""
    prices = np.empty(0, dtype=np.float64)
    whole = np.empty(0, dtype=np.int64)
    return Bars(whole, prices, prices, prices, prices, whole)


def joined(parts: Sequence[Bars]) -> Bars:
    """Return the rows of all parts, in the order given."""
    if not parts:
        return no_bars()
    if len(parts) == 1:
        return parts[0]
    return Bars(
        np.concatenate([part.start_ns for part in parts]),
        np.concatenate([part.open for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.close for part in parts]),
        np.concatenate([part.volume for part in parts]),
    )


def merged(bars: Bars, starts: Integers) -> Bars:
    """Merge neighbouring bars that share a start.

    Args:
        bars: The short bars.
        starts: The start of the longer bar that each belongs to, int64 of the bars' length,
            never falling.
    """
    if len(bars) == 0:
        return bars
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    last = np.append(first[1:], len(bars)) - 1
    return Bars(
        starts[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        np.add.reduceat(bars.volume, first),
    )
