"""Ready orders: equities, options, and orders that contain or trigger others."""

from __future__ import annotations

from infrastructure.schwab.orders.order import Order, Price
from infrastructure.schwab.orders.words import (
    Duration,
    Instruction,
    LinkType,
    OrderType,
    StrategyType,
    TradingSession,
)

_DAY = Order(session=TradingSession.NORMAL, duration=Duration.DAY)


def _base(kind: OrderType, price: Price | None = None, stop: Price | None = None) -> Order:
    order = _DAY.with_type(kind)
    order = order if price is None else order.with_price(price)
    return order if stop is None else order.with_stop(stop)


def equity_market(instruction: Instruction | str, symbol: str, quantity: int) -> Order:
    """Return a market order of shares."""
    return _base(OrderType.MARKET).add_equity(instruction, symbol, quantity)


def equity_limit(instruction: Instruction | str, symbol: str, quantity: int, price: Price) -> Order:
    """Return a limit order of shares."""
    return _base(OrderType.LIMIT, price).add_equity(instruction, symbol, quantity)


def equity_stop(instruction: Instruction | str, symbol: str, quantity: int, stop: Price) -> Order:
    """Return a stop order of shares: a market order once the stop is reached."""
    return _base(OrderType.STOP, stop=stop).add_equity(instruction, symbol, quantity)


def equity_stop_limit(
    instruction: Instruction | str, symbol: str, quantity: int, stop: Price, price: Price
) -> Order:
    """Return a stop-limit order of shares: a limit order once the stop is reached."""
    return _base(OrderType.STOP_LIMIT, price, stop).add_equity(instruction, symbol, quantity)


def equity_trailing_stop(
    instruction: Instruction | str,
    symbol: str,
    quantity: int,
    offset: Price,
    unit: LinkType | str = LinkType.VALUE,
) -> Order:
    """Return a stop that follows the last price at an offset in dollars, percent or ticks."""
    order = _base(OrderType.TRAILING_STOP).with_trail(offset, unit)
    return order.add_equity(instruction, symbol, quantity)


def equity_trailing_stop_limit(
    instruction: Instruction | str,
    symbol: str,
    quantity: int,
    offset: Price,
    price: Price,
    unit: LinkType | str = LinkType.VALUE,
) -> Order:
    """Return a stop that follows the last price, and becomes a limit order once reached."""
    order = _base(OrderType.TRAILING_STOP_LIMIT, price).with_trail(offset, unit)
    return order.add_equity(instruction, symbol, quantity)


def equity_market_on_close(instruction: Instruction | str, symbol: str, quantity: int) -> Order:
    """Return a market order of shares for the closing auction."""
    return _base(OrderType.MARKET_ON_CLOSE).add_equity(instruction, symbol, quantity)


def equity_limit_on_close(
    instruction: Instruction | str, symbol: str, quantity: int, price: Price
) -> Order:
    """Return a limit order of shares for the closing auction."""
    return _base(OrderType.LIMIT_ON_CLOSE, price).add_equity(instruction, symbol, quantity)


def option_market(instruction: Instruction | str, symbol: str, quantity: int) -> Order:
    """Return a market order of one option."""
    return _base(OrderType.MARKET).add_option(instruction, symbol, quantity)


def option_limit(instruction: Instruction | str, symbol: str, quantity: int, price: Price) -> Order:
    """Return a limit order of one option."""
    return _base(OrderType.LIMIT, price).add_option(instruction, symbol, quantity)


def option_stop(instruction: Instruction | str, symbol: str, quantity: int, stop: Price) -> Order:
    """Return a stop order of one option."""
    return _base(OrderType.STOP, stop=stop).add_option(instruction, symbol, quantity)


def option_stop_limit(
    instruction: Instruction | str, symbol: str, quantity: int, stop: Price, price: Price
) -> Order:
    """Return a stop-limit order of one option."""
    return _base(OrderType.STOP_LIMIT, price, stop).add_option(instruction, symbol, quantity)


def option_trailing_stop(
    instruction: Instruction | str,
    symbol: str,
    quantity: int,
    offset: Price,
    unit: LinkType | str = LinkType.VALUE,
) -> Order:
    """Return a trailing stop of one option."""
    order = _base(OrderType.TRAILING_STOP).with_trail(offset, unit)
    return order.add_option(instruction, symbol, quantity)


def option_trailing_stop_limit(
    instruction: Instruction | str,
    symbol: str,
    quantity: int,
    offset: Price,
    price: Price,
    unit: LinkType | str = LinkType.VALUE,
) -> Order:
    """Return a trailing stop of one option that becomes a limit order once reached."""
    order = _base(OrderType.TRAILING_STOP_LIMIT, price).with_trail(offset, unit)
    return order.add_option(instruction, symbol, quantity)


def one_cancels_other(first: Order, second: Order) -> Order:
    """Return the container of two orders of which the first to fill cancels the other."""
    return Order(strategy_type=StrategyType.OCO, children=(first, second))


def first_triggers(first: Order, second: Order) -> Order:
    """Return the first order, which once filled places the second."""
    return first.triggering(second)


def bracket(entry: Order, target: Order, stop: Order) -> Order:
    """Return the entry, which once filled places a target and a stop that cancel each other."""
    return entry.triggering(one_cancels_other(target, stop))
