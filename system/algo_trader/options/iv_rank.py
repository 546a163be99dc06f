"""Where today's implied volatility stands in its own past: rank and percentile, by name.

The two differ, and some platforms print the rank under the other's name. Rank is the place between
the window's lowest and highest value; percentile is the share of days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError
from system.algo_trader.options.ratios import TermPoint

WINDOW: Final = 252
"""Sessions of about a year."""

MINIMUM: Final = 20
"""Sessions of about a month: a range of fewer says little about a year."""

TENOR_YEARS: Final = 30.0 / 365.0
"""The term whose volatility a history holds."""


class Volatility(NamedTuple):
    """A volatility, or the reason why there is none."""

    value: float | None
    reason: str | None


def thirty_day_volatility(terms: Iterable[TermPoint]) -> Volatility:
    """Return the volatility at the money over 30 days.

    Total variance, volatility squared times years, runs straight between the two expiries around
    30 days, so the volatility between them is constant; beyond the last expiry nothing is said.

    Args:
        terms: Points of a chain in any order; those without a volatility are passed over.
    """
    known = sorted(
        (point.years, point.atm_volatility**2 * point.years)
        for point in terms
        if point.atm_volatility is not None
    )
    years = np.array([each for each, _ in known])
    if not years.size or not years[0] <= TENOR_YEARS <= years[-1]:
        return Volatility(None, "no two expiries with a volatility lie around 30 days")
    variance = float(np.interp(TENOR_YEARS, years, [total for _, total in known]))
    return Volatility((variance / TENOR_YEARS) ** 0.5, None)


@dataclass(frozen=True, slots=True)
class IvStanding:
    """Say where a volatility stands.

    Attributes:
        rank: 100 (now - lowest) / (highest - lowest) in [0, 100]; None without a range.
        percentile: 100 times the share of earlier days strictly below now; None without days.
        reason: Why the rank, or both, are None.
        window: Days that were asked for.
        samples: Days that were there, today left out.
        lowest: The window's lowest, today included.
        highest: The window's highest, today included.
    """

    rank: float | None
    percentile: float | None
    reason: str | None
    window: int
    samples: int
    lowest: float | None
    highest: float | None


def iv_standing(
    history: npt.ArrayLike, now: float, *, window: int = WINDOW, minimum: int = 1
) -> IvStanding:
    """Return rank and percentile of today's implied volatility.

    Args:
        history: One value a session before today, oldest first; NaN where a session has none.
        now: Today's value.
        window: At most so many of the latest sessions with a value count, at least 1.
        minimum: With fewer sessions that have a value there is no rank and no percentile.

    Raises:
        InputError: If the window is shorter than a day.
    """
    if window < 1:
        raise InputError(f"a window of {window} sessions is none", next_step="Expected 1 or more.")
    values = np.asarray(history, dtype=np.float64).ravel()
    past = values[np.isfinite(values)][-window:]
    if not np.isfinite(now):
        return IvStanding(None, None, "today has no volatility", window, int(past.size), None, None)
    if past.size == 0:
        return IvStanding(None, None, "there is no history", window, 0, None, None)
    if past.size < minimum:
        few = f"{past.size} sessions of history, at least {minimum} are needed"
        return IvStanding(None, None, few, window, int(past.size), None, None)
    low, high = min(float(past.min()), now), max(float(past.max()), now)
    percentile = 100.0 * float(np.count_nonzero(past < now)) / past.size
    flat = high == low
    return IvStanding(
        rank=None if flat else 100.0 * ((now - low) / (high - low)),
        percentile=percentile,
        reason="the window is flat" if flat else None,
        window=window,
        samples=int(past.size),
        lowest=low,
        highest=high,
    )
