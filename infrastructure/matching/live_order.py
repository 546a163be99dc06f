"""An order in the engine, with what has become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from infrastructure.errors import BugError
from infrastructure.matching.events import Filled
from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import STOPS, TRAILING, Basis, Order
from infrastructure.matching.status import EDGES, TERMINAL, Status


@dataclass(slots=True)
class LiveOrder:
    """One order's state; filled + remaining + dropped is always its quantity.

    Attributes:
        order_id: The engine's number.
        order: What was sent.
        entered_ns: When, nanoseconds UTC.
        status: Where it stands.
        remaining: Units that can still trade.
        filled: Units that have traded.
        dropped: Units that never will.
        stop: The present stop price of a stop order.
        is_awake: Whether a stop order's price was reached; others always are.
        end_ns: When it expires.
        close_ns: The close at which an on-close order trades.
        parent_id: The order whose fill sets it free.
        group: Number of the one-cancels-other groups that it belongs to, outermost first.
        replaces_id: The order that it took the place of.
        land_ns: When a cancel, a replacement or a rejection that is on its way takes effect.
        reason: Why it was refused or ended.
        fills: What has traded.
    """

    order_id: int
    order: Order
    entered_ns: int
    status: Status = Status.NEW
    remaining: int = 0
    filled: int = 0
    dropped: int = 0
    stop: Decimal | None = None
    is_awake: bool = True
    end_ns: int = 1 << 62
    close_ns: int = 1 << 62
    parent_id: int | None = None
    group: tuple[tuple[int, int], ...] = ()
    replaces_id: int | None = None
    land_ns: int | None = None
    reason: str = ""
    close_time_ns: int | None = None
    fills: list[Filled] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Return whether nothing can happen to it any more."""
        return self.status in TERMINAL

    def step(self, after: Status) -> None:
        """Take one allowed step.

        Raises:
            BugError: If the life cycle has no such step.
        """
        if after not in EDGES[self.status]:
            raise BugError(f"order {self.order_id} cannot go from {self.status} to {after}")
        self.status = after
        if self.is_over:
            self.dropped += self.remaining
            self.remaining = 0

    def watch(self, quote: MarketQuote) -> None:
        """Follow the market with a trailing stop, and wake a stop whose price is reached."""
        if self.is_awake or self.order.kind not in STOPS:
            return
        side = self.order.legs[0].side
        trail = self.order.trail if self.order.kind in TRAILING else None
        basis: Basis = "LAST" if trail is None else trail.basis
        price = quote.price(basis)
        if price is None:
            return
        if trail is not None:
            wanted = price + side * trail.distance(price)
            if self.stop is None or side * (self.stop - wanted) > 0:
                self.stop = wanted
        self.is_awake = self.stop is not None and side * (price - self.stop) >= 0
