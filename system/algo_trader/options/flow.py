"""Options that trade unlike themselves: against their open contracts, and against their past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from system.algo_trader.options.chain import Chain

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

VOLUME_TO_OPEN: Final = 2.0
LEAST_VOLUME: Final = 100.0
Z_SCORE: Final = 2.0
Z_WINDOW: Final = 20
PREMIUM_FACTOR: Final = 5.0
PREMIUM_WINDOW: Final = 50
PRICE_WEIGHT, GAMMA_WEIGHT, VOLUME_WEIGHT = 50.0, 30.0, 20.0


@dataclass(frozen=True, slots=True)
class Unusual:
    """Describe a contract that traded at least twice its open contracts.

    Attributes:
        settles_ns: When it settles, nanoseconds UTC.
        strike: Its strike.
        is_call: Whether it is a call.
        volume: Contracts traded that day.
        open_interest: Open contracts of the evening before.
        premium: Dollars that changed hands, by the middle of bid and offer; None without both.
    """

    settles_ns: int
    strike: float
    is_call: bool
    volume: float
    open_interest: float
    premium: float | None

    @property
    def ratio(self) -> float | None:
        """Return volume over open interest; None where no contract was open."""
        return self.volume / self.open_interest if self.open_interest else None


def unusual_contracts(chain: Chain, most: int = 10) -> list[Unusual]:
    """Return the contracts whose volume is twice their open interest or more.

    Contracts of fewer than 100 traded are left out. By falling premium, those without one last.

    Args:
        chain: Of one moment of a session.
        most: How many at most.
    """
    volume, held = np.nan_to_num(chain.volume), np.nan_to_num(chain.open_interest)
    found = np.flatnonzero((volume >= LEAST_VOLUME) & (volume >= VOLUME_TO_OPEN * held))
    middle = (chain.bid + chain.ask) / 2
    premium = volume * middle * chain.multiplier
    order = found[np.argsort(-np.nan_to_num(premium[found], nan=-1.0), kind="stable")]
    return [
        Unusual(
            int(chain.settles_ns[row]),
            float(chain.strike[row]),
            bool(chain.is_call[row]),
            float(volume[row]),
            float(held[row]),
            None if np.isnan(premium[row]) else float(premium[row]),
        )
        for row in order[:most].tolist()
    ]


def outliers(values: Floats, *, window: int = Z_WINDOW, limit: float = Z_SCORE) -> Flags:
    """Mark values more than `limit` standard deviations above the mean of the ones before.

    Args:
        values: Oldest first, (n,).
        window: How many values before count; the first `window` values are never marked.
        limit: Standard deviations of the sample.

    Returns:
        (n,): false where the values before do not differ from one another.
    """
    marked = np.zeros(len(values), dtype=np.bool_)
    if len(values) <= window:
        return marked
    past = np.lib.stride_tricks.sliding_window_view(values, window)[:-1]
    mean, spread = past.mean(axis=1), past.std(axis=1, ddof=1)
    with np.errstate(invalid="ignore"):
        marked[window:] = (spread > 0) & (values[window:] - mean > limit * spread)
    return marked


def large_premiums(
    premiums: Floats, *, window: int = PREMIUM_WINDOW, factor: float = PREMIUM_FACTOR
) -> Flags:
    """Mark premiums of at least `factor` times the mean of the ones before.

    Args:
        premiums: Dollars of single trades, oldest first, (n,).
        window: How many trades before count; the first `window` are never marked.
        factor: How many times the mean.
    """
    marked = np.zeros(len(premiums), dtype=np.bool_)
    if len(premiums) <= window:
        return marked
    past = np.lib.stride_tricks.sliding_window_view(premiums, window)[:-1]
    marked[window:] = premiums[window:] >= factor * past.mean(axis=1)
    return marked


def mover_scores(moves: Floats, gamma: Floats, volume: Floats) -> Floats:
    """Return scores from 0 to 100: price counts 50, gamma 30, volume 20, each by its rank.

    The largest of a column has its whole weight, the smallest none, equal ones the same.

    Args:
        moves: Of the price, as fractions; their size counts, (n,).
        gamma: Net gamma in dollars per 1 %; its size counts, (n,).
        volume: Contracts or shares, (n,).

    Returns:
        (n,): NaN where a column is NaN.
    """
    columns = ((moves, PRICE_WEIGHT), (gamma, GAMMA_WEIGHT), (volume, VOLUME_WEIGHT))
    scores: Floats = np.zeros(len(moves))
    for column, weight in columns:
        scores += weight * _standing(np.abs(column))
    return scores


def _standing(values: Floats) -> Floats:
    """Return 0 for the smallest to 1 for the largest, by rank; equal values get their middle."""
    known = np.sort(values[~np.isnan(values)])
    if len(known) < 2:
        return np.where(np.isnan(values), np.nan, 1.0)
    left = np.searchsorted(known, values, side="left")
    right = np.searchsorted(known, values, side="right") - 1
    standing: Floats = np.where(np.isnan(values), np.nan, (left + right) / 2 / (len(known) - 1))
    return standing


def as_rows(unusual: list[Unusual]) -> list[dict[str, Any]]:
    """Return plain values for JSON."""
    from datetime import UTC, datetime

    return [
        {
            "settles": datetime.fromtimestamp(each.settles_ns / 1e9, UTC).date().isoformat(),
            "strike": each.strike,
            "right": "C" if each.is_call else "P",
            "volume": int(each.volume),
            "open_interest": int(each.open_interest),
            "ratio": each.ratio,
            "premium": each.premium,
        }
        for each in unusual
    ]
