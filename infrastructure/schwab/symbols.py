"""Check symbols before they go on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable

from infrastructure.errors import UsageError

MAX_SYMBOLS = 500
"""Most symbols of one quotes request (schwab-api.md §2, limits)."""
_OPTION = re.compile(r"[A-Z0-9. ]{6}\d{6}[CP]\d{8}")
_FOREX = re.compile(r"[A-Z]{3}/[A-Z]{3}")


def checked_symbol(symbol: str) -> str:
    """Return the symbol in upper case, without outer blanks.

    The padding blanks inside a 21-character option symbol stay.

    Raises:
        UsageError: If it is empty, a list, or carries unprintable characters.
    """
    text = symbol.strip().upper()
    if not text:
        raise UsageError("The symbol is empty", next_step="Give one such as AAPL.")
    if "," in text:
        raise UsageError(
            f"{symbol!r} is a list, and one symbol is expected", next_step="Ask for each by itself."
        )
    if not text.isascii() or not text.isprintable():
        raise UsageError(f"The symbol {symbol!r} carries characters that no symbol has")
    return text


def checked_symbols(
    symbols: str | Iterable[str], most: int | None = MAX_SYMBOLS
) -> tuple[str, ...]:
    """Return the distinct symbols in their order.

    Args:
        symbols: Symbols, or one text with commas.
        most: So many at most; any number when None.

    Raises:
        UsageError: If one is malformed, or there are none or too many.
    """
    listed = symbols.split(",") if isinstance(symbols, str) else symbols
    distinct = tuple(dict.fromkeys(checked_symbol(symbol) for symbol in listed))
    if not distinct:
        raise UsageError("No symbol was given", next_step="Give at least one such as AAPL.")
    if most is not None and len(distinct) > most:
        raise UsageError(
            f"{len(distinct)} symbols are more than the {most} that Schwab takes at once",
            next_step="Ask for them in parts, as all_quotes does.",
        )
    return distinct


def class_without_history(symbol: str) -> str | None:
    """Return the asset class of a symbol for which Schwab keeps no candles, else None.

    Only equities, ETFs and indices have a price history (schwab-api.md §2.1, observed).
    """
    if symbol.startswith("./"):
        return "future option"
    if symbol.startswith("/"):
        return "future"
    if _OPTION.fullmatch(symbol):
        return "option"
    if _FOREX.fullmatch(symbol):
        return "forex pair"
    return None
