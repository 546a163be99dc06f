"""Solve for the volatility at which an American option has a price, inside a bracket."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.american_kernels import (
    Room,
    make_room,
    solved_value,
    waiting_costs,
)
from system.algo_trader.options.american_scheme import Scheme
from system.algo_trader.options.american_tree_kernels import (
    has_two_boundaries,
    make_nodes,
    tree_value,
)
from system.algo_trader.options.black import Flags, Floats

_OK: Final = 0
_NO_PRICE: Final = 1
_BELOW_INTRINSIC: Final = 4
_ABOVE_BOUND: Final = 5
_EXPIRED: Final = 6
_BAD_INPUT: Final = 7

_FIRST_WIDTH: Final = 0.2
_LEAST_WIDTH: Final = 1e-4
_GREATEST_WIDTH: Final = 20.0
_MAX_STEPS: Final = 60
_CLOSE: Final = 1e-12
_ROUNDING: Final = 4e-16


@kernel
def floor_of(s: float, k: float, t: float, is_call: bool, r: float, q: float) -> float:
    """Return what an American option is worth without any volatility: its best sure exercise."""
    sign = 1.0 if is_call else -1.0
    now = sign * (s - k)
    at_end = sign * (s * math.exp(-q * t) - k * math.exp(-r * t))
    best = max(now, at_end, 0.0)
    if r != q and r * q > 0.0:
        between = math.log((q * s) / (r * k)) / (q - r)
        if 0.0 < between < t:
            best = max(best, sign * (s * math.exp(-q * between) - k * math.exp(-r * between)))
    return best


@kernel
def miss_of(
    price: float,
    s: float,
    k: float,
    t: float,
    v: float,
    is_call: bool,
    r: float,
    q: float,
    scheme: Scheme,
    room: Room,
    nodes: Floats,
) -> float:
    """Return by how much the model's price at a volatility is too high."""
    if has_two_boundaries(q if is_call else r, r if is_call else q):
        return tree_value(s, k, t, v, is_call, r, q, nodes)[0] - price
    return solved_value(s, k, t, v, is_call, r, q, scheme, room)[0] - price


@kernel
def fill_american_implied(
    price: Floats,
    spot: Floats,
    strike: Floats,
    years: Floats,
    is_call: Flags,
    rate: Floats,
    dividend_yield: Floats,
    scheme: Scheme,
    volatility: Floats,
    reason: npt.NDArray[np.uint8],
) -> None:
    """Fill volatilities and reasons; all arrays are [n], the meaning as in `american_implied`.

    The bracket starts around a total volatility of 0.2, is widened by halves and doubles until it
    holds the root, and then only shrinks: by the false position in its Illinois form.
    """
    room = make_room(scheme)
    nodes = make_nodes()
    for i in range(price.size):
        volatility[i] = math.nan
        s = spot[i]
        k = strike[i]
        t = years[i]
        r = rate[i]
        q = dividend_yield[i]
        call = is_call[i]
        p = price[i]
        lent = q if call else r
        paid = r if call else q
        living = waiting_costs(lent, paid) or has_two_boundaries(lent, paid)
        if not (0.0 < s < math.inf and 0.0 < k < math.inf and r - q == r - q and living):
            reason[i] = _BAD_INPUT
            continue
        if not t > 0.0:
            reason[i] = _EXPIRED
            continue
        if not -math.inf < p < math.inf:
            reason[i] = _NO_PRICE
            continue
        if p <= floor_of(s, k, t, call, r, q) + _ROUNDING * (s + k):
            reason[i] = _BELOW_INTRINSIC
            continue
        bound = s * max(1.0, math.exp(-q * t)) if call else k * max(1.0, math.exp(-r * t))
        if p >= bound:
            reason[i] = _ABOVE_BOUND
            continue
        unit = 1.0 / math.sqrt(t)
        high = _FIRST_WIDTH * unit
        above = miss_of(p, s, k, t, high, call, r, q, scheme, room, nodes)
        low = high
        below = above
        while above < 0.0 and high < _GREATEST_WIDTH * unit:
            low = high
            below = above
            high *= 2.0
            above = miss_of(p, s, k, t, high, call, r, q, scheme, room, nodes)
        while below > 0.0 and low > _LEAST_WIDTH * unit:
            high = low
            above = below
            low *= 0.5
            below = miss_of(p, s, k, t, low, call, r, q, scheme, room, nodes)
        if above < 0.0:
            reason[i] = _ABOVE_BOUND
            continue
        if below > 0.0:
            reason[i] = _BELOW_INTRINSIC
            continue
        sigma = low if below == 0.0 else high
        stayed = 0
        for _ in range(_MAX_STEPS):
            if above == below or below == 0.0 or high - low <= _CLOSE * high:
                break
            sigma = high - above * (high - low) / (above - below)
            miss = miss_of(p, s, k, t, sigma, call, r, q, scheme, room, nodes)
            if abs(miss) <= _CLOSE * p:
                break
            if miss > 0.0:
                high = sigma
                above = miss
                if stayed == -1:
                    below *= 0.5
                stayed = -1
            else:
                low = sigma
                below = miss
                if stayed == 1:
                    above *= 0.5
                stayed = 1
        volatility[i] = sigma
        reason[i] = _OK
