"""The Greeks of `black` in one compiled pass."""

from __future__ import annotations

import math
from typing import Final

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.black import Flags, Floats

# Hart's fit is exact to 1e-15 of one, not of the tail: the fraction takes over where that matters.
_TAIL_FROM: Final = 4.0
_FRACTION_TERMS: Final = 20
_INV_SQRT_2PI: Final = 0.3989422804014327


@kernel
def hart_ratio(x: float) -> float:
    """Return N(-x) / exp(-x^2 / 2) for 0 <= x < 7, to 1e-15 of one.

    Hart's rational approximation (Computer Approximations, 1968, no. 5666), as in West, "Better
    Approximations to Cumulative Normal Functions" (Wilmott, 2005).
    """
    top = 3.52624965998911e-02 * x + 0.700383064443688
    top = top * x + 6.37396220353165
    top = top * x + 33.912866078383
    top = top * x + 112.079291497871
    top = top * x + 221.213596169931
    top = top * x + 220.206867912376
    low = 8.83883476483184e-02 * x + 1.75566716318264
    low = low * x + 16.064177579207
    low = low * x + 86.7807322029461
    low = low * x + 296.564248779674
    low = low * x + 637.333633378831
    low = low * x + 793.826512519948
    low = low * x + 440.413735824752
    return top / low


@kernel
def tail_ratio(x: float) -> float:
    """Return N(-x) / exp(-x^2 / 2) for x >= 0, N the normal distribution.

    Hart's approximation, and in the tail the continued fraction of Mills' ratio. The relative error
    stays below 3e-13.
    """
    if x < _TAIL_FROM:
        return hart_ratio(x)
    # What the left-out terms come to, were they all alike.
    fraction = 0.5 * (x + math.sqrt(x * x + 4.0 * (_FRACTION_TERMS + 1)))
    for term in range(_FRACTION_TERMS, 0, -1):
        fraction = x + term / fraction
    return _INV_SQRT_2PI / fraction


@kernel
def fill_greeks(
    spot: Floats,
    strike: Floats,
    years: Floats,
    volatility: Floats,
    is_call: Flags,
    rate: Floats,
    dividend_yield: Floats,
    out: Floats,
) -> None:
    """Fill `out[9, n]` with the fields of `black.Greeks` in their order.

    Discount factors and the root of time are carried over while neighbours share them.

    Args:
        spot: Dollars [n].
        strike: Dollars [n].
        years: Years to expiry [n].
        volatility: Volatility a year [n].
        is_call: True for calls [n].
        rate: Continuous rate a year [n].
        dividend_yield: Continuous yield a year [n].
        out: float64 [9, n], written; NaN where an argument is NaN or out of range.
    """
    last_t = math.nan
    last_r = math.nan
    last_q = math.nan
    root_t = math.nan
    df = math.nan
    dq = math.nan
    for i in range(spot.size):
        s = spot[i]
        k = strike[i]
        t = years[i]
        v = volatility[i]
        r = rate[i]
        q = dividend_yield[i]
        if not (s > 0.0 and k > 0.0 and t > 0.0 and v > 0.0):
            for j in range(9):
                out[j, i] = math.nan
            continue
        if t != last_t or r != last_r or q != last_q:
            root_t = math.sqrt(t)
            df = math.exp(-r * t)
            dq = math.exp(-q * t)
            last_t = t
            last_r = r
            last_q = q
        root = v * root_t
        inverse = 1.0 / root
        d1 = (math.log(s / k) + (r - q) * t) * inverse + 0.5 * root
        d2 = d1 - root
        phi = 1.0 if is_call[i] else -1.0
        grown = s * dq
        discounted = k * df
        bell = math.exp(-0.5 * d1 * d1)
        n1 = bell * tail_ratio(abs(d1))
        if phi * d1 > 0.0:
            n1 = 1.0 - n1
        # The density at d2 is the one at d1 times forward over strike.
        n2 = bell * (grown / discounted) * tail_ratio(abs(d2))
        if phi * d2 > 0.0:
            n2 = 1.0 - n2
        per_spot = dq * _INV_SQRT_2PI * bell
        vega = s * per_spot * root_t
        out[0, i] = phi * (grown * n1 - discounted * n2)
        out[1, i] = phi * dq * n1
        out[2, i] = per_spot * inverse / s
        out[3, i] = -0.5 * vega * v / t + phi * (q * grown * n1 - r * discounted * n2)
        out[4, i] = vega
        out[5, i] = phi * discounted * t * n2
        out[6, i] = -per_spot * d2 / v
        out[7, i] = phi * q * dq * n1 - per_spot * ((r - q) * inverse - 0.5 * d2 / t)
        out[8, i] = vega * d1 * d2 / v
