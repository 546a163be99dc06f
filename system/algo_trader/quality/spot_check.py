"""Compare stored bars with freshly fetched ones, to know how far the archive can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from system.algo_trader.market.bars import PRICES, Bars, Mask
from system.algo_trader.market.splits import PRICE_TICK

TARGET: Final = 0.999
"""The share of bars that should agree."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Name a bar that differs.

    Attributes:
        symbol: The instrument.
        start: Its start, nanoseconds UTC.
        column: The first column that differs: a price, volume, or "missing" where the source has
            a bar that is not stored, "unknown" where a stored one is not at the source.
        stored: The stored value, None where there is none.
        fresh: The source's value, likewise.
    """

    symbol: str
    start: int
    column: str
    stored: float | None
    fresh: float | None


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """Say what a check found.

    Attributes:
        compared: Bars that either side has.
        mismatches: Those that differ.
    """

    compared: int
    mismatches: tuple[Mismatch, ...]

    def __add__(self, other: SpotCheck) -> SpotCheck:
        return SpotCheck(self.compared + other.compared, self.mismatches + other.mismatches)

    @property
    def share(self) -> float | None:
        """Return the share that agrees, 0 to 1; None where nothing was compared."""
        return 1 - len(self.mismatches) / self.compared if self.compared else None

    @property
    def is_good(self) -> bool:
        """Say whether the target is reached; without bars it is not."""
        return self.share is not None and self.share >= TARGET


def spot_check(stored: Bars, fresh: Bars, *, tick: float = PRICE_TICK) -> SpotCheck:
    """Compare bars of one series by their start.

    Prices agree to half a tick, since a source rounds them; volumes agree exactly.

    Args:
        stored: The winners of the archive, each start once.
        fresh: What the source says now, each start once.
        tick: The step to which prices are rounded.
    """
    either = stored if len(stored) else fresh
    symbol = str(either.table.column("symbol")[0]) if len(either) else ""
    _, mine, theirs = np.intersect1d(
        stored.start, fresh.start, assume_unique=True, return_indices=True
    )
    before, after = stored.take(mine), fresh.take(theirs)
    found: list[Mismatch] = []
    told = np.zeros(len(before), dtype=np.bool_)
    for column in (*PRICES, "volume"):
        differs = ~told & _differs(before, after, column, tick)
        told |= differs
        found += [
            Mismatch(symbol, int(start), column, _value(one), _value(other))
            for start, one, other in zip(
                before.start[differs],
                before.floats(column)[differs],
                after.floats(column)[differs],
                strict=True,
            )
        ]
    lost = fresh.where(~np.isin(fresh.start, stored.start))
    extra = stored.where(~np.isin(stored.start, fresh.start))
    for bars, column in ((lost, "missing"), (extra, "unknown")):
        for start, close in zip(bars.start.tolist(), bars.floats("close").tolist(), strict=True):
            sides = (None, close) if column == "missing" else (close, None)
            found.append(Mismatch(symbol, start, column, *sides))
    return SpotCheck(len(mine) + len(lost) + len(extra), tuple(found))


def _differs(before: Bars, after: Bars, column: str, tick: float) -> Mask:
    one, other = before.floats(column), after.floats(column)
    limit = 0.0 if column == "volume" else tick / 2 * (1 + 1e-9)
    both_unknown = np.isnan(one) & np.isnan(other)
    agree: Mask = (np.abs(one - other) <= limit) | both_unknown
    return ~agree


def _value(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
