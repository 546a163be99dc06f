"""Implied volatility of American options: a number, or the reason why there is none.

An American option that is best exercised at once costs its intrinsic value at any low volatility,
so only a price above what a sure exercise pays has one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from system.algo_trader.options.american import american_price
from system.algo_trader.options.american_scheme import ACCURATE, Scheme
from system.algo_trader.options.black import Floats, flat_options
from system.algo_trader.options.implied import Implied, implied_volatility


def american_implied_volatility(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
    scheme: Scheme = ACCURATE,
) -> Implied:
    """Return the volatility at which an American option has the price.

    Args:
        price: Dollars, paid now.
        spot: Dollars, above 0.
        strike: Dollars, above 0.
        years: Years of 365 days to expiry, above 0.
        is_call: True for calls.
        rate: Continuously compounded rate a year.
        dividend_yield: Continuous yield a year.
        scheme: Nodes and points.

    Returns:
        Arrays of the shape that the arguments broadcast to. Where early exercise never pays it is
        the European volatility.
    """
    from system.algo_trader.options.american_implied_kernels import fill_american_implied

    aligned = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (price, spot, strike, years, rate)),
        np.asarray(dividend_yield, dtype=np.float64),
        np.asarray(is_call, dtype=np.bool_),
    )
    shape = aligned[0].shape
    s, k, t, p, call, r, q, _ = flat_options(
        aligned[1], aligned[2], aligned[3], aligned[0], aligned[6], aligned[4], aligned[5]
    )
    volatility = np.empty(p.size)
    reason = np.empty(p.size, dtype=np.uint8)
    fill_american_implied(p, s, k, t, call, r, q, scheme, volatility, reason)
    lent, paid = np.where(call, q, r), np.where(call, r, q)
    never = (lent <= 0) & (paid >= lent)
    if never.any():
        with np.errstate(invalid="ignore", over="ignore"):
            forward, discount = s * np.exp((r - q) * t), np.exp(-r * t)
        plain = implied_volatility(
            p[never], forward[never], k[never], t[never], call[never], discount=discount[never]
        )
        volatility[never], reason[never] = plain
    return Implied(volatility.reshape(shape), reason.reshape(shape))


def american_implied_by_bisection(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
    steps: int = 50,
) -> Floats:
    """Return the same by halving brackets of `american_price`: the slow NumPy reference.

    Every price has to lie between its price at a total volatility of 1e-4 and that at 20.
    """
    target = np.asarray(price, dtype=np.float64)
    unit = 1.0 / np.sqrt(np.asarray(years, dtype=np.float64))
    low: Floats = 1e-4 * unit * np.ones_like(target)
    high: Floats = 20.0 * unit * np.ones_like(target)
    for _ in range(steps):
        middle = 0.5 * (low + high)
        model = american_price(
            spot, strike, years, middle, is_call, rate=rate, dividend_yield=dividend_yield
        )
        above = model > target
        high = np.where(above, middle, high)
        low = np.where(above, low, middle)
    found: Floats = 0.5 * (low + high)
    return found
