"""What is to be traded: legs, prices, durations, and orders that depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from infrastructure.errors import InputError

Side = Literal[1, -1]
Basis = Literal["LAST", "BID", "ASK", "MARK"]


class Kind(StrEnum):
    """How an order is priced; multi-leg orders are MARKET or LIMIT on their net price."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"
    TRAILING_STOP_LIMIT = "TRAILING_STOP_LIMIT"
    MARKET_ON_CLOSE = "MARKET_ON_CLOSE"
    LIMIT_ON_CLOSE = "LIMIT_ON_CLOSE"


class Duration(StrEnum):
    """How long an order lives."""

    DAY = "DAY"
    GOOD_TILL_CANCEL = "GOOD_TILL_CANCEL"
    IMMEDIATE_OR_CANCEL = "IMMEDIATE_OR_CANCEL"
    FILL_OR_KILL = "FILL_OR_KILL"


class TradingSession(StrEnum):
    """When an order may trade."""

    NORMAL = "NORMAL"
    AM = "AM"
    PM = "PM"
    SEAMLESS = "SEAMLESS"


STOPS = frozenset({Kind.STOP, Kind.STOP_LIMIT, Kind.TRAILING_STOP, Kind.TRAILING_STOP_LIMIT})
TRAILING = frozenset({Kind.TRAILING_STOP, Kind.TRAILING_STOP_LIMIT})
ON_CLOSE = frozenset({Kind.MARKET_ON_CLOSE, Kind.LIMIT_ON_CLOSE})
LIMITED = frozenset({Kind.LIMIT, Kind.STOP_LIMIT, Kind.LIMIT_ON_CLOSE, Kind.TRAILING_STOP_LIMIT})
IMMEDIATE = frozenset({Duration.IMMEDIATE_OR_CANCEL, Duration.FILL_OR_KILL})


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument of an order.

    Attributes:
        symbol: What is traded.
        side: 1 buys, -1 sells.
        ratio: How many of it one unit of the order has.
    """

    symbol: str
    side: Side
    ratio: int = 1

    def __post_init__(self) -> None:
        if self.ratio < 1:
            raise InputError(f"a leg has a ratio of at least 1, not {self.ratio}")


@dataclass(frozen=True, slots=True)
class Trail:
    """How far behind the market a trailing stop follows.

    Attributes:
        offset: Dollars, or percent of the basis' price.
        in_percent: Whether the offset is in percent.
        basis: Which price it follows.
    """

    offset: Decimal
    in_percent: bool = False
    basis: Basis = "LAST"

    def distance(self, price: Decimal) -> Decimal:
        """Return the dollars between a price and its stop."""
        return price * self.offset / 100 if self.in_percent else self.offset


@dataclass(frozen=True, slots=True)
class Order:
    """One order of one or more legs.

    Attributes:
        legs: What it trades, all together or not at all.
        quantity: How many units, a whole number of at least 1.
        kind: How it is priced.
        most_paid: The limit as the most that one unit may cost, in dollars: a buy's limit price,
            a sell's limit price with a minus, a net debit, a net credit with a minus.
        stop: The price that wakes a stop order (a trailing one's first stop, if given).
        trail: Of trailing stops.
        duration: How long it lives.
        session: When it may trade.
        all_or_none: Whether a partial fill is refused.
    """

    legs: tuple[Leg, ...]
    quantity: int
    kind: Kind = Kind.MARKET
    most_paid: Decimal | None = None
    stop: Decimal | None = None
    trail: Trail | None = None
    duration: Duration = Duration.DAY
    session: TradingSession = TradingSession.NORMAL
    all_or_none: bool = False

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise InputError(f"an order has a quantity of at least 1, not {self.quantity}")
        if not self.legs:
            raise InputError("an order has at least one leg")
        if len({leg.symbol for leg in self.legs}) != len(self.legs):
            raise InputError("every leg of an order has a symbol of its own")
        if len(self.legs) > 1 and self.kind not in (Kind.MARKET, Kind.LIMIT):
            raise InputError(f"an order of several legs cannot be {self.kind}")
        if self.kind in LIMITED and self.most_paid is None:
            raise InputError(f"{self.kind} needs a limit price")
        if self.kind in (Kind.STOP, Kind.STOP_LIMIT) and self.stop is None:
            raise InputError(f"{self.kind} needs a stop price")
        if self.kind in TRAILING and self.trail is None:
            raise InputError(f"{self.kind} needs a trail")


@dataclass(frozen=True, slots=True)
class Ticket:
    """Orders that depend on each other.

    Attributes:
        order: The order of this node, None for a bare group (OCO).
        children: With an order: what its complete fill sets free (first-triggers). Without:
            orders of which one that fills cancels the others.
    """

    order: Order | None
    children: tuple[Ticket, ...] = ()

    def __post_init__(self) -> None:
        if self.order is None and len(self.children) < 2:
            raise InputError("a group of which one cancels the others has at least two orders")


def one_cancels_other(*tickets: Ticket) -> Ticket:
    """Return a group of which one that fills cancels the others."""
    return Ticket(None, tickets)


def first_triggers(order: Order, *then: Ticket) -> Ticket:
    """Return an order whose complete fill sets others free."""
    return Ticket(order, then)


def bracket(entry: Order, target: Order, protection: Order) -> Ticket:
    """Return an entry whose fill sets free a target and a stop, of which one cancels the other."""
    return first_triggers(entry, one_cancels_other(Ticket(target), Ticket(protection)))
