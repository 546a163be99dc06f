"""What makes an order one that Schwab would refuse or misread: checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from infrastructure.errors import InvalidOrder
from infrastructure.schwab.orders.order import Leg, Order
from infrastructure.schwab.orders.prices import is_on_step, truncated
from infrastructure.schwab.orders.words import (
    Duration,
    Instruction,
    OrderType,
    StrategyType,
    TradingSession,
)

_T, _I = OrderType, Instruction
PRICED = frozenset(
    {
        _T.LIMIT,
        _T.STOP_LIMIT,
        _T.LIMIT_ON_CLOSE,
        _T.NET_DEBIT,
        _T.NET_CREDIT,
        _T.TRAILING_STOP_LIMIT,
    }
)
NET = frozenset({_T.NET_DEBIT, _T.NET_CREDIT, _T.NET_ZERO})
STOPPED = frozenset({_T.STOP, _T.STOP_LIMIT})
TRAILING = frozenset({_T.TRAILING_STOP, _T.TRAILING_STOP_LIMIT})
ON_CLOSE = frozenset({_T.MARKET_ON_CLOSE, _T.LIMIT_ON_CLOSE})
EQUITY_WORDS = frozenset({_I.BUY, _I.SELL, _I.SELL_SHORT, _I.BUY_TO_COVER})
REFUSED_FOR_EQUITIES = frozenset(
    {
        Duration.IMMEDIATE_OR_CANCEL,
        Duration.END_OF_WEEK,
        Duration.END_OF_MONTH,
        Duration.NEXT_END_OF_MONTH,
    }
)
"""Durations that Schwab answers with 400 for equities (schwab-api.md §2.2, order rules)."""


def check_order(order: Order) -> None:
    """Refuse an order that cannot be meant.

    Raises:
        InvalidOrder: With every fault; nothing was sent.
    """
    faults = tuple(dict.fromkeys(order_faults(order)))
    if faults:
        raise InvalidOrder(
            f"the order was not sent: {'; '.join(faults)}",
            faults=faults,
            next_step="Mend the order and send it again.",
        )


def order_faults(order: Order) -> Iterator[str]:
    """Yield one sentence for each fault of an order and of its children."""
    if order.strategy_type is StrategyType.OCO:
        if len(order.children) != 2:
            yield f"an OCO order holds two orders, not {len(order.children)}"
        if order.legs or order.order_type is not None or order.price is not None:
            yield "an OCO order is a container and trades nothing itself"
    else:
        if order.strategy_type is StrategyType.TRIGGER and not order.children:
            yield "a TRIGGER order has no order to trigger"
        if order.strategy_type is StrategyType.SINGLE and order.children:
            yield "a SINGLE order has children"
        yield from _own_faults(order)
    for child in order.children:
        yield from order_faults(child)


def _own_faults(order: Order) -> Iterator[str]:
    kind = order.order_type
    if kind is None:
        yield "the order type is missing"
        return
    if not order.legs:
        yield "there is no leg: nothing to trade"
    if order.session is None or order.duration is None:
        yield "session and duration are needed"
    yield from _price_faults(order, kind)
    for leg in order.legs:
        yield from _leg_faults(leg)
    symbols = [leg.symbol for leg in order.legs]
    if len(set(symbols)) != len(symbols):
        yield "one symbol is in two legs"
    if kind in NET and (len(order.legs) < 2 or order.complex_strategy is None):
        yield f"{kind} is for spreads: two or more legs and a complex strategy"
    if kind not in NET and len(order.legs) > 1:
        yield f"{kind} has one leg; a spread is NET_DEBIT, NET_CREDIT or NET_ZERO"
    if kind in ON_CLOSE and order.duration not in (None, Duration.DAY):
        yield f"{kind} ends with its day, not {order.duration}"
    if order.quantity is not None and order.quantity < 1:
        yield f"the quantity {order.quantity} of spreads is not positive"
    if order.session not in (None, TradingSession.NORMAL) and kind is not OrderType.LIMIT:
        yield f"outside the normal session only LIMIT orders trade, not {kind}"
    if order.stop_type is not None and kind not in STOPPED | TRAILING:
        yield f"{kind} has no stop, and so no stop type"
    equities = any(leg.asset == "EQUITY" for leg in order.legs)
    if equities and order.duration in REFUSED_FOR_EQUITIES:
        yield f"Schwab refuses the duration {order.duration} for equities"


def _price_faults(order: Order, kind: OrderType) -> Iterator[str]:
    if kind in PRICED and order.price is None and kind is not OrderType.TRAILING_STOP_LIMIT:
        yield f"{kind} needs a price"
    if kind not in PRICED and order.price is not None:
        yield f"{kind} takes no price"
    if (kind in STOPPED) != (order.stop_price is not None):
        yield f"{kind} {'needs a' if kind in STOPPED else 'takes no'} stop price"
    if (kind in TRAILING) != (order.stop_offset is not None):
        yield f"{kind} {'needs an' if kind in TRAILING else 'takes no'} offset of a trailing stop"
    named = (("price", order.price), ("stop price", order.stop_price))
    for name, price in named:
        yield from _amount_faults(name, price)
    if order.stop_offset is not None and order.stop_offset <= 0:
        yield f"the offset {order.stop_offset} of the trailing stop is not positive"


def _amount_faults(name: str, price: Decimal | None) -> Iterator[str]:
    if price is None:
        return
    if price <= 0:
        yield f"the {name} {price} is not positive"
    elif not is_on_step(price):
        decimals = "four decimals below" if price < 1 else "two decimals from"
        yield f"the {name} {price} is too fine: {decimals} one dollar, such as {truncated(price)}"


def _leg_faults(leg: Leg) -> Iterator[str]:
    if type(leg.quantity) is not int or leg.quantity < 1:
        yield f"the quantity {leg.quantity!r} of {leg.symbol} is no positive whole number"
    if (leg.instruction in EQUITY_WORDS) != (leg.asset == "EQUITY"):
        yield f"{leg.instruction} is no instruction for the {leg.asset.lower()} {leg.symbol}"
