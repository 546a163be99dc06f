"""What every feed can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class History:
    """Hold the bars that a feed delivered, unchecked.

    Attributes:
        bars: The bars as they came; a value that was missing is null.
        unreadable: How many rows had no time, and so could not become bars at all.
    """

    bars: Bars
    unreadable: int = 0


class HistoryFeed(Protocol):
    """Deliver bars of the past."""

    @property
    def source(self) -> Source:
        """Return the name under which the feed's records are stored."""

    def resolve(self, symbol: str) -> str:
        """Return a symbol as the feed spells it.

        Raises:
            UsageError: If it cannot be a symbol.
        """

    def series(self, symbol: str, timeframe: Timeframe) -> Series:
        """Return the series that `history` delivers.

        Raises:
            UsageError: If the feed has no such bars.
        """

    def history(self, symbol: str, timeframe: Timeframe, *, start_ns: int, end_ns: int) -> History:
        """Return the bars that start in [start_ns, end_ns].

        Raises:
            UnknownSymbol: If the feed does not know the symbol.
            NoDataError: If it has no bar in that time.
            StackError: Any other failure of the feed.
        """
