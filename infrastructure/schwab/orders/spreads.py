"""Ready orders of several options at one net price, or of options with their shares.

Every price is the net one of a share: positive, a debit or a credit as the order says.
"""

from __future__ import annotations

from infrastructure.schwab.orders.order import Order, Price
from infrastructure.schwab.orders.words import (
    ComplexStrategy,
    Duration,
    Instruction,
    OrderType,
    TradingSession,
)

SHARES_A_CONTRACT = 100
_OPEN = (Instruction.BUY_TO_OPEN, Instruction.SELL_TO_OPEN)
_CLOSE = (Instruction.SELL_TO_CLOSE, Instruction.BUY_TO_CLOSE)


def vertical_open(
    long_symbol: str, short_symbol: str, quantity: int, price: Price, *, credit: bool
) -> Order:
    """Return the order that opens a vertical for a net debit, or for a net credit."""
    order = _spread(ComplexStrategy.VERTICAL, quantity, price, credit=credit)
    return _legs(order, _OPEN, (long_symbol,), (short_symbol,), quantity)


def vertical_close(
    long_symbol: str, short_symbol: str, quantity: int, price: Price, *, credit: bool
) -> Order:
    """Return the order that closes a vertical for a net credit, or for a net debit."""
    order = _spread(ComplexStrategy.VERTICAL, quantity, price, credit=credit)
    return _legs(order, _CLOSE, (long_symbol,), (short_symbol,), quantity)


def iron_condor_open(
    long_put: str, short_put: str, short_call: str, long_call: str, quantity: int, credit: Price
) -> Order:
    """Return the order that opens an iron condor for a net credit."""
    order = _spread(ComplexStrategy.IRON_CONDOR, quantity, credit, credit=True)
    return _legs(order, _OPEN, (long_put, long_call), (short_put, short_call), quantity)


def iron_condor_close(
    long_put: str, short_put: str, short_call: str, long_call: str, quantity: int, debit: Price
) -> Order:
    """Return the order that closes an iron condor for a net debit."""
    order = _spread(ComplexStrategy.IRON_CONDOR, quantity, debit, credit=False)
    return _legs(order, _CLOSE, (long_put, long_call), (short_put, short_call), quantity)


def condor_open(
    lowest: str, lower: str, higher: str, highest: str, quantity: int, debit: Price
) -> Order:
    """Return the order that opens a long condor of calls or of puts: its wings are bought."""
    order = _spread(ComplexStrategy.CONDOR, quantity, debit, credit=False)
    return _legs(order, _OPEN, (lowest, highest), (lower, higher), quantity)


def condor_close(
    lowest: str, lower: str, higher: str, highest: str, quantity: int, credit: Price
) -> Order:
    """Return the order that closes a long condor."""
    order = _spread(ComplexStrategy.CONDOR, quantity, credit, credit=True)
    return _legs(order, _CLOSE, (lowest, highest), (lower, higher), quantity)


def butterfly_open(lower: str, middle: str, upper: str, quantity: int, debit: Price) -> Order:
    """Return the order that opens a long butterfly: two of the middle are sold for each wing."""
    order = _spread(ComplexStrategy.BUTTERFLY, quantity, debit, credit=False)
    order = order.add_option(Instruction.BUY_TO_OPEN, lower, quantity)
    order = order.add_option(Instruction.SELL_TO_OPEN, middle, 2 * quantity)
    return order.add_option(Instruction.BUY_TO_OPEN, upper, quantity)


def butterfly_close(lower: str, middle: str, upper: str, quantity: int, credit: Price) -> Order:
    """Return the order that closes a long butterfly."""
    order = _spread(ComplexStrategy.BUTTERFLY, quantity, credit, credit=True)
    order = order.add_option(Instruction.SELL_TO_CLOSE, lower, quantity)
    order = order.add_option(Instruction.BUY_TO_CLOSE, middle, 2 * quantity)
    return order.add_option(Instruction.SELL_TO_CLOSE, upper, quantity)


