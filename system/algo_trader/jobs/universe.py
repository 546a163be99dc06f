"""Read a list of symbols from a file."""

from __future__ import annotations

from pathlib import Path

from infrastructure.errors import UnknownSymbol, UsageError
from infrastructure.exchange.symbology import parse_symbol
from infrastructure.supervision.files import told_in_a_sentence


def read_universe(path: Path) -> list[str]:
    """Return the symbols of a text or CSV file, each once, in their order.

    A line holds a symbol, or fields of which the first is one; a header that begins with
    "symbol", empty lines and what follows a # count nothing.

    Raises:
        UsageError: If the file holds no symbol, or a line is none; the line is named.
        OperatorError: If it cannot be read.
    """
    with told_in_a_sentence(path, "read"):
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    symbols: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].split(",")[0].strip().strip('"')
        if not word or (not symbols and word.lower() in ("symbol", "symbols", "ticker")):
            continue
        try:
            symbols[str(parse_symbol(word.upper()))] = None
        except UnknownSymbol as error:
            raise UsageError(
                f"line {number} of {path} is no symbol: {word}",
                next_step="Write one symbol a line.",
            ) from error
    if not symbols:
        raise UsageError(f"{path} names no symbol", next_step="Write one symbol a line.")
    return list(symbols)
