"""Invent the seconds of a minute: a seeded path that keeps the bar's own five numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from infrastructure.simulators.schwab.bars import Bars, Floats, Integers

SECONDS: Final = 60
_PLACES: Final = 4


@dataclass(frozen=True, slots=True)
class MinuteTicks:
    """Trades of one minute, one a second.

    Attributes:
        start_ns: Start of the minute.
        prices: float64 of 60; the first is the bar's open, the last its close.
        volumes: int64 of 60 that add up to the bar's volume.
    """

    start_ns: int
    prices: Floats
    volumes: Integers


def minute_ticks(bars: Bars, row: int, chance: np.random.Generator) -> MinuteTicks:
    """Invent the seconds of one bar; they touch its high and low and stay between them."""
    start, close = float(bars.open[row]), float(bars.close[row])
    high, low = float(bars.high[row]), float(bars.low[row])
    # Only uniform draws, so that one seed gives the same seconds everywhere.
    first = 1 + int(chance.random() * 28)
    second = 30 + int(chance.random() * 28)
    turns = (high, low) if chance.random() < 0.5 else (low, high)
    path = np.interp(np.arange(SECONDS), [0, first, second, SECONDS - 1], [start, *turns, close])
    path = np.clip(np.round(path, _PLACES), low, high)
    path[[0, first, second, SECONDS - 1]] = start, *turns, close
    weights = chance.random(SECONDS) + 0.05
    edges = np.rint(np.cumsum(weights) / weights.sum() * int(bars.volume[row])).astype(np.int64)
    return MinuteTicks(int(bars.start_ns[row]), path, np.diff(edges, prepend=0))