def straddle_open(call: str, put: str, quantity: int, price: Price, *, credit: bool) -> Order:
    """Return the order that buys a straddle for a net debit, or sells it for a net credit."""
    order = _spread(ComplexStrategy.STRADDLE, quantity, price, credit=credit)
    return _same_side(order, _OPEN[credit], (call, put), quantity)


def straddle_close(call: str, put: str, quantity: int, price: Price, *, credit: bool) -> Order:
    """Return the order that sells a bought straddle (credit), or buys a sold one back."""
    order = _spread(ComplexStrategy.STRADDLE, quantity, price, credit=credit)
    return _same_side(order, _CLOSE[not credit], (call, put), quantity)


def strangle_open(call: str, put: str, quantity: int, price: Price, *, credit: bool) -> Order:
    """Return the order that buys a strangle for a net debit, or sells it for a net credit."""
    order = _spread(ComplexStrategy.STRANGLE, quantity, price, credit=credit)
    return _same_side(order, _OPEN[credit], (call, put), quantity)


def strangle_close(call: str, put: str, quantity: int, price: Price, *, credit: bool) -> Order:
    """Return the order that sells a bought strangle (credit), or buys a sold one back."""
    order = _spread(ComplexStrategy.STRANGLE, quantity, price, credit=credit)
    return _same_side(order, _CLOSE[not credit], (call, put), quantity)


def calendar_open(near: str, far: str, quantity: int, debit: Price) -> Order:
    """Return the order that opens a long calendar: the far expiry is bought, the near one sold."""
    order = _spread(ComplexStrategy.CALENDAR, quantity, debit, credit=False)
    return _legs(order, _OPEN, (far,), (near,), quantity)


def calendar_close(near: str, far: str, quantity: int, credit: Price) -> Order:
    """Return the order that closes a long calendar."""
    order = _spread(ComplexStrategy.CALENDAR, quantity, credit, credit=True)
    return _legs(order, _CLOSE, (far,), (near,), quantity)


def collar_open(put: str, call: str, quantity: int, price: Price, *, credit: bool) -> Order:
    """Return the order that puts a collar around shares that are held."""
    order = _spread(ComplexStrategy.COLLAR_SYNTHETIC, quantity, price, credit=credit)
    return _legs(order, _OPEN, (put,), (call,), quantity)


def collar_with_stock(symbol: str, put: str, call: str, quantity: int, debit: Price) -> Order:
    """Return the order that buys shares, a hundred a contract, together with their collar."""
    order = _spread(ComplexStrategy.COLLAR_WITH_STOCK, quantity, debit, credit=False)
    order = order.add_equity(Instruction.BUY, symbol, SHARES_A_CONTRACT * quantity)
    return _legs(order, _OPEN, (put,), (call,), quantity)


def covered_call(symbol: str, call: str, quantity: int, debit: Price) -> Order:
    """Return the order that buys shares, a hundred a contract, and sells calls on them."""
    order = _spread(ComplexStrategy.COVERED, quantity, debit, credit=False)
    order = order.add_equity(Instruction.BUY, symbol, SHARES_A_CONTRACT * quantity)
    return order.add_option(Instruction.SELL_TO_OPEN, call, quantity)


def _spread(kind: ComplexStrategy, quantity: int, price: Price, *, credit: bool) -> Order:
    order_type = OrderType.NET_CREDIT if credit else OrderType.NET_DEBIT
    order = Order(order_type, TradingSession.NORMAL, Duration.DAY)
    return order.with_price(price).with_complex(kind, quantity)


def _legs(
    order: Order,
    words: tuple[Instruction, Instruction],
    long: tuple[str, ...],
    short: tuple[str, ...],
    quantity: int,
) -> Order:
    return _same_side(_same_side(order, words[0], long, quantity), words[1], short, quantity)


def _same_side(order: Order, word: Instruction, symbols: tuple[str, ...], quantity: int) -> Order:
    for symbol in symbols:
        order = order.add_option(word, symbol, quantity)
    return order
