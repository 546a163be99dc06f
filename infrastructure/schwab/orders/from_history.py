"""Make an order again out of one that Schwab lists, and the Python code that builds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from infrastructure.errors import InputError
from infrastructure.schwab.orders.order import Leg, Order
from infrastructure.schwab.orders.words import (
    ComplexStrategy,
    Duration,
    Instruction,
    LinkBasis,
    LinkType,
    OrderType,
    SpecialInstruction,
    StopType,
    StrategyType,
    TaxLotMethod,
    TradingSession,
)

E = TypeVar("E", bound=StrEnum)

IMPORTS: Final = (
    "from decimal import Decimal\n\n"
    "from infrastructure.schwab.orders.order import Leg, Order\n"
    "from infrastructure.schwab.orders.words import *\n\n"
)
"""What the code of `as_code` needs."""


def order_again(listed: Mapping[str, Any]) -> Order:
    """Return the order that would be sent to place a listed one again.

    What belongs to the old order's life (ids, status, fills, times) is left behind, and so is a
    quantity that only repeats the one leg's.

    Args:
        listed: An order as `GET /accounts/{hash}/orders` has it.

    Raises:
        InputError: If it is no order that can be sent: an unknown word, a leg without instrument.
    """
    complex_strategy = _word(ComplexStrategy, listed, "complexOrderStrategyType")
    if complex_strategy is ComplexStrategy.NONE:
        complex_strategy = None
    legs = tuple(_leg(each) for each in listed.get("orderLegCollection") or ())
    return Order(
        order_type=_word(OrderType, listed, "orderType"),
        session=_word(TradingSession, listed, "session"),
        duration=_word(Duration, listed, "duration"),
        price=_price(listed, "price"),
        stop_price=_price(listed, "stopPrice"),
        stop_offset=_price(listed, "stopPriceOffset"),
        link_basis=_word(LinkBasis, listed, "stopPriceLinkBasis"),
        link_type=_word(LinkType, listed, "stopPriceLinkType"),
        complex_strategy=complex_strategy,
        quantity=None if complex_strategy is None else _whole(listed.get("quantity"), "quantity"),
        special=_word(SpecialInstruction, listed, "specialInstruction"),
        stop_type=_word(StopType, listed, "stopType"),
        tax_lots=_word(TaxLotMethod, listed, "taxLotMethod"),
        strategy_type=_word(StrategyType, listed, "orderStrategyType") or StrategyType.SINGLE,
        legs=legs,
        children=tuple(order_again(each) for each in listed.get("childOrderStrategies") or ()),
    )


def as_code(order: Order) -> str:
    """Return the Python expression that builds an order; `IMPORTS` must stand above it."""
    return _code(order, 0)


def _code(value: Any, depth: int) -> str:
    inner = "    " * (depth + 1)
    if isinstance(value, StrEnum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Decimal):
        return f'Decimal("{value}")'
    if isinstance(value, Order | Leg):
        empty = {field.name: field.default for field in fields(value)}
        set_ = [
            f"{inner}{name}={_code(getattr(value, name), depth + 1)},\n"
            for name in empty
            if getattr(value, name) != empty[name]
        ]
        return f"{type(value).__name__}(\n{''.join(set_)}{'    ' * depth})"
    if isinstance(value, tuple):
        lines = "".join(f"{inner}{_code(each, depth + 1)},\n" for each in value)
        return f"(\n{lines}{'    ' * depth})"
    return repr(value)


def _leg(leg: Mapping[str, Any]) -> Leg:
    instrument = leg.get("instrument") or {}
    asset, symbol = instrument.get("assetType"), instrument.get("symbol")
    # Schwab lists funds and ETFs under words of their own; an order names them as equities.
    if asset in ("COLLECTIVE_INVESTMENT", "ETF"):
        asset = "EQUITY"
    instruction = _word(Instruction, leg, "instruction")
    if asset not in ("EQUITY", "OPTION") or not symbol or instruction is None:
        raise InputError(
            f"a leg of {asset or 'nothing'} cannot be sent again",
            next_step="Orders of equities and options can.",
        )
    return Leg(instruction, str(symbol), _whole(leg.get("quantity"), "a leg's quantity"), asset)


def _word(kind: type[E], values: Mapping[str, Any], name: str) -> E | None:
    word = values.get(name)
    if word is None:
        return None
    try:
        return kind(word)
    except ValueError:
        raise InputError(
            f"{name} {word!r} is no word that an order can be sent with",
            next_step=f"Known are {', '.join(kind)}.",
        ) from None


def _price(values: Mapping[str, Any], name: str) -> Decimal | None:
    number = values.get(name)
    # A listed order holds 0.0 where it has no such price.
    return None if number in (None, 0) else Decimal(str(number)).normalize() + 0


def _whole(number: Any, what: str) -> int:
    if not isinstance(number, int | float) or number != int(number):
        raise InputError(f"{what} is {number!r}, and an order is sent in whole units")
    return int(number)
