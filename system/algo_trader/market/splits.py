"""Find a split by comparing stored bars with the same bars fetched again."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

import numpy as np

from system.algo_trader.market.bars import Floats

PRICE_TICK: Final = 0.01
"""The step of US stock prices of one dollar and more (SEC Rule 612); adjusted prices are rounded
to it or finer."""

LARGEST_TERM: Final = 100
"""The largest number in a ratio that still passes for a split: 1:100 reverse splits exist."""

SMALLEST_CHANGE: Final = 1.02
"""A ratio nearer to 1 than this is a correction of prices, not a split."""

FEWEST_BARS: Final = 2


def split_factor(
    stored: Floats, fetched: Floats, *, tick: float = PRICE_TICK, fewest_bars: int = FEWEST_BARS
) -> Fraction | None:
    """Return the constant ratio of stored to fetched prices as a split, such as 4 for 4:1.

    Every price allows an interval of factors, since either side was rounded to the tick. The
    answer is the simplest fraction in the intersection of all intervals; no intersection, or one
    that allows 1 or only unlikely fractions, is no split.

    Args:
        stored: Prices as stored before, shape (n, k), positive.
        fetched: The same prices as they are reported now, same shape.
        tick: The step to which prices are rounded, in the prices' unit.
        fewest_bars: The fewest rows that are evidence enough.

    Returns:
        The factor: stored prices divided by it are today's; None when there is no split.
    """
    if len(stored) < fewest_bars or not (np.isfinite(stored).all() and np.isfinite(fetched).all()):
        return None
    half = tick / 2
    if (stored <= half).any() or (fetched <= half).any():
        return None
    low = float(np.max((stored - half) / (fetched + half)))
    high = float(np.min((stored + half) / (fetched - half)))
    if low > high or low <= 1.0 <= high:
        return None
    ratio = simplest_fraction(low, high)
    if max(ratio.numerator, ratio.denominator) > LARGEST_TERM:
        return None
    return ratio if max(ratio, 1 / ratio) >= SMALLEST_CHANGE else None


def simplest_fraction(low: float, high: float) -> Fraction:
    """Return the fraction of the smallest denominator within [low, high], both above 0.

    Source: the walk down the Stern-Brocot tree, by continued fractions.

    Raises:
        ValueError: If the interval is empty or reaches 0.
    """
    if not 0 < low <= high or not math.isfinite(high):
        raise ValueError(f"expected 0 < low <= high, got {low} and {high}")
    return _simplest(Fraction(low), Fraction(high))


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    whole = math.floor(low)
    if whole == low:
        return Fraction(whole)
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / _simplest(1 / (high - whole), 1 / (low - whole))


def ratio_text(factor: Fraction) -> str:
    """Return a factor as it is written: 4:1, 3:2, 1:10."""
    return f"{factor.numerator}:{factor.denominator}"
