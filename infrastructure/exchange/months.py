"""Delivery month codes of futures."""

from __future__ import annotations

from typing import Final

from infrastructure.errors import InputError

MONTH_CODES: Final = "FGHJKMNQUVXZ"
ALL_MONTHS: Final = MONTH_CODES
QUARTERLY: Final = "HMUZ"


def month_code(month: int) -> str:
    """Return the letter of a month, F for January to Z for December.

    Raises:
        InputError: If the month is not 1 to 12.
    """
    if not 1 <= month <= 12:
        raise InputError(f"month {month} is not a month, expected 1 to 12")
    return MONTH_CODES[month - 1]


def month_of_code(code: str) -> int:
    """Return the month, 1 to 12, of a delivery month's letter.

    Raises:
        InputError: If the letter is none of FGHJKMNQUVXZ.
    """
    position = MONTH_CODES.find(code) if len(code) == 1 else -1
    if position < 0:
        raise InputError(f"{code!r} is not a delivery month, expected one of {MONTH_CODES}")
    return position + 1
