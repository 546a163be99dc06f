"""Recorded trades and best bids and offers of one symbol: what is behind a file's minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Tick(NamedTuple):
    """How a symbol stands after one row; None is what no row has told yet.

    Attributes:
        ns: The row's time, nanoseconds UTC.
        bid: Dollars; so are `ask` and `last`.
        bid_size: Shares; so is `ask_size`.
        last: The last trade's price.
        size: Shares traded in this row itself, 0 for a quote.
    """

    ns: int
    bid: float | None
    ask: float | None
    bid_size: int
    ask_size: int
    last: float | None
    size: int


@dataclass(frozen=True, slots=True)
class Ticks:
    """The rows in their order.

    Attributes:
        times: int64 of n, rising, nanoseconds UTC.
        values: float64 of n by name: bid, ask, bid_size, ask_size and last carried forward, NaN
            before the first; size NaN where a row is no trade.
    """

    times: Any
    values: dict[str, Any]

    @property
    def has_quotes(self) -> bool:
        """Whether both sides are quoted somewhere."""
        return bool(np.isfinite(self.values["bid"]).any() and np.isfinite(self.values["ask"]).any())

    def at(self, ns: int) -> Tick | None:
        """Return how it stands at a moment, None before the first row."""
        row = int(np.searchsorted(self.times, ns, side="right")) - 1
        return None if row < 0 else self._tick(row)

    def between(self, after_ns: int, until_ns: int) -> list[Tick]:
        """Return what happened after a moment up to another."""
        first, end = np.searchsorted(self.times, [after_ns, until_ns], side="right")
        return [self._tick(row) for row in range(int(first), int(end))]

    def _tick(self, row: int) -> Tick:
        def known(name: str) -> float | None:
            value = float(self.values[name][row])
            return value if value == value else None

        return Tick(
            int(self.times[row]),
            known("bid"),
            known("ask"),
            int(known("bid_size") or 0),
            int(known("ask_size") or 0),
            known("last"),
            int(known("size") or 0),
        )
