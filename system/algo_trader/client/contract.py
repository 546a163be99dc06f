"""One option contract, named whole or by its parts, and its row of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.symbology import Option, parse_symbol
from system.algo_trader.client import question
from system.algo_trader.client.question import Question
from system.algo_trader.client.result import Result

_RIGHTS: Final = {"C": "C", "P": "P", "CALL": "C", "PUT": "P"}
_STRIKE_STEP: Final = 0.001
"""OSI writes strikes in thousandths of a dollar."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Name an option.

    Attributes:
        underlying: As the service names it: AAPL, $SPX.
        expiry: The date, YYYY-MM-DD.
        strike: Dollars.
        right: C or P.
        root: Of its OSI symbol: SPX settles in the morning, SPXW at the close; None for either.
    """

    underlying: str
    expiry: str
    strike: float
    right: str
    root: str | None = None

    @classmethod
    def of(
        cls,
        symbol: str,
        expiry: date | str | None = None,
        strike: float | None = None,
        right: str | None = None,
    ) -> Contract:
        """Return the contract that an OSI symbol names, or an underlying and the three parts.

        Raises:
            UsageError: If a part is missing or wrong.
        """
        parts = {"expiry": expiry, "strike": strike, "right": right}
        missing = [name for name, value in parts.items() if value is None]
        if len(missing) == len(parts):
            found = parse_symbol(symbol)
            if not isinstance(found, Option):
                raise UsageError(
                    f"{symbol!r} is no option",
                    next_step="Write `AAPL  260116C00200000`, or give expiry, strike and right.",
                )
            if found.is_adjusted:
                raise UsageError(f"{symbol} is an adjusted contract: chains list standard ones")
            return cls(
                found.underlying.to_schwab(),
                str(found.expiry),
                float(found.strike),
                found.right,
                found.root,
            )
        if expiry is None or strike is None or right is None:
            raise UsageError(f"a contract of {symbol} has {', '.join(missing)} too")
        known = _RIGHTS.get(right.upper())
        if known is None:
            raise UsageError(f"right is C or P, not {right!r}")
        return cls(symbol, str(expiry), float(strike), known)

    def __str__(self) -> str:
        return f"{self.root or self.underlying} {self.expiry} {self.strike:g} {self.right}"

    def chain(self) -> Question:
        """Ask for the chain in which it stands."""
        return question.chain(self.underlying, self.expiry, self.right, None, None)

    def row_in(self, found: Result) -> Result:
        """Return its row of its chain.

        Raises:
            NoDataError: If the chain does not list it.
            UsageError: If the chain lists several that cannot be told apart.
        """
        strikes = found.table.column("strike").to_numpy()
        rights = np.array(found.table.column("right").to_pylist(), dtype=object)
        mask = (np.abs(strikes - self.strike) < _STRIKE_STEP / 2) & (rights == self.right)
        if not mask.any():
            near = sorted(set(strikes.tolist()), key=lambda each: abs(each - self.strike))[:5]
            raise NoDataError(
                f"the chain does not list {self}",
                next_step=f"Strikes near it: {', '.join(f'{each:g}' for each in sorted(near))}.",
            )
        roots = np.array(found.table.column("root").to_pylist(), dtype=object)
        # An index's own name says nothing of the root: `$SPX` is SPX as well as SPXW.
        told = np.array([not each.startswith("$") for each in roots], dtype=np.bool_)
        if self.root is not None:
            mask &= ~told | (roots == self.root)
            if not mask.any():
                raise NoDataError(f"the chain does not list {self}: its root is another one")
        if np.count_nonzero(mask) > 1:
            raise UsageError(
                f"the chain lists {np.count_nonzero(mask)} contracts {self} that differ in their "
                "root only",
                next_step="Give the OSI symbol, or take the rows of `chain`.",
            )
        return found.where(pa.array(mask))
