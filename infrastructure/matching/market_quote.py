"""One look at the market for one symbol."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from infrastructure.matching.order import Basis


@dataclass(frozen=True, slots=True)
class MarketQuote:
    """The best prices and what stands there.

    Attributes:
        symbol: Whose prices.
        bid: Highest bid in dollars, None when nobody bids; so is `ask` the lowest offer.
        bid_size: Shares or contracts at the bid; so is `ask_size` at the ask.
        last: Last trade's price, None before the first.
    """

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: int
    ask_size: int
    last: Decimal | None

    def price(self, basis: Basis) -> Decimal | None:
        """Return the price of this name; a mark is the middle of bid and ask."""
        if basis == "LAST":
            return self.last
        if basis == "BID":
            return self.bid
        if basis == "ASK":
            return self.ask
        if self.bid is None or self.ask is None:
            return None
        return (self.bid + self.ask) / 2
