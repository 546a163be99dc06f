"""What is open about matching, as objects with one or two methods each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import Duration, Order, Side, TradingSession


class FillPolicy(Protocol):
    """Say at which price and in which size the market takes the other side."""

    def price(self, side: Side, quote: MarketQuote) -> Decimal | None:
        """Return dollars for one share, None when nobody is there."""

    def available(self, side: Side, quote: MarketQuote) -> int:
        """Return how many can trade against one quote, in shares or contracts."""


@dataclass(frozen=True, slots=True)
class AtTouch:
    """Trade at the displayed best price, as many as are displayed."""

    def price(self, side: Side, quote: MarketQuote) -> Decimal | None:
        """Return the ask for a buy, the bid for a sell."""
        return quote.ask if side > 0 else quote.bid

    def available(self, side: Side, quote: MarketQuote) -> int:
        """Return the displayed size."""
        return quote.ask_size if side > 0 else quote.bid_size


@dataclass(frozen=True, slots=True)
class Slipped:
    """Trade worse than another policy says, by some basis points of the price.

    Attributes:
        basis: The other policy.
        basis_points: Hundredths of a percent, not negative; the price is not rounded.
    """

    basis: FillPolicy
    basis_points: Decimal

    def price(self, side: Side, quote: MarketQuote) -> Decimal | None:
        """Return the slipped price."""
        price = self.basis.price(side, quote)
        return None if price is None else price * (1 + side * self.basis_points / 10_000)

    def available(self, side: Side, quote: MarketQuote) -> int:
        """Return the other policy's size."""
        return self.basis.available(side, quote)


class Hours(Protocol):
    """Say when orders trade and when they end."""

    def is_open(self, session: TradingSession, ns: int) -> bool:
        """Return whether a session is running at an instant, nanoseconds UTC."""

    def end_ns(self, duration: Duration, session: TradingSession, ns: int) -> int:
        """Return when an order of that duration entered at `ns` ends, nanoseconds UTC."""

    def close_ns(self, ns: int) -> int:
        """Return the next close of the regular session at or after `ns`."""


@dataclass(frozen=True, slots=True)
class AlwaysOpen:
    """Trade around the clock; nothing but a cancel ends an order."""

    def is_open(self, session: TradingSession, ns: int) -> bool:
        """Return True."""
        return True

    def end_ns(self, duration: Duration, session: TradingSession, ns: int) -> int:
        """Return the end of time."""
        return 1 << 62

    def close_ns(self, ns: int) -> int:
        """Return the end of time."""
        return 1 << 62


class Admission(Protocol):
    """Say whether an account may send an order."""

    def refusal(self, order: Order, quotes: Mapping[str, MarketQuote]) -> str | None:
        """Return why not, None when it may."""


@dataclass(frozen=True, slots=True)
class AdmitAll:
    """Refuse nothing."""

    def refusal(self, order: Order, quotes: Mapping[str, MarketQuote]) -> str | None:
        """Return None."""
        return None
