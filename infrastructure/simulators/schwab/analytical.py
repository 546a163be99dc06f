"""What a chain of strategy ANALYTICAL is computed with: the asker's own assumptions. [S]"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from infrastructure.exchange.option_expiry import settlement_ns
from infrastructure.simulators.schwab.black_scholes import value
from infrastructure.simulators.schwab.messages import Request
from infrastructure.simulators.schwab.option_surface import NS_PER_YEAR, RATE, Contract
from infrastructure.simulators.schwab.parameters import number, refused

_SHORTEST_YEARS: Final = 1 / (365 * 24 * 60)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is assumed; None is what the market says.

    Attributes:
        volatility: Percent.
        underlying_price: Dollars.
        interest_rate: Percent.
        days: To the expiration of every contract.
    """

    volatility: float | None
    underlying_price: float | None
    interest_rate: float | None
    days: float | None

    def valued(self, contract: Contract, spot: float, now_ns: int) -> Contract:
        """Return a contract with its theoretical value and Greeks; its quote stays."""
        vol = contract.vol if self.volatility is None else self.volatility / 100
        if vol is None:
            return contract
        option = contract.option
        years = (settlement_ns(option) - now_ns) / NS_PER_YEAR
        if self.days is not None:
            years = self.days / 365
        worth = value(
            option.right == "C",
            spot if self.underlying_price is None else self.underlying_price,
            float(option.strike),
            max(years, _SHORTEST_YEARS),
            RATE if self.interest_rate is None else self.interest_rate / 100,
            0.0,
            vol,
        )
        return replace(contract, vol=vol, value=worth)

    def shown(self) -> dict[str, Any]:
        """Return what of it the chain's envelope repeats."""
        words = {
            "volatility": self.volatility,
            "underlyingPrice": self.underlying_price,
            "interestRate": self.interest_rate,
            "daysToExpiration": self.days,
        }
        return {word: value for word, value in words.items() if value is not None}


def assumptions(request: Request) -> Assumptions:
    """Read them.

    Raises:
        Refused: If one is no number, or a volatility or price is not above 0.
    """
    found = Assumptions(
        number(request, "volatility"),
        number(request, "underlyingPrice"),
        number(request, "interestRate"),
        number(request, "daysToExpiration"),
    )
    for name, given in (
        ("volatility", found.volatility),
        ("underlyingPrice", found.underlying_price),
    ):
        if given is not None and given <= 0:
            raise refused(name, f"{name} must be above 0")
    return found
