"""American options by a binomial tree: for those that have two exercise boundaries.

The tree is centred on the forward, so that its probabilities are ones at any rate and yield. On its
last step but one the European price stands for what is left, and two sizes are extrapolated: with
both, errors shrink smoothly (Broadie and Detemple, Review of Financial Studies 9(4), 1996, the
method called BBSR). It begins two steps before now: three nodes of now give delta and gamma.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.american_kernels import normal, theta_of
from system.algo_trader.options.black import Flags, Floats

STEPS: Final = 64
"""Of the smaller tree; the larger one has twice as many."""

_VOLATILITY_BUMP: Final = 0.02
_RATE_BUMP: Final = 1e-3
_TIME_BUMP: Final = 0.01


@kernel
def make_nodes() -> Floats:
    """Return room for prices of the underlying and values of the option [2, nodes]."""
    return np.empty((2, 2 * STEPS + 2))


@kernel
def has_two_boundaries(lent: float, paid: float) -> bool:
    """Say whether a put's region of exercise may end below, too; of a call exchange the two.

    Args:
        lent: Rate; of a call its yield.
        paid: Yield; of a call its rate.
    """
    return lent < 0.0 and paid < lent


@kernel
def european_price(
    s: float, k: float, t: float, v: float, is_call: bool, r: float, q: float
) -> float:
    """Return the Black-Scholes price in dollars."""
    root = v * math.sqrt(t)
    d1 = (math.log(s / k) + (r - q) * t) / root + 0.5 * root
    sign = 1.0 if is_call else -1.0
    return sign * (
        s * math.exp(-q * t) * normal(sign * d1) - k * math.exp(-r * t) * normal(sign * (d1 - root))
    )


@kernel
def one_tree(
    s: float,
    k: float,
    t: float,
    v: float,
    is_call: bool,
    r: float,
    q: float,
    steps: int,
    nodes: Floats,
) -> tuple[float, float, float, bool]:
    """Return price, delta and gamma by one tree, and whether exercise at once is best all around.

    Args:
        s: Spot, dollars.
        k: Strike, dollars.
        t: Years to expiry.
        v: Volatility a year.
        is_call: True for a call.
        r: Continuous rate a year.
        q: Continuous yield a year.
        steps: At most twice `STEPS`.
        nodes: By `make_nodes`.
    """
    dt = t / steps
    half = v * math.sqrt(dt)
    sign = 1.0 if is_call else -1.0
    up = math.exp(-r * dt) / (1.0 + math.exp(half))
    down = math.exp(-r * dt) - up
    price, value = nodes[0], nodes[1]
    last = steps - 1
    apart = math.exp(2.0 * half)
    price[0] = s * math.exp((r - q) * last * dt - half * (last + 2))
    for j in range(1, last + 3):
        price[j] = price[j - 1] * apart
    for j in range(last + 3):
        held = european_price(price[j], k, dt, v, is_call, r, q)
        value[j] = max(held, sign * (price[j] - k))
    back = math.exp(-(r - q) * dt + half)
    for i in range(last - 1, -1, -1):
        for j in range(i + 3):
            price[j] *= back
            value[j] = max(up * value[j + 1] + down * value[j], sign * (price[j] - k))
    low = price[1] - price[0]
    high = price[2] - price[1]
    first = (value[1] - value[0]) / low
    second = (value[2] - value[1]) / high
    exercised = True
    for j in range(3):
        exercised = exercised and value[j] <= sign * (price[j] - k)
    return (
        value[1],
        (first * high + second * low) / (low + high),
        2.0 * (second - first) / (low + high),
        exercised,
    )


@kernel
def tree_value(
    s: float, k: float, t: float, v: float, is_call: bool, r: float, q: float, nodes: Floats
) -> tuple[float, float, float]:
    """Return price, delta and gamma of an American option by two trees; as in `one_tree`."""
    sign = 1.0 if is_call else -1.0
    rough, rough_delta, rough_gamma, _ = one_tree(s, k, t, v, is_call, r, q, STEPS, nodes)
    fine, delta, gamma, exercised = one_tree(s, k, t, v, is_call, r, q, 2 * STEPS, nodes)
    if exercised:
        return sign * (s - k), sign, 0.0
    least = max(european_price(s, k, t, v, is_call, r, q), sign * (s - k))
    return max(2.0 * fine - rough, least), 2.0 * delta - rough_delta, 2.0 * gamma - rough_gamma


@kernel
def fill_by_tree(
    spot: Floats,
    strike: Floats,
    years: Floats,
    volatility: Floats,
    is_call: Flags,
    rate: Floats,
    dividend_yield: Floats,
    out: Floats,
) -> None:
    """Fill `out[9, n]` with the fields of `black.Greeks` in their order, NaN for what is no option.

    Theta follows from the Black-Scholes equation, the others are central differences; arrays are
    [n], their meaning as in `american.fast_american_greeks`.
    """
    nodes = make_nodes()
    for i in range(spot.size):
        s = spot[i]
        k = strike[i]
        t = years[i]
        v = volatility[i]
        r = rate[i]
        q = dividend_yield[i]
        call = is_call[i]
        for j in range(9):
            out[j, i] = math.nan
        if not (s > 0.0 and k > 0.0 and t > 0.0 and v > 0.0 and r - q == r - q):
            continue
        price, delta, gamma = tree_value(s, k, t, v, call, r, q, nodes)
        out[0, i] = price
        out[1, i] = delta
        out[2, i] = gamma
        if gamma == 0.0 and abs(delta) == 1.0:
            for j in range(3, 9):
                out[j, i] = 0.0
            continue
        h = _VOLATILITY_BUMP * v
        up, up_delta, _ = tree_value(s, k, t, v + h, call, r, q, nodes)
        low, low_delta, _ = tree_value(s, k, t, v - h, call, r, q, nodes)
        dearer = tree_value(s, k, t, v, call, r + _RATE_BUMP, q, nodes)[0]
        cheaper = tree_value(s, k, t, v, call, r - _RATE_BUMP, q, nodes)[0]
        span = _TIME_BUMP * t
        later = tree_value(s, k, t + span, v, call, r, q, nodes)[1]
        sooner = tree_value(s, k, t - span, v, call, r, q, nodes)[1]
        out[3, i] = theta_of(s, v, r, q, price, delta, gamma)
        out[4, i] = (up - low) / (2.0 * h)
        out[5, i] = (dearer - cheaper) / (2.0 * _RATE_BUMP)
        out[6, i] = (up_delta - low_delta) / (2.0 * h)
        out[7, i] = (sooner - later) / (2.0 * span)
        out[8, i] = (up - 2.0 * price + low) / (h * h)
