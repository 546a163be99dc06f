"""All that an engine knows, as values that can be kept and read again."""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.matching.live_order import LiveOrder
from infrastructure.matching.market_quote import MarketQuote
from infrastructure.matching.order import Side


@dataclass(frozen=True, slots=True)
class EngineState:
    """What `MatchingEngine.restore` takes.

    Attributes:
        next_id: Number of the next order.
        orders: Every order, oldest first.
        quotes: The last quote of each symbol.
        used: Symbol, side and how much of that quote's size has been traded with.
    """

    next_id: int
    orders: tuple[LiveOrder, ...]
    quotes: tuple[MarketQuote, ...]
    used: tuple[tuple[str, Side, int], ...]
