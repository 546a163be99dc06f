"""Prices that a chain marks: walls, the largest gamma, and where most options end worthless."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from system.algo_trader.options.black import Flags, Floats
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.exposure import Ladder


class Landmark(NamedTuple):
    """A price, or the reason why there is none."""

    price: float | None
    reason: str | None


def call_wall(strikes: Floats, gex: Ladder, spot: float) -> Landmark:
    """Return the strike at or above the spot with the largest call gamma; ties go to the nearest.

    Args:
        strikes: Ascending [k].
        gex: Gamma exposure by strike [k].
        spot: Dollars.
    """
    return _wall(strikes, np.abs(gex.call), strikes >= spot, spot, "call", "above")


def put_wall(strikes: Floats, gex: Ladder, spot: float) -> Landmark:
    """Return the strike at or below the spot with the largest put gamma; ties go to the nearest."""
    return _wall(strikes, np.abs(gex.put), strikes <= spot, spot, "put", "below")


def max_gamma(strikes: Floats, gex: Ladder, spot: float) -> Landmark:
    """Return the strike whose net gamma is the largest in size, on any side of the spot."""
    size = np.abs(gex.net)
    if not size.size or not size.max() > 0:
        return Landmark(None, "no strike has any net gamma")
    return Landmark(_largest(strikes, size, spot), None)


def max_pain(chain: Chain) -> dict[int, Landmark]:
    """Return, by settlement moment, the strike at which all options are worth the least together.

    One pass over each expiry's strikes: what calls pay grows by the contracts struck below, what
    puts pay shrinks by those struck above. Ties go to the strike nearest the spot.

    Args:
        chain: Open interest by contract.
    """
    held = np.where(np.isfinite(chain.open_interest), chain.open_interest, 0.0)
    # A chain is sorted by settlement and strike: each strike's contracts are neighbours.
    first = np.ones(len(chain), dtype=np.bool_)
    first[1:] = (np.diff(chain.strike) != 0) | (np.diff(chain.settles_ns) != 0)
    index = np.cumsum(first) - 1
    strikes, settles = chain.strike[first], chain.settles_ns[first]
    slots = np.bincount(2 * index + chain.is_call, weights=held, minlength=2 * strikes.size)
    calls: Floats = slots[1::2].astype(np.float64)
    puts: Floats = slots[::2].astype(np.float64)
    expiries = chain.expiries_ns
    starts = np.searchsorted(settles, expiries, side="left")
    ends = np.searchsorted(settles, expiries, side="right")
    return {
        int(moment): _pain(strikes[start:end], calls[start:end], puts[start:end], chain.spot)
        for moment, start, end in zip(expiries, starts, ends, strict=True)
    }


def payout(strikes: Floats, calls: Floats, puts: Floats) -> Floats:
    """Return what all options of one expiry pay if it settles at each of the strikes.

    Args:
        strikes: Ascending [k].
        calls: Contracts open [k].
        puts: Contracts open [k].

    Returns:
        Dollars a share of the multiplier [k].
    """
    gaps = np.diff(strikes)
    below = np.concatenate(([0.0], np.cumsum(gaps * np.cumsum(calls)[:-1])))
    above = np.cumsum(gaps[::-1] * np.cumsum(puts[::-1])[:-1])[::-1]
    return below + np.concatenate((above, [0.0]))


def _pain(strikes: Floats, calls: Floats, puts: Floats, spot: float) -> Landmark:
    if not (calls.any() or puts.any()):
        return Landmark(None, "no contract is open")
    return Landmark(_largest(strikes, -payout(strikes, calls, puts), spot), None)


def _wall(
    strikes: Floats, size: Floats, allowed: Flags, spot: float, right: str, side: str
) -> Landmark:
    candidates = np.where(allowed, size, 0.0)
    if not candidates.size or not candidates.max() > 0:
        return Landmark(None, f"no {right} at or {side} the spot has any gamma")
    return Landmark(_largest(strikes, candidates, spot), None)


def _largest(strikes: Floats, size: Floats, spot: float) -> float:
    best = np.flatnonzero(size >= size.max() - 1e-12 * abs(size.max()))
    return float(strikes[best[np.argmin(np.abs(strikes[best] - spot))]])
