"""The quotes of all options on one underlying at one moment, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError
from infrastructure.exchange.zones import NEW_YORK, local_dates
from system.algo_trader.options.black import Flags, Floats

Instants = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int64]

SENTINEL: Final = -900.0
"""Brokers write -999 for what they could not compute; nothing real lies at or below this."""

_NUMBERS: Final = (
    "bid",
    "ask",
    "last",
    "volume",
    "open_interest",
    "vendor_volatility",
    "vendor_delta",
    "vendor_gamma",
)


@dataclass(frozen=True, eq=False, slots=True)
class Chain:
    """Hold one snapshot of a chain, sorted by settlement, strike and right (puts first).

    Attributes:
        underlying: Its symbol.
        spot: Price of the underlying in dollars.
        as_of_ns: The moment for which the quotes hold, int64 nanoseconds UTC.
        settles_ns: When each contract's value is fixed, int64 nanoseconds UTC [n].
        strike: Dollars [n].
        is_call: True for calls [n].
        bid: Dollars, 0 where nobody bids [n].
        ask: Dollars [n].
        last: Dollars of the last trade [n].
        volume: Contracts traded in the session [n].
        open_interest: Contracts open [n].
        vendor_volatility: The vendor's implied volatility (0.2 is 20 %), NaN where missing [n].
        vendor_delta: The vendor's delta, NaN where missing [n].
        vendor_gamma: The vendor's gamma, NaN where missing [n].
        is_american: True where a contract can be exercised before it expires [n].
        multiplier: Shares a contract.
        source: Who quoted it, None when nobody says.
        fetched_at_ns: When it was fetched, nanoseconds UTC; None when nobody says.
        is_synthetic: Whether the quotes are simulated.
    """

    underlying: str
    spot: float
    as_of_ns: int
    settles_ns: Instants
    strike: Floats
    is_call: Flags
    bid: Floats
    ask: Floats
    last: Floats
    volume: Floats
    open_interest: Floats
    vendor_volatility: Floats
    vendor_delta: Floats
    vendor_gamma: Floats
    is_american: Flags
    multiplier: float = 100.0
    source: str | None = None
    fetched_at_ns: int | None = None
    is_synthetic: bool = False

    @classmethod
    def of(
        cls,
        underlying: str,
        spot: float,
        as_of_ns: int,
        settles_ns: npt.ArrayLike,
        strike: npt.ArrayLike,
        is_call: npt.ArrayLike,
        *,
        multiplier: float = 100.0,
        is_american: npt.ArrayLike = False,
        source: str | None = None,
        fetched_at_ns: int | None = None,
        is_synthetic: bool = False,
        **numbers: npt.ArrayLike | None,
    ) -> Chain:
        """Build a chain from columns in any order.

        Values that only mark something missing (-999, -900 and below) become NaN.

        Args:
            underlying: Its symbol.
            spot: Dollars, above 0 and finite.
            as_of_ns: Nanoseconds UTC.
            settles_ns: Nanoseconds UTC [n].
            strike: Dollars, above 0 [n].
            is_call: True for calls [n].
            multiplier: Shares a contract.
            is_american: Whether contracts can be exercised early, one for all or [n].
            source: Who quoted it.
            fetched_at_ns: When it was fetched, nanoseconds UTC.
            is_synthetic: Whether the quotes are simulated.
            **numbers: `bid`, `ask`, `last`, `volume`, `open_interest`, `vendor_volatility`,
                `vendor_delta`, `vendor_gamma` [n]; what is left out is NaN, volume and open
                interest 0.

        Raises:
            InputError: If the spot or a strike is no price, lengths differ, or a contract occurs
                twice.
        """
        if not (np.isfinite(spot) and spot > 0):
            raise InputError(
                f"the spot of {underlying} is {spot}", next_step="Expected a price above 0."
            )
        settles = np.asarray(settles_ns, dtype=np.int64)
        strikes = np.asarray(strike, dtype=np.float64)
        calls = np.asarray(is_call, dtype=np.bool_)
        columns = {name: _column(name, numbers.pop(name, None), settles.size) for name in _NUMBERS}
        if numbers:
            raise InputError(f"a chain has no column {sorted(numbers)[0]!r}")
        early = np.asarray(is_american, dtype=np.bool_)
        early = np.full(settles.size, early) if early.ndim == 0 else early
        lengths = {
            settles.size,
            strikes.size,
            calls.size,
            early.size,
            *(c.size for c in columns.values()),
        }
        if len(lengths) > 1:
            raise InputError(
                f"the columns of {underlying}'s chain have different lengths: {sorted(lengths)}"
            )
        bad = ~(np.isfinite(strikes) & (strikes > 0))
        if bad.any():
            raise InputError(f"the strike {strikes[bad][0]} of {underlying} is no price above 0")
        order = np.lexsort((calls, strikes, settles))
        settles, strikes, calls = settles[order], strikes[order], calls[order]
        twice = (np.diff(settles) == 0) & (np.diff(strikes) == 0) & (calls[1:] == calls[:-1])
        if twice.any():
            at = int(np.argmax(twice))
            side = "call" if calls[at] else "put"
            raise InputError(f"{underlying}'s chain holds the {strikes[at]:g} {side} twice")
        return cls(
            underlying=underlying,
            spot=float(spot),
            as_of_ns=int(as_of_ns),
            settles_ns=settles,
            strike=strikes,
            is_call=calls,
            is_american=early[order],
            multiplier=multiplier,
            source=source,
            fetched_at_ns=fetched_at_ns,
            is_synthetic=is_synthetic,
            **{name: column[order] for name, column in columns.items()},
        )

    def __len__(self) -> int:
        return self.strike.size

    @property
    def mid(self) -> Floats:
        """The middle of each two-sided quote in dollars, NaN where one side is missing."""
        good = (self.bid > 0) & (self.ask >= self.bid)
        return np.where(good, 0.5 * (self.bid + self.ask), np.nan)

    @property
    def expiries_ns(self) -> Instants:
        """The settlement moments that occur, ascending."""
        return self.settles_ns[self._is_first]

    @property
    def expiry_index(self) -> Numbers:
        """Position of each contract's settlement in `expiries_ns` [n]."""
        return np.cumsum(self._is_first, dtype=np.int64) - 1

    @property
    def _is_first(self) -> Flags:
        """True for the first contract of each settlement: a chain is sorted by it."""
        first = np.ones(len(self), dtype=np.bool_)
        first[1:] = self.settles_ns[1:] != self.settles_ns[:-1]
        return first

    def where(self, keep: Flags) -> Chain:
        """Return the chain of some contracts only.

        Args:
            keep: True for what stays [n].
        """
        size = len(self)
        chosen = {
            field.name: getattr(self, field.name)[keep]
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        if keep.size != size:
            raise InputError(f"{keep.size} flags do not fit a chain of {size} contracts")
        return replace(self, **chosen)

    def alive(self) -> Chain:
        """Return the chain without what had settled when it was taken."""
        if not len(self) or self.settles_ns[0] > self.as_of_ns:
            return self
        return self.where(self.settles_ns > self.as_of_ns)


def new_york_dates(instants: Sequence[int] | Instants) -> list[date]:
    """Return the New York calendar days of instants in nanoseconds UTC."""
    days = local_dates(np.asarray(instants, dtype=np.int64), NEW_YORK)
    return [day.astype(date) for day in days]


def _column(name: str, values: npt.ArrayLike | None, size: int) -> Floats:
    if values is None:
        return np.full(size, 0.0 if name in ("volume", "open_interest") else np.nan)
    column = np.array(values, dtype=np.float64)
    column[~(column > SENTINEL)] = np.nan
    if name in ("volume", "open_interest"):
        column[~(column > 0)] = 0.0
    return column
