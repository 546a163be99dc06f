"""Net dealer gamma at other prices of the underlying, and where it turns.

Three different numbers are called the gamma flip. The canonical one here is where the repriced
profile crosses zero; `per_strike_flip` and `cumulative_flip` are the other two, by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from system.algo_trader.options.black import Floats
from system.algo_trader.options.surface import Surface

LEVELS: Final = 100
WIDTH: Final = 0.2
"""The profile reaches this far below and above the spot."""

CUT_OFF: Final = 8.5
"""Standard deviations beyond which a density is below 2e-16 of its peak and is skipped."""

_PER_CENT: Final = 0.01
_SQRT_2PI: Final = 2.5066282746310002


class Bells(NamedTuple):
    """The positions as sums of normal densities of the log spot; every array is [k].

    Dollar gamma per 1 % at a spot S is S * sum(height * exp(-((ln S - centre) * steepness)^2 / 2)).
    Each strike keeps its volatility and each expiry its carry. A call and a put of one strike and
    volatility are one bell, and whoever holds nothing is none.
    """

    centre: Floats
    steepness: Floats
    height: Floats


@dataclass(frozen=True, slots=True)
class Flip:
    """Say where net gamma turns, or why it does not.

    Attributes:
        price: The crossing nearest the spot in dollars, None without one.
        reason: Why there is none, None where there is.
        crossings: All crossings found, ascending.
    """

    price: float | None
    reason: str | None
    crossings: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Profile:
    """Hold net gamma by level.

    Attributes:
        levels: Prices of the underlying, in equal steps of their logarithm [l].
        net: Dollars per 1 % move [l].
        flip: The canonical flip.
    """

    levels: Floats
    net: Floats
    flip: Flip


def bells_of(surface: Surface, signed_contracts: Floats) -> Bells:
    """Return the positions as bells.

    Args:
        surface: The chain's volatilities and carries.
        signed_contracts: Contracts with the dealers' sign [n].
    """
    chain, at = surface.chain, surface.expiry_index
    years = surface.terms.years[at]
    use = np.flatnonzero((signed_contracts != 0) & (surface.volatility > 0))
    weight = signed_contracts[use] * chain.multiplier
    strike, sigma = chain.strike[use], surface.volatility[use]
    # Neighbours of one strike, expiry and volatility are a put and its call.
    twin = np.zeros(use.size, dtype=np.bool_)
    twin[1:] = (np.diff(strike) == 0) & (np.diff(at[use]) == 0) & (np.diff(sigma) == 0)
    first = np.flatnonzero(~twin)
    weight = np.add.reduceat(weight, first) if first.size else weight
    keep = use[first]
    strike, sigma, t = strike[first], sigma[first], years[keep]
    pays = surface.terms.carry_yield[at[keep]]
    rate = surface.terms.rate[at[keep]]
    root = sigma * np.sqrt(t)
    centre = np.log(strike) - (rate - pays + 0.5 * sigma * sigma) * t
    steepness = 1.0 / root
    height = weight * np.exp(-pays * t) * steepness * (_PER_CENT / _SQRT_2PI)
    return Bells(centre, steepness, height)


def levels_around(spot: float, *, count: int = LEVELS, width: float = WIDTH) -> Floats:
    """Return prices in equal steps of their logarithm, from spot less to spot plus the width."""
    return np.geomspace(spot * (1.0 - width), spot * (1.0 + width), count)


def net_gamma(bells: Bells, levels: Floats) -> Floats:
    """Return dollar gamma per 1 % at any prices, one level at a time: the NumPy reference."""
    out = np.empty(len(levels))
    for i, level in enumerate(levels):
        d1 = (math.log(level) - bells.centre) * bells.steepness
        out[i] = level * np.dot(bells.height, np.exp(-0.5 * d1 * d1))
    return out


def fast_net_gamma(bells: Bells, levels: Floats) -> Floats:
    """Return dollar gamma per 1 % at prices in equal steps of their logarithm, compiled.

    Args:
        bells: The positions.
        levels: As `levels_around` makes them, at least two.
    """
    from system.algo_trader.options.profile_kernels import sum_bells

    first, last = math.log(levels[0]), math.log(levels[-1])
    step = (last - first) / (len(levels) - 1)
    total = np.zeros(len(levels))
    sum_bells(bells.centre, bells.steepness, bells.height, first, step, CUT_OFF, total)
    found: Floats = total * levels
    return found


def profile_of(bells: Bells, spot: float, *, count: int = LEVELS, width: float = WIDTH) -> Profile:
    """Return the profile around the spot, with every crossing refined to the last digits.

    Two crossings between neighbouring levels stay unseen.

    Args:
        bells: The positions.
        spot: Dollars.
        count: Levels, at least two.
        width: How far to look below and above the spot, 0.2 is 20 %.
    """
    levels = levels_around(spot, count=count, width=width)
    net = fast_net_gamma(bells, levels)
    return Profile(levels, net, _flip(bells, levels, net, spot))


def per_strike_flip(strikes: Floats, net: Floats, spot: float) -> Flip:
    """Return where the net gamma of neighbouring strikes changes its sign, by a straight line.

    Args:
        strikes: Ascending [k].
        net: Net exposure of each strike [k].
        spot: Dollars.
    """
    held = net != 0
    return _by_lines(strikes[held], net[held], spot, "every strike has the same sign")


def cumulative_flip(strikes: Floats, net: Floats, spot: float) -> Flip:
    """Return where the running sum of net gamma from the lowest strike crosses zero.

    Args:
        strikes: Ascending [k].
        net: Net exposure of each strike [k].
        spot: Dollars.
    """
    held = net != 0
    return _by_lines(
        strikes[held], np.cumsum(net[held]), spot, "the running sum never changes its sign"
    )


def _flip(bells: Bells, levels: Floats, net: Floats, spot: float) -> Flip:
    from scipy.optimize import brentq

    from system.algo_trader.options.profile_kernels import bells_at

    if not bells.height.size or not np.any(net):
        return Flip(None, "nothing is held at a strike with a volatility")

    def at(level: float) -> float:
        return bells_at(bells.centre, bells.steepness, bells.height, math.log(level), CUT_OFF)

    # Far from all strikes the sum is rounding and zeros; its sign says nothing there.
    sign = np.where(np.abs(net) > 1e-14 * np.max(np.abs(net)), np.sign(net), 0.0)
    known = np.flatnonzero(sign)
    turns = known[:-1][sign[known[1:]] != sign[known[:-1]]]
    ends = known[1:][sign[known[1:]] != sign[known[:-1]]]
    found = [
        float(brentq(at, levels[a], levels[b], xtol=1e-12 * spot, rtol=1e-14))
        for a, b in zip(turns, ends, strict=True)
    ]
    if not found:
        side = "above" if sign[known[0]] > 0 else "below"
        return Flip(None, f"net gamma stays {side} zero from {levels[0]:.2f} to {levels[-1]:.2f}")
    return _nearest(found, spot)


def _by_lines(strikes: Floats, values: Floats, spot: float, otherwise: str) -> Flip:
    if strikes.size == 0:
        return Flip(None, "nothing is held at any strike")
    found = strikes[values == 0].tolist()
    turns = np.flatnonzero(values[1:] * values[:-1] < 0)
    share = values[turns] / (values[turns] - values[turns + 1])
    found += (strikes[turns] + share * (strikes[turns + 1] - strikes[turns])).tolist()
    return _nearest(found, spot) if found else Flip(None, otherwise)


def _nearest(found: list[float], spot: float) -> Flip:
    ordered = tuple(sorted(found))
    return Flip(min(ordered, key=lambda price: abs(price - spot)), None, ordered)
