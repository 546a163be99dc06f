"""Ready orders: equities, options, spreads, and orders that contain or trigger others."""

from __future__ import annotations

from infrastructure.schwab.orders.order import Order, Price
from infrastructure.schwab.orders.words import (
    ComplexStrategy,
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


def vertical_open(
    long_symbol: str, short_symbol: str, quantity: int, price: Price, *, credit: bool
) -> Order:
    """Return the order that opens a vertical for a net debit, or for a net credit."""
    return (
        _spread(ComplexStrategy.VERTICAL, quantity, price, credit=credit)
        .add_option(Instruction.BUY_TO_OPEN, long_symbol, quantity)
        .add_option(Instruction.SELL_TO_OPEN, short_symbol, quantity)
    )


def vertical_close(
    long_symbol: str, short_symbol: str, quantity: int, price: Price, *, credit: bool
) -> Order:
    """Return the order that closes a vertical for a net credit, or for a net debit."""
    return (
        _spread(ComplexStrategy.VERTICAL, quantity, price, credit=credit)
        .add_option(Instruction.SELL_TO_CLOSE, long_symbol, quantity)
        .add_option(Instruction.BUY_TO_CLOSE, short_symbol, quantity)
    )


def iron_condor_open(
    long_put: str, short_put: str, short_call: str, long_call: str, quantity: int, credit: Price
) -> Order:
    """Return the order that opens an iron condor for a net credit."""
    order = _spread(ComplexStrategy.IRON_CONDOR, quantity, credit, credit=True)
    legs = (
        (Instruction.BUY_TO_OPEN, long_put),
        (Instruction.SELL_TO_OPEN, short_put),
        (Instruction.SELL_TO_OPEN, short_call),
        (Instruction.BUY_TO_OPEN, long_call),
    )
    for instruction, symbol in legs:
        order = order.add_option(instruction, symbol, quantity)
    return order


def one_cancels_other(first: Order, second: Order) -> Order:
    """Return the container of two orders of which the first to fill cancels the other."""
    return Order(strategy_type=StrategyType.OCO, children=(first, second))


def first_triggers(first: Order, second: Order) -> Order:
    """Return the first order, which once filled places the second."""
    return first.triggering(second)


def bracket(entry: Order, target: Order, stop: Order) -> Order:
    """Return the entry, which once filled places a target and a stop that cancel each other."""
    return entry.triggering(one_cancels_other(target, stop))


def _spread(kind: ComplexStrategy, quantity: int, price: Price, *, credit: bool) -> Order:
    order_type = OrderType.NET_CREDIT if credit else OrderType.NET_DEBIT
    return _base(order_type, price).with_complex(kind, quantity)
