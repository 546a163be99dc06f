"""Compare the minute bars that were built here with those that the feed streams."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from system.algo_trader.market.bars import Bars
from system.algo_trader.market.timeframe import Timeframe

_HELD: Final = 20_000
_Values = tuple[float | None, ...]
_VALUES: Final = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Compared:
    """Count what a comparison found.

    Attributes:
        equal: Minutes whose bars agree in price and volume.
        prices_differ: Minutes with another open, high, low or close.
        volume_differs: Minutes whose prices agree and whose volumes do not.
    """

    equal: int = 0
    prices_differ: int = 0
    volume_differs: int = 0


class ChartCheck:
    """Hold bars of either kind until the other one comes; level one is sampled, so they differ.

    Args:
        held: Bars of each kind that may wait; the oldest go first, uncompared.
    """

    def __init__(self, held: int = _HELD) -> None:
        self._held = held
        self._built: OrderedDict[tuple[str, int], _Values] = OrderedDict()
        self._streamed: OrderedDict[tuple[str, int], _Values] = OrderedDict()
        self.result = Compared()

    def built(self, bars: Bars) -> None:
        """Take bars that were built here; only those of a minute count."""
        self._take(bars.where(bars.equals("timeframe", Timeframe.M1)), self._built, self._streamed)

    def streamed(self, bars: Bars) -> None:
        """Take bars that the feed streamed."""
        self._take(bars, self._streamed, self._built)

    def _take(
        self,
        bars: Bars,
        mine: OrderedDict[tuple[str, int], _Values],
        others: OrderedDict[tuple[str, int], _Values],
    ) -> None:
        columns = [bars.table.column(name).to_pylist() for name in ("symbol", "start", *_VALUES)]
        for symbol, start, *values in zip(*columns, strict=True):
            other = others.pop((symbol, start), None)
            if other is None:
                mine[symbol, start] = tuple(values)
                if len(mine) > self._held:
                    mine.popitem(last=False)
            else:
                self._count(tuple(values), other)

    def _count(self, one: _Values, other: _Values) -> None:
        found = self.result
        if one[:4] != other[:4]:
            found = Compared(found.equal, found.prices_differ + 1, found.volume_differs)
        elif one[4] != other[4]:
            found = Compared(found.equal, found.prices_differ, found.volume_differs + 1)
        else:
            found = Compared(found.equal + 1, found.prices_differ, found.volume_differs)
        self.result = found
