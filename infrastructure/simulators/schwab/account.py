"""One simulated account: its cash, positions and transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Final, Literal

from infrastructure.matching.events import Filled
from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import Order

SHARES_AN_OPTION: Final = 100
START_CASH: Final = Decimal(100_000)
_OSI_LENGTH: Final = 21


def shares_in(symbol: str) -> int:
    """Return for how many shares one unit of a symbol's price stands."""
    return SHARES_AN_OPTION if len(symbol) == _OSI_LENGTH else 1


@dataclass(slots=True)
class Position:
    """What is held of one symbol.

    Attributes:
        quantity: Shares or contracts, below 0 when short.
        cost: What it cost in dollars, below 0 when short.
    """

    quantity: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Trade:
    """One leg of one fill, as a transaction.

    Attributes:
        activity_id: Its number.
        order_id: The order's.
        symbol: What was traded.
        quantity: Units, below 0 when sold.
        price: Dollars for one share.
        net: What it did to the cash.
        is_opening: Whether it made a position larger.
        ns: When, nanoseconds UTC.
    """

    activity_id: int
    order_id: int
    symbol: str
    quantity: int
    price: Decimal
    net: Decimal
    is_opening: bool
    ns: int


@dataclass(slots=True)
class Account:
    """One account. Invented money: it starts with 100,000 dollars.

    Attributes:
        number: Eight digits.
        kind: MARGIN may go short and buy for twice its equity.
        cash: Dollars.
        positions: By symbol; none of quantity 0.
        trades: What was traded, oldest first.
    """

    number: str
    kind: Literal["MARGIN", "CASH"]
    nick_name: str
    cash: Decimal = START_CASH
    positions: dict[str, Position] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)

    @property
    def hash_value(self) -> str:
        """Return the 64 upper-case hex digits that stand for the number in paths. [O]"""
        return sha256(f"simulated account {self.number}".encode()).hexdigest().upper()

    def market_value(self, quotes: Mapping[str, MarketQuote], side: int = 0) -> Decimal:
        """Return what the positions are worth in dollars: all, long (1) or short (-1) ones."""
        total = Decimal(0)
        for symbol, held in self.positions.items():
            quote = quotes.get(symbol)
            mark = None if quote is None else quote.price("MARK")
            worth = held.cost if mark is None else mark * held.quantity * shares_in(symbol)
            if side == 0 or held.quantity * side > 0:
                total += worth
        return total

    def buying_power(self, quotes: Mapping[str, MarketQuote]) -> Decimal:
        """Return for how many dollars it can buy: half of a margin account's is lent."""
        if self.kind == "CASH":
            return self.cash
        long, short = self.market_value(quotes, 1), self.market_value(quotes, -1)
        return 2 * (self.cash + long + short) - long + short

    def refusal(self, order: Order, quotes: Mapping[str, MarketQuote]) -> str | None:
        """Return why an order is not admitted; the texts are not established. [?]"""
        cost = Decimal(0)
        for leg in order.legs:
            held = self.positions.get(leg.symbol, Position()).quantity
            after = held + leg.side * leg.ratio * order.quantity
            if after < 0 and self.kind == "CASH":
                return "Position_Sys_0001: the account does not hold what it sells."
            quote = quotes.get(leg.symbol)
            price = None if quote is None else (quote.ask if leg.side > 0 else quote.bid)
            if abs(after) > abs(held):
                cost += leg.side * leg.ratio * (price or Decimal(0)) * shares_in(leg.symbol)
        first = order.legs[0]
        if len(order.legs) == 1 and order.most_paid is not None and cost > 0:
            cost = abs(order.most_paid) * shares_in(first.symbol)
        if abs(cost) * order.quantity > self.buying_power(quotes) and cost != 0:
            return "Account_Sys_0005: there is not enough buying power for this order."
        return None

    def book(self, order: Order, fill: Filled, first_activity_id: int) -> list[Trade]:
        """Take a fill into cash and positions, and return its transactions."""
        made = []
        for number, (leg, price) in enumerate(zip(order.legs, fill.prices, strict=True)):
            quantity = leg.side * leg.ratio * fill.quantity
            net = -quantity * price * shares_in(leg.symbol)
            held = self.positions.setdefault(leg.symbol, Position())
            is_opening = held.quantity * quantity >= 0
            if is_opening:
                held.cost -= net
            elif abs(quantity) <= abs(held.quantity):
                held.cost += held.cost / held.quantity * quantity
            else:
                held.cost = -net / quantity * (held.quantity + quantity)
            held.quantity += quantity
            if held.quantity == 0:
                del self.positions[leg.symbol]
            self.cash += net
            made.append(
                Trade(
                    first_activity_id + number,
                    fill.order_id,
                    leg.symbol,
                    quantity,
                    price,
                    net,
                    is_opening,
                    fill.ns,
                )
            )
        self.trades += made
        return made
