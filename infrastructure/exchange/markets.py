"""Which calendar a symbol trades by."""

from __future__ import annotations

from infrastructure.errors import InputError
from infrastructure.exchange.calendars import Calendar, calendar
from infrastructure.exchange.contracts import spec
from infrastructure.exchange.symbology import (
    Forex,
    Future,
    FutureOption,
    FutureRoot,
    Index,
    Option,
    Symbol,
    parse_symbol,
)


def calendar_of(symbol: Symbol | str) -> Calendar:
    """Return the calendar that a symbol trades by.

    Stocks, funds and the indices made of them follow the NYSE; options on indices trade a quarter
    hour longer than those on stocks (a few on broad funds do too, which the symbol does not tell);
    futures follow their product group.

    Args:
        symbol: The symbol or its text.

    Raises:
        UnknownSymbol: If the text is no symbol or the futures root is not in the table.
        InputError: If no exchange calendar fits: currency pairs trade over the counter, and the
            roots of options on futures are not in the table.
    """
    found = parse_symbol(symbol) if isinstance(symbol, str) else symbol
    if isinstance(found, Future | FutureRoot):
        return calendar(spec(found.root).calendar)
    if isinstance(found, Option):
        on_index = isinstance(found.underlying, Index)
        return calendar("CBOE_INDEX_OPTIONS" if on_index else "CBOE_EQUITY_OPTIONS")
    if isinstance(found, Forex | FutureOption):
        raise InputError(
            f"no exchange calendar is known for {found}",
            next_step="Ask for the calendar of its underlying future, such as /6E or /ZC.",
        )
    return calendar("XNYS")
