"""How exchanges write prices: decimals, Treasury thirty-seconds, grain eighths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from infrastructure.errors import InputError

# The last digit of a Treasury quote stands for a fraction of a thirty-second, cut to one digit:
# 2 is a quarter (.25), 7 three quarters (.75). CBOT specification page of 2-Year Notes.
_EIGHTH_DIGITS: Final = "01235678"
_FRACTIONAL: Final = re.compile(r"(-?)(\d+)['^-](\d{1,3})")
_ROUNDING: Final = 1e-7


class PriceFormat(Protocol):
    """Print a price as traders read it, and read it back."""

    def format(self, price: float) -> str:
        """Return the text of a price; raise InputError when the price is off the grid."""

    def parse(self, text: str) -> float:
        """Return the price of a text; raise InputError when it is malformed."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """Write a price with a fixed number of decimals.

    Attributes:
        places: How many.
    """

    places: int

    def format(self, price: float) -> str:
        """Return the price rounded to the number of decimals."""
        return f"{price:.{self.places}f}"

    def parse(self, text: str) -> float:
        """Return the price of a decimal number.

        Raises:
            InputError: If the text is not one.
        """
        return _decimal(text)


@dataclass(frozen=True, slots=True)
class ThirtySeconds:
    """Write a price in points and thirty-seconds: 110'165 is 110 and 16.5 thirty-seconds.

    Attributes:
        parts: Into how many parts a thirty-second divides: 1 (118'16), 2 (110'165), 4 (107'082),
            or 8 (103'201).
    """

    parts: int

    def format(self, price: float) -> str:
        """Return points, an apostrophe, two digits of thirty-seconds and one of its parts.

        Raises:
            InputError: If the price is not a multiple of the smallest part.
        """
        sign, units = _grid(price, 32 * self.parts, "thirty-seconds")
        points, rest = divmod(units, 32 * self.parts)
        whole, part = divmod(rest, self.parts)
        digit = "" if self.parts == 1 else _EIGHTH_DIGITS[part * 8 // self.parts]
        return f"{sign}{points}'{whole:02d}{digit}"

    def parse(self, text: str) -> float:
        """Return the price; a hyphen may stand for the apostrophe, decimals are taken too.

        Raises:
            InputError: If the text is malformed, the thirty-seconds pass 31, or the last digit
                names no part of a thirty-second that this format knows.
        """
        match = _FRACTIONAL.fullmatch(text.strip())
        if match is None:
            return _decimal(text)
        sign, points, digits = match.groups()
        whole, digit = int(digits[:2]), digits[2:] or "0"
        eighths = _EIGHTH_DIGITS.find(digit)
        if len(digits) < 2 or whole > 31 or eighths < 0 or eighths * self.parts % 8:
            raise InputError(
                f"{text!r} is not a price in thirty-seconds, expected a form like "
                f"{self.format(110.5)} with 00 to 31 after the apostrophe"
            )
        price = int(points) + (whole + eighths / 8) / 32
        return -price if sign else price


@dataclass(frozen=True, slots=True)
class Eighths:
    """Write a price in cents and eighths of a cent: 455'2 is 455.25."""

    def format(self, price: float) -> str:
        """Return whole units, an apostrophe and the eighths.

        Raises:
            InputError: If the price is not a multiple of an eighth.
        """
        sign, units = _grid(price, 8, "eighths")
        return f"{sign}{units // 8}'{units % 8}"

    def parse(self, text: str) -> float:
        """Return the price; a hyphen may stand for the apostrophe, decimals are taken too.

        Raises:
            InputError: If the text is malformed.
        """
        match = _FRACTIONAL.fullmatch(text.strip())
        if match is None:
            return _decimal(text)
        sign, whole, digits = match.groups()
        if len(digits) != 1 or digits > "7":
            raise InputError(f"{text!r} is not a price in eighths, expected a form like 455'2")
        price = int(whole) + int(digits) / 8
        return -price if sign else price


def _grid(price: float, parts: int, unit: str) -> tuple[str, int]:
    units = round(abs(price) * parts)
    if abs(abs(price) * parts - units) > _ROUNDING * parts:
        raise InputError(
            f"the price {price} does not lie on the grid of 1/{parts} ({unit}), "
            f"the nearest that does is {units / parts}"
        )
    return ("-" if price < 0 and units else ""), units


def _decimal(text: str) -> float:
    if re.fullmatch(r"\s*-?(\d+(\.\d*)?|\.\d+)\s*", text) is None:
        raise InputError(f"{text!r} is not a price")
    return float(text)
