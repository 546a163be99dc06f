"""What an order is worth at most: what `trading.max_notional` is compared with."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from infrastructure.exchange.symbology import parse_option
from infrastructure.schwab.orders.order import Leg, Order
from infrastructure.schwab.orders.words import Instruction

SHARES_A_CONTRACT = 100
_BUYS = frozenset(
    {Instruction.BUY, Instruction.BUY_TO_COVER, Instruction.BUY_TO_OPEN, Instruction.BUY_TO_CLOSE}
)


def order_notional(
    order: Order, reference_price: Callable[[str], Decimal | None]
) -> Decimal | None:
    """Return an order's value in dollars with all its children, None when no price bounds it.

    A limit bounds what is bought; what is sold may bring more than its limit, and an order without
    a limit anything, so there the market's price counts if it is higher. Options count the premium
    or, if more, the strike of every contract sold to open: a bound that no spread exceeds.

    Args:
        order: The order.
        reference_price: Returns a symbol's price in the market, None without one.
    """
    total = Decimal(0)
    for leg in order.legs if len(order.legs) == 1 else ():
        price = _leg_price(order, leg, reference_price)
        if price is None:
            return None
        total += max(price * _shares(leg), _sold(leg))
    if len(order.legs) > 1:
        if order.price is None:
            return None
        # A net price is one of a share, or of each share of a contract: of the larger number.
        shares = max(_shares(leg) for leg in order.legs)
        sold = sum((_sold(leg) for leg in order.legs), Decimal(0))
        total += max(order.price * shares, sold)
    for child in order.children:
        worth = order_notional(child, reference_price)
        if worth is None:
            return None
        total += worth
    return total


def _leg_price(
    order: Order, leg: Leg, reference_price: Callable[[str], Decimal | None]
) -> Decimal | None:
    if order.price is not None and leg.instruction in _BUYS:
        return order.price
    market = reference_price(leg.symbol)
    if market is None:
        return None
    return max(price for price in (market, order.price, order.stop_price) if price is not None)


def _shares(leg: Leg) -> int:
    return leg.quantity * (SHARES_A_CONTRACT if leg.asset == "OPTION" else 1)


def _sold(leg: Leg) -> Decimal:
    if leg.instruction is not Instruction.SELL_TO_OPEN:
        return Decimal(0)
    return parse_option(leg.symbol).strike * leg.quantity * SHARES_A_CONTRACT
