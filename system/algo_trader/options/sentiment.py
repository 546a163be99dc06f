"""What puts and calls, volatility and the day's move say, by fixed and named thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

EMA_SESSIONS: Final = 5
CALLS_BELOW: Final = 0.80
PUTS_ABOVE: Final = 1.00
FAST_SHIFT: Final = 0.15
HIGH_RANK: Final = 80.0
LOW_RANK: Final = 20.0
DAY_MOVE: Final = 0.003


class Regime(StrEnum):
    """Say which side trades more: the ratio of puts to calls below 0.80, above 1.00, or between."""

    CALLS = "calls"
    PUTS = "puts"
    BALANCED = "balanced"


class Direction(StrEnum):
    """Say where a day goes, when it goes anywhere."""

    UP = "up"
    DOWN = "down"
    NEUTRAL = "neutral"


def ema(values: Iterable[float], sessions: int = EMA_SESSIONS) -> float | None:
    """Return the exponential mean of a series, oldest first; None without a value.

    The weight of a new value is 2 / (sessions + 1), and the first value is the first mean.

    Args:
        values: One a session; NaN where a session has none, which changes nothing.
        sessions: The span of the mean.
    """
    mean: float | None = None
    weight = 2.0 / (sessions + 1)
    for value in values:
        if math.isnan(value):
            continue
        mean = float(value) if mean is None else mean + weight * (float(value) - mean)
    return mean


def put_call_regime(ratio: float | None) -> Regime | None:
    """Return the regime of a put/call ratio; None without a ratio."""
    if ratio is None or math.isnan(ratio):
        return None
    if ratio < CALLS_BELOW:
        return Regime.CALLS
    return Regime.PUTS if ratio > PUTS_ABOVE else Regime.BALANCED


def has_shifted(before: float | None, now: float | None) -> bool | None:
    """Say whether a ratio has moved by 15 % or more; None where one of both is missing or 0."""
    if not before or now is None or math.isnan(before) or math.isnan(now):
        return None
    # A shift from 1 to 1.15 counts, although their difference is a rounding below 0.15.
    return abs(now - before) >= FAST_SHIFT * abs(before) * (1 - 1e-12)


def volatility_alert(rank: float | None) -> str | None:
    """Return "high" from a rank of 80 on, "low" up to 20; None between, and without a rank."""
    if rank is None or math.isnan(rank) or LOW_RANK < rank < HIGH_RANK:
        return None
    return "high" if rank >= HIGH_RANK else "low"


def day_direction(
    move: float | None, net_gamma: float | None, regime: Regime | None
) -> Direction | None:
    """Return where a day goes: a move of 0.3 % that dealers follow and options bear out.

    With negative net gamma hedging adds to a move; with positive gamma it works against it, and
    the day counts as neutral whatever the move. A move against the regime is neutral too.

    Args:
        move: Since the close before, as a fraction.
        net_gamma: Dollars per 1 % move.
        regime: Of the put/call ratio; None where there are no calls.
    """
    if move is None or net_gamma is None or math.isnan(move) or math.isnan(net_gamma):
        return None
    if abs(move) < DAY_MOVE or net_gamma >= 0:
        return Direction.NEUTRAL
    if move > 0:
        return Direction.NEUTRAL if regime is Regime.PUTS else Direction.UP
    return Direction.NEUTRAL if regime is Regime.CALLS else Direction.DOWN
