"""Black-Scholes-Merton with a continuous yield, and Black-76 on a forward, as NumPy arrays.

Every Greek is the plain derivative of the price, so finite differences give the same number:

======  ===================================  ============================================
delta   d price / d underlying               1
gamma   d delta / d underlying               1 / dollar
theta   - d price / d years                  dollars a year of 365 days; / 365 for a day
vega    d price / d volatility               dollars per 1.00; / 100 for a point
rho     d price / d rate                     dollars per 1.00; / 10 000 for a basis point
vanna   d delta / d volatility               per 1.00
charm   - d delta / d years                  a year of 365 days
vomma   d vega / d volatility                dollars per 1.00 squared
======  ===================================  ============================================

Sources: Hull, Options, Futures, and Other Derivatives, chapters on Greeks and on futures options;
Haug, The Complete Guide to Option Pricing Formulas, chapter 2.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SQRT_2PI: Final = 2.5066282746310002


class Greeks(NamedTuple):
    """Prices and their derivatives, one float64 array each; units in the module's docstring."""

    price: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    rho: Floats
    vanna: Floats
    charm: Floats
    vomma: Floats


def greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
) -> Greeks:
    """Return prices and Greeks of European options on a spot with a continuous yield.

    Args:
        spot: Price of the underlying in dollars, above 0.
        strike: Dollars, above 0.
        years: Years of 365 days to expiry, above 0.
        volatility: A year's standard deviation of log returns, above 0 (0.2 is 20 %).
        is_call: True for calls.
        rate: Continuously compounded rate a year.
        dividend_yield: Continuous yield a year.

    Returns:
        Arrays of the shape that the arguments broadcast to. NaN wherever an argument is NaN or
        outside its range.
    """
    from scipy.special import ndtr

    s, k, t, v, call, r, q = _aligned(
        spot, strike, years, volatility, is_call, rate, dividend_yield
    )
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        usable = (s > 0) & (k > 0) & (t > 0) & (v > 0)
        s, k, t, v = (np.where(usable, x, np.nan) for x in (s, k, t, v))
        root = v * np.sqrt(t)
        d1 = (np.log(s / k) + (r - q) * t) / root + 0.5 * root
        d2 = d1 - root
        phi = np.where(call, 1.0, -1.0)
        n1, n2 = ndtr(phi * d1), ndtr(phi * d2)
        density = np.exp(-0.5 * d1 * d1) / _SQRT_2PI
        grown, discounted = s * np.exp(-q * t), k * np.exp(-r * t)
        vega = grown * density * np.sqrt(t)
        per_spot = np.exp(-q * t) * density
        decay = per_spot * ((r - q) / root - d2 / (2.0 * t))
        return Greeks(
            price=phi * (grown * n1 - discounted * n2),
            delta=phi * np.exp(-q * t) * n1,
            gamma=per_spot / (s * root),
            theta=-grown * density * v / (2.0 * np.sqrt(t))
            + phi * (q * grown * n1 - r * discounted * n2),
            vega=vega,
            rho=phi * discounted * t * n2,
            vanna=-per_spot * d2 / v,
            charm=phi * q * np.exp(-q * t) * n1 - decay,
            vomma=vega * d1 * d2 / v,
        )


def greeks_on_forward(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
) -> Greeks:
    """Return prices and Greeks of European options on a forward or future (Black-76).

    Delta, gamma, vanna and charm are those of the forward. Rho holds the forward still, so that a
    higher rate only discounts more.

    Args:
        forward: Forward price at the option's expiry in dollars, above 0.
        strike: Dollars, above 0.
        years: Years of 365 days to expiry, above 0.
        volatility: A year's standard deviation of log returns, above 0.
        is_call: True for calls.
        rate: Continuously compounded rate a year.
    """
    found = greeks(forward, strike, years, volatility, is_call, rate=rate, dividend_yield=rate)
    return found._replace(rho=-np.asarray(years, dtype=np.float64) * found.price)


def fast_greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
) -> Greeks:
    """Return what `greeks` returns, in one compiled pass; arguments and result alike.

    It is fastest where neighbours share their expiry, rate and yield, as in a sorted chain.
    """
    from system.algo_trader.options.black_kernels import fill_greeks

    s, k, t, v, call, r, q, shape = flat_options(
        spot, strike, years, volatility, is_call, rate, dividend_yield
    )
    out = np.empty((len(Greeks._fields), s.size))
    fill_greeks(s, k, t, v, call, r, q, out)
    return Greeks(*(row.reshape(shape) for row in out))


def flat_options(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    rate: npt.ArrayLike,
    dividend_yield: npt.ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats, Flags, Floats, Floats, tuple[int, ...]]:
    """Return all arguments as rows of one length, and the shape that they broadcast to."""
    s, k, t, v, call, r, q = _aligned(
        spot, strike, years, volatility, is_call, rate, dividend_yield
    )
    return flat(s), flat(k), flat(t), flat(v), flat(call), flat(r), flat(q), s.shape


def flat(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column in one dimension, fit for a kernel.

    A broadcast array of one element or none stays a view, at which NumPy warns: it is copied.
    """
    return column.ravel() if column.size > 1 else column.flatten()


def _aligned(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    rate: npt.ArrayLike,
    dividend_yield: npt.ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats, Flags, Floats, Floats]:
    numbers = (spot, strike, years, volatility, rate, dividend_yield)
    arrays = [np.asarray(x, dtype=np.float64) for x in numbers]
    s, k, t, v, r, q, call = np.broadcast_arrays(*arrays, np.asarray(is_call, dtype=np.bool_))
    return s, k, t, v, call, r, q
