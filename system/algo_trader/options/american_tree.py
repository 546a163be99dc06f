"""American prices by trees in NumPy: the reference of `american_tree_kernels`."""

from __future__ import annotations

import math

import numpy as np

from system.algo_trader.options.black import Flags, Floats, greeks


def two_boundaries(is_call: Flags, rate: Floats, dividend_yield: Floats) -> Flags:
    """Say where the region of early exercise may have two ends.

    That is a put's with yield < rate < 0 and a call's with rate < yield < 0.
    """
    lent = np.where(is_call, dividend_yield, rate)
    paid = np.where(is_call, rate, dividend_yield)
    found: Flags = (lent < 0) & (paid < lent)
    return found


def tree_price(
    spot: float,
    strike: float,
    years: float,
    volatility: float,
    is_call: bool,
    rate: float,
    dividend_yield: float,
) -> float:
    """Return the price in dollars that two extrapolated trees give; the method as in the kernel.

    Args:
        spot: Dollars, above 0.
        strike: Dollars, above 0.
        years: Years to expiry, above 0.
        volatility: A year's, above 0.
        is_call: True for a call.
        rate: Continuous rate a year.
        dividend_yield: Continuous yield a year.
    """
    from system.algo_trader.options.american_tree_kernels import STEPS

    sign = 1.0 if is_call else -1.0
    carry = rate - dividend_yield
    found = []
    for steps in (STEPS, 2 * STEPS):
        dt = years / steps
        half = volatility * math.sqrt(dt)
        chance = 1.0 / (1.0 + math.exp(half))

        def prices(step: int, dt: float = dt, half: float = half) -> Floats:
            grid: Floats = spot * np.exp(carry * step * dt + half * np.arange(-step, step + 1, 2))
            return grid

        here = prices(steps - 1)
        held = greeks(
            here, strike, dt, volatility, is_call, rate=rate, dividend_yield=dividend_yield
        ).price
        value = np.maximum(held, sign * (here - strike))
        for step in range(steps - 2, -1, -1):
            kept = math.exp(-rate * dt) * (chance * value[1:] + (1.0 - chance) * value[:-1])
            value = np.maximum(kept, sign * (prices(step) - strike))
        found.append(float(value[0]))
    european = greeks(
        spot, strike, years, volatility, is_call, rate=rate, dividend_yield=dividend_yield
    ).price
    return max(2.0 * found[1] - found[0], float(european), sign * (spot - strike))
