"""Invent the minutes of a real day: a seeded path that keeps the day's own five numbers.

The minutes of the regular session begin at the day's open, end at its close, touch its high and
its low, stay between them, and their volumes add up to the day's volume, all exactly. Extended
hours are thin, lie inside the day's range too, and come on top of the day's volume. Only uniform
draws of PCG64 are used, so that one seed gives the same minutes everywhere.
"""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from infrastructure.simulators.schwab.bars import Bars, Floats, Integers

NS_PER_MINUTE: Final = 60_000_000_000
CENTS: Final = 2

_ROUGHNESS: Final = 1.2
_WICK: Final = 0.04
_PRE_MARKET_SHARE: Final = 0.15
_POST_MARKET_SHARE: Final = 0.20
_EXTENDED_VOLUME: Final = 2e-5
_EXTENDED_STEP: Final = 0.02


class Day(NamedTuple):
    """The five numbers of a real day, prices in dollars of that date."""

    open: float
    high: float
    low: float
    close: float
    volume: int

    @property
    def bottom(self) -> float:
        """Lowest of the four prices, also where the row contradicts itself."""
        return min(self.open, self.high, self.low, self.close)

    @property
    def top(self) -> float:
        """Highest of the four prices."""
        return max(self.open, self.high, self.low, self.close)


def generator(seed: int, symbol: str, day: date, part: int) -> np.random.Generator:
    """Return the source of chance for one part of one symbol's day."""
    number = day.year * 10_000 + day.month * 100 + day.day
    entropy = [seed, crc32(symbol.encode()), number, part]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def regular_minutes(day: Day, open_ns: int, close_ns: int, chance: np.random.Generator) -> Bars:
    """Invent the minutes of a regular session.

    Args:
        day: What they must add up to.
        open_ns: Start of the session, nanoseconds UTC.
        close_ns: Its end, a whole number of minutes (at least 3) later.
        chance: Where the draws come from.
    """
    count = (close_ns - open_ns) // NS_PER_MINUTE
    starts = open_ns + NS_PER_MINUTE * np.arange(count, dtype=np.int64)
    highest, lowest = chance.permutation(np.arange(1, count))[:2]
    path = _path(day, int(count), int(highest), int(lowest), chance)
    opens, closes = path[:-1], path[1:]
    wick = _WICK * (day.top - day.bottom) * chance.random((2, int(count))) ** 3
    upper, lower = np.maximum(opens, closes), np.minimum(opens, closes)
    highs = np.minimum(np.maximum(np.round(upper + wick[0], CENTS), upper), day.top)
    lows = np.maximum(np.minimum(np.round(lower - wick[1], CENTS), lower), day.bottom)
    return Bars(
        starts, opens.copy(), highs, lows, closes.copy(), _volumes(day.volume, int(count), chance)
    )


def extended_minutes(
    day: Day, spans: tuple[tuple[int, int], tuple[int, int]], chance: np.random.Generator
) -> tuple[Bars, Bars]:
    """Invent the minutes before and after a regular session that saw a trade.

    Args:
        day: The real day.
        spans: Pre-market and post-market, (start, end) in nanoseconds UTC.
        chance: Where the draws come from.
    """
    before = _thin(day, spans[0], _PRE_MARKET_SHARE, chance)
    after = _thin(day, spans[1], _POST_MARKET_SHARE, chance)
    # The walk before the open is drawn backwards, so that it arrives at the open.
    pre = _priced(day, before, _walk(day, day.open, before.size + 1, chance)[::-1], chance)
    post = _priced(day, after, _walk(day, day.close, after.size + 1, chance), chance)
    return pre, post


def _path(day: Day, count: int, highest: int, lowest: int, chance: np.random.Generator) -> Floats:
    ends = np.arange(count + 1)
    order = sorted([(0, day.open), (highest, day.top), (lowest, day.bottom), (count, day.close)])
    knots = np.array([knot for knot, _ in order])
    prices = np.array([price for _, price in order])
    span = day.top - day.bottom
    steps = chance.random(count) - 0.5
    noise = np.concatenate([[0.0], np.cumsum(steps)]) * (_ROUGHNESS * span / np.sqrt(count))
    bridge = noise - np.interp(ends, knots, noise[knots])
    path = np.interp(ends, knots, prices) + bridge
    if span > 0:
        # Fold what leaves the day's range back into it.
        folded = np.mod(path - day.bottom, 2 * span)
        path = day.bottom + np.where(folded > span, 2 * span - folded, folded)
    rounded: Floats = np.clip(np.round(path, CENTS), day.bottom, day.top)
    rounded[knots] = prices
    return rounded


def _volumes(total: int, count: int, chance: np.random.Generator) -> Integers:
    """Share a volume out, more at both ends of the session; the parts add up exactly."""
    position = np.linspace(-1.0, 1.0, count)
    weight = (1.0 + 3.0 * position**4) * (0.25 + chance.random(count))
    exact = total * (weight / weight.sum())
    parts: Integers = np.floor(exact).astype(np.int64)
    missing = total - int(parts.sum())
    most_cut = np.argsort(parts - exact, kind="stable")[:missing]
    parts[most_cut] += 1
    return parts


def _thin(day: Day, span: tuple[int, int], share: float, chance: np.random.Generator) -> Integers:
    starts = np.arange(span[0], span[1], NS_PER_MINUTE, dtype=np.int64)
    chosen = chance.random(starts.size) < share
    return starts[chosen] if day.volume > 0 else starts[:0]


def _walk(day: Day, start: float, count: int, chance: np.random.Generator) -> Floats:
    steps = (chance.random(count) - 0.5) * (_EXTENDED_STEP * (day.top - day.bottom))
    steps[0] = 0.0
    walk: Floats = np.clip(np.round(start + np.cumsum(steps), CENTS), day.bottom, day.top)
    walk[0] = start
    return walk


def _priced(day: Day, starts: Integers, path: Floats, chance: np.random.Generator) -> Bars:
    opens, closes = path[:-1], path[1:]
    volume = np.ceil(day.volume * _EXTENDED_VOLUME * chance.random(starts.size))
    return Bars(
        starts,
        opens.copy(),
        np.maximum(opens, closes),
        np.minimum(opens, closes),
        closes.copy(),
        np.maximum(volume, 1).astype(np.int64),
    )
