"""Solve for implied volatility inside a bracket that only ever shrinks.

The problem is put on the out-of-the-money side and made free of units as in Jaeckel, "Let's Be
Rational" (Wilmott, 2015): with x = -|ln(F/K)|, s = volatility * sqrt(years) and a price in units
of sqrt(F K), the price b(x, s) rises from 0 to exp(x/2), convex up to s = sqrt(2|x|) and concave
beyond. Newton's method runs where the function is closest to a straight line: ln b against 1/s^2
below the turning point, b against s above it, and the logarithm of what is left to the upper bound
against s^2 near the bound. A step that leaves the bracket is replaced by halving it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.black import Flags, Floats

_SQRT_HALF: Final = 0.7071067811865476
_SQRT_2PI: Final = 2.5066282746310002
_INV_SQRT_2PI: Final = 0.3989422804014327
_MAX_STEPS: Final = 100
_CLOSE: Final = 2e-15
# Halley's step is of third order: after one this small, what is left is below rounding.
_LAST_STEP: Final = 1e-6

_OK: Final = 0
_NO_PRICE: Final = 1
_BELOW_INTRINSIC: Final = 4
_ABOVE_BOUND: Final = 5
_EXPIRED: Final = 6
_BAD_INPUT: Final = 7


@kernel
def total_volatility(beta: float, x: float) -> float:
    """Return s with b(x, s) = beta.

    Args:
        beta: Price over sqrt(forward * strike), strictly between 0 and exp(x / 2).
        x: -|ln(forward / strike)|, at most 0.
    """
    root = math.exp(0.5 * x)
    inverse = 1.0 / root
    turn = math.sqrt(-2.0 * x)
    low = 0.0
    high = 2.0 * (9.0 + math.sqrt(81.0 - 2.0 * x))
    left = root - beta
    at_turn = 0.0 if x == 0.0 else 0.5 * (root - inverse * math.erfc(turn * _SQRT_HALF))
    below = beta < at_turn
    near_bound = not below and beta > 0.75 * root
    log_target = 0.0
    s = turn
    if below:
        high = turn
        log_target = math.log(beta)
        # ln b is about -x^2 / 2 s^2, less what grows slowly; start a little to the right of it.
        s = min(turn, -x / math.sqrt(max(-2.0 * log_target - 2.0, -0.5 * x)))
    else:
        low = turn
        if near_bound:
            log_target = math.log(left)
            s = max(turn, math.sqrt(max(8.0 * -(log_target), 0.0)))
            if not s < high:
                s = 0.5 * (low + high)
        if s <= 0.0:
            s = beta * _SQRT_2PI
    for _ in range(_MAX_STEPS):
        h = x / s
        upper = root * 0.5 * math.erfc(-(h + 0.5 * s) * _SQRT_HALF)
        lower = inverse * 0.5 * math.erfc(-(h - 0.5 * s) * _SQRT_HALF)
        value = upper - lower
        slope = _INV_SQRT_2PI * math.exp(-0.5 * (h * h + 0.25 * s * s))
        curve = h * h / s - 0.25 * s
        step = math.nan
        if below:
            if value > 0.0:
                miss = math.log(value) - log_target
                bend = slope / value
                newton = miss / bend
                step = newton / (1.0 + 0.5 * newton * (bend - curve))
                step = min(max(step, -0.5 * s), 0.5 * s)
            else:
                miss = -1.0
        elif near_bound:
            rest = root * 0.5 * math.erfc((h + 0.5 * s) * _SQRT_HALF) + lower
            miss = -1.0
            if rest > 0.0:
                miss = log_target - math.log(rest)
                bend = slope / rest
                newton = miss / bend
                step = newton / (1.0 - 0.5 * newton * (bend + curve))
            else:
                miss = 1.0
        else:
            miss = value - beta
            newton = miss / slope
            step = newton / (1.0 - 0.5 * newton * curve)
        if miss == 0.0:
            return s
        if miss > 0.0:
            high = s
        else:
            low = s
        following = s - step
        if low < following < high:
            if abs(step) <= _LAST_STEP * s:
                return following
        else:
            following = 0.5 * (low + high)
            if high - low <= _CLOSE * s:
                return following
        s = following
    return s


@kernel
def time_value(
    price: float, f: float, k: float, t: float, is_call: bool, df: float
) -> tuple[int, float]:
    """Return a contract's reason, and its undiscounted price less what it pays at the forward."""
    if not (f > 0.0 and k > 0.0 and df > 0.0 and f * k * df < math.inf):
        return _BAD_INPUT, math.nan
    if not t > 0.0:
        return _EXPIRED, math.nan
    if not -math.inf < price < math.inf:
        return _NO_PRICE, math.nan
    value = price / df
    if is_call and f > k:
        value -= f - k
    elif not is_call and k > f:
        value -= k - f
    if value <= 0.0:
        return _BELOW_INTRINSIC, value
    if value >= min(f, k):
        return _ABOVE_BOUND, value
    return _OK, value


@kernel
def fill_reasons(
    price: Floats,
    forward: Floats,
    strike: Floats,
    years: Floats,
    is_call: Flags,
    discount: Floats,
    reason: npt.NDArray[np.uint8],
) -> None:
    """Fill reasons alone; all arrays are [n], the meaning as in `implied`."""
    for i in range(price.size):
        reason[i], _ = time_value(
            price[i], forward[i], strike[i], years[i], is_call[i], discount[i]
        )


@kernel
def fill_implied(
    price: Floats,
    forward: Floats,
    strike: Floats,
    years: Floats,
    is_call: Flags,
    discount: Floats,
    volatility: Floats,
    reason: npt.NDArray[np.uint8],
) -> None:
    """Fill volatilities and reasons; all arrays are [n], the meaning as in `implied`."""
    for i in range(price.size):
        volatility[i] = math.nan
        f = forward[i]
        k = strike[i]
        t = years[i]
        reason[i], value = time_value(price[i], f, k, t, is_call[i], discount[i])
        if reason[i] != _OK:
            continue
        unit = math.sqrt(f * k)
        x = -abs(math.log(f / k))
        beta = value / unit
        if beta >= math.exp(0.5 * x):
            reason[i] = _ABOVE_BOUND
            continue
        if beta <= 0.0:
            reason[i] = _BELOW_INTRINSIC
            continue
        volatility[i] = total_volatility(beta, x) / math.sqrt(t)
