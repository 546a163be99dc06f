"""What an order desk's matching engine sees of a symbol, and which symbols an order has."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import Ticket
from infrastructure.simulators.schwab.ticks import Tick

_CENT: Final = Decimal("0.01")
_LOT: Final = 100
_DISPLAYED_SHARE: Final = 10


def symbols_of(ticket: Ticket) -> list[str]:
    """Return the symbols of a ticket and of all below it, each once."""
    found = [] if ticket.order is None else [leg.symbol for leg in ticket.order.legs]
    for child in ticket.children:
        found += symbols_of(child)
    return list(dict.fromkeys(found))


def share_quote(symbol: str, last: Decimal, volume: int) -> MarketQuote:
    """Return an invented quote: a cent around the last price, a tenth of the minute's volume."""
    size = max(volume // _DISPLAYED_SHARE // _LOT * _LOT, _LOT)
    return MarketQuote(symbol, last - _CENT, last + _CENT, size, size, last)


def recorded_quote(symbol: str, tick: Tick | None) -> MarketQuote | None:
    """Return the quote of a recorded bid and offer, None where either is not recorded."""
    if tick is None or tick.bid is None or tick.ask is None:
        return None
    last = None if tick.last is None else Decimal(str(tick.last))
    bid, ask = Decimal(str(tick.bid)), Decimal(str(tick.ask))
    return MarketQuote(symbol, bid, ask, tick.bid_size, tick.ask_size, last)
