"""Prices of orders: Decimal, and Schwab's rule of decimals.

From one dollar upwards two decimals, below it four (schwab-api.md §2.2, order rules). A finer price
is refused, never cut silently; `truncated` cuts on purpose, towards zero as Schwab's clients do.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, InvalidOperation

from infrastructure.errors import InvalidOrder

_CENTS = Decimal("0.01")
_HUNDREDTHS_OF_CENTS = Decimal("0.0001")


def exact(value: Decimal | int | str, what: str) -> Decimal:
    """Return a price as Decimal.

    Raises:
        InvalidOrder: If it is a float, whose decimals are not what was typed, or no number.
    """
    if isinstance(value, float | bool):
        raise InvalidOrder(
            f"the {what} {value!r} is a {type(value).__name__}",
            next_step=f"Give Decimal('{value}') or the text '{value}'.",
        )
    try:
        price = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise InvalidOrder(f"the {what} {value!r} is no number") from None
    if not price.is_finite():
        raise InvalidOrder(f"the {what} {value!r} is no finite number")
    return price


def step(price: Decimal) -> Decimal:
    """Return the finest step that Schwab takes at a price."""
    return _HUNDREDTHS_OF_CENTS if price != 0 and abs(price) < 1 else _CENTS


def truncated(price: Decimal) -> Decimal:
    """Return the price cut, towards zero, to the decimals that Schwab takes."""
    return price.quantize(step(price), rounding=ROUND_DOWN)


def is_on_step(price: Decimal) -> bool:
    """Tell whether Schwab takes the price as it stands."""
    return truncated(price) == price


def wire_price(price: Decimal) -> str:
    """Return the price as Schwab's clients write it: 10.00, 0.1234."""
    return str(truncated(price))
