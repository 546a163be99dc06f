"""American options on a spot with a continuous yield: early exercise by its integral equation.

An American put is the European one and a premium: the interest on the strike less the yield on the
stock, over the region in which it pays to exercise (Kim, Review of Financial Studies 3, 1990). The
region's boundary solves a fixed-point equation, here in form B of Andersen, Lake and Offengenden
(Journal of Computational Finance 20(1), 2016) on the nodes of `american_scheme`, with their
Jacobi-Newton step. A call is a put with spot and strike, and rate and yield, exchanged
(McDonald and Schroder, Journal of Computational Finance 1(3), 1998).

A put on which waiting costs nothing (rate <= 0 and yield >= rate) is worth its European price. With
yield < rate < 0 there are two boundaries, or none (Battauz, De Donno and Sbuelz, Management Science
61(5), 2015): a tree prices it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from system.algo_trader.options.american_scheme import ACCURATE, Scheme
from system.algo_trader.options.american_tree import tree_price, two_boundaries
from system.algo_trader.options.black import (
    Flags,
    Floats,
    Greeks,
    fast_greeks,
    flat_options,
    greeks,
)

_SQRT_2PI = 2.5066282746310002
_LEAST_BOUNDARY = 1e-12


class Boundary(NamedTuple):
    """Where puts on a strike of 1 are exercised, by time left.

    Attributes:
        at_expiry: The boundary's limit as the time left goes to 0 [n].
        bend: ln(boundary / limit)^2 at the nodes, from all the time left down to none [n, k + 1].
        never: True where a put is never exercised early [n].
        double: True where there are two boundaries and this one is none of them [n].
    """

    at_expiry: Floats
    bend: Floats
    never: Flags
    double: Flags


def american_price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
    scheme: Scheme = ACCURATE,
) -> Floats:
    """Return prices of American options: the NumPy reference of `fast_american_greeks`.

    Args:
        spot: Price of the underlying in dollars, above 0.
        strike: Dollars, above 0.
        years: Years of 365 days to expiry, above 0.
        volatility: A year's standard deviation of log returns, above 0.
        is_call: True for calls.
        rate: Continuously compounded rate a year.
        dividend_yield: Continuous yield a year.
        scheme: Nodes and points.

    Returns:
        Dollars, of the shape that the arguments broadcast to. NaN wherever an argument is NaN or
        outside its range.
    """
    s, k, t, v, call, r, q, shape = flat_options(
        spot, strike, years, volatility, is_call, rate, dividend_yield
    )
    european = greeks(s, k, t, v, call, rate=r, dividend_yield=q).price
    ratio = np.where(call, k / s, s / k)
    unit = np.where(call, s, k)
    r, q = np.where(call, q, r), np.where(call, r, q)
    usable = np.isfinite(european)
    r, q, t, v, ratio = (np.where(usable, x, 1.0) for x in (r, q, t, v, ratio))
    boundary = boundary_of(t, v, r, q, scheme)
    premium = _premium(ratio, t, v, r, q, boundary, scheme)
    alive = european + unit * np.maximum(premium, 0.0)
    intrinsic = unit * (1.0 - ratio)
    # With next to no interest the iteration stops short of the boundary: wait where that pays.
    inside = ratio <= boundary.at_expiry * np.exp(-np.sqrt(boundary.bend[:, 0]))
    price = np.maximum(np.where(inside, european, alive), intrinsic)
    price = np.where(boundary.never, european, price)
    for i in np.flatnonzero(boundary.double & usable):
        price[i] = tree_price(
            s[i], k[i], t[i], v[i], bool(call[i]), *((q[i], r[i]) if call[i] else (r[i], q[i]))
        )
    return np.where(usable, price, np.nan).reshape(shape)


def boundary_of(
    years: Floats, volatility: Floats, rate: Floats, dividend_yield: Floats, scheme: Scheme
) -> Boundary:
    """Return the exercise boundary of puts on a strike of 1; every argument is [n]."""
    from scipy.special import ndtr

    r, q, v, t = rate, dividend_yield, volatility, years
    double = (r < 0) & (q < r)
    never = (r <= 0) & (q >= r)
    limit = np.divide(r, q, out=np.ones_like(r), where=(q > r) & (r > 0))
    tau = t[:, None] * scheme.node[:-1] ** 2
    boundary = _first_guess(tau, v, r, q, limit)
    span = tau[:, :, None] * scheme.share
    left = tau[:, :, None] - span
    spread = v[:, None, None] * np.sqrt(span)
    drift = (r - q - 0.5 * v * v)[:, None]
    lent = r[:, None, None] * np.exp(r[:, None, None] * left) * scheme.weight * tau[:, :, None]
    paid = q[:, None, None] * np.exp(q[:, None, None] * left) * scheme.weight * tau[:, :, None]
    root = v[:, None] * np.sqrt(tau)
    for _ in range(scheme.steps):
        bend = _bend(boundary, limit)
        inner = np.sqrt(np.maximum(np.einsum("ijk,nk->nij", scheme.between, bend), 0.0))
        log_ratio = np.log(boundary / limit[:, None])[:, :, None] + inner
        low = (log_ratio + drift[:, :, None] * span) / spread
        d2 = (np.log(boundary) + drift * tau) / root
        d1 = d2 + root
        top = ndtr(d2) + (lent * ndtr(low)).sum(axis=2)
        under = ndtr(d1) + (paid * ndtr(low + spread)).sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            top_slope = np.exp(-0.5 * d2 * d2) / (_SQRT_2PI * boundary * root)
            under_slope = np.exp(-0.5 * d1 * d1) / (_SQRT_2PI * boundary * root)
            carry = np.exp(-(r - q)[:, None] * tau)
            mapped = carry * top / under
            slope = carry * (top_slope / under - under_slope * top / under**2)
            moved = boundary + (mapped - boundary) / (1.0 - slope)
        # One deviation a step: with a negative yield a longer one can land where nothing converges.
        moved = np.where(np.isfinite(moved), moved, boundary)
        least = np.maximum(boundary * np.exp(-root), _LEAST_BOUNDARY)
        boundary = np.clip(moved, least, limit[:, None])
    return Boundary(limit, _bend(boundary, limit), never, double)


def _first_guess(tau: Floats, v: Floats, r: Floats, q: Floats, limit: Floats) -> Floats:
    """Return Barone-Adesi and Whaley's seed (Journal of Finance 42, 1987, equation 31)."""
    half = (r - q) / v**2 - 0.5
    power = -half - np.sqrt(half**2 + 2.0 * np.maximum(r, 0.0) / v**2)
    perpetual = np.minimum(np.where(power < 0, power / (power - 1.0), 0.0), limit)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        decay = ((r - q)[:, None] * tau - 2.0 * v[:, None] * np.sqrt(tau)) / (1.0 - perpetual)
    guess = perpetual + (limit[:, None] - perpetual) * np.exp(np.minimum(decay, 0.0))
    found: Floats = np.clip(
        np.where(np.isfinite(guess), guess, limit[:, None]), _LEAST_BOUNDARY, limit[:, None]
    )
    return found


def _bend(boundary: Floats, limit: Floats) -> Floats:
    inner = np.log(boundary / limit[:, None]) ** 2
    return np.concatenate((inner, np.zeros((limit.size, 1))), axis=1)


def _premium(
    ratio: Floats,
    t: Floats,
    v: Floats,
    r: Floats,
    q: Floats,
    boundary: Boundary,
    scheme: Scheme,
) -> Floats:
    """Return the value of early exercise of puts on a strike of 1 at the spot `ratio`."""
    from scipy.special import ndtr

    root = np.sqrt(t)[:, None] * scheme.root
    span = root * root
    depth = np.sqrt(np.maximum(boundary.bend @ scheme.price_between.T, 0.0))
    log_ratio = (np.log(ratio) - np.log(boundary.at_expiry))[:, None] + depth
    d2 = (log_ratio + (r - q - 0.5 * v * v)[:, None] * span) / (v[:, None] * root)
    d1 = d2 + v[:, None] * root
    lent = r[:, None] * np.exp(-r[:, None] * span) * ndtr(-d2)
    paid = (q * ratio)[:, None] * np.exp(-q[:, None] * span) * ndtr(-d1)
    weight = 2.0 * root * scheme.price_weight * np.sqrt(t)[:, None]
    found: Floats = (weight * (lent - paid)).sum(axis=1)
    return found


def fast_american_greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    rate: npt.ArrayLike = 0.0,
    dividend_yield: npt.ArrayLike = 0.0,
    scheme: Scheme = ACCURATE,
) -> Greeks:
    """Return prices and Greeks of American options, compiled; arguments as `american_price`.

    Delta, gamma and the speed of gamma are the integral's own derivatives, theta and charm follow
    from the Black-Scholes equation, vega, vanna, vomma and rho are central differences. Where the
    option is worth exercising at once its price is its intrinsic value, delta -1 or 1, the rest 0.
    Options with two exercise boundaries are priced by `american_tree_kernels`.

    Returns:
        As `black.greeks`; NaN where `american_price` is.
    """
    from system.algo_trader.options.american_kernels import fill_american
    from system.algo_trader.options.american_tree_kernels import fill_by_tree

    s, k, t, v, call, r, q, shape = flat_options(
        spot, strike, years, volatility, is_call, rate, dividend_yield
    )
    out = np.empty((len(Greeks._fields), s.size))
    fill_american(s, k, t, v, call, r, q, scheme, out)
    double = two_boundaries(call, r, q)
    if double.any():
        by_tree = np.empty((len(Greeks._fields), np.count_nonzero(double)))
        fill_by_tree(
            s[double], k[double], t[double], v[double], call[double], r[double], q[double], by_tree
        )
        out[:, double] = by_tree
    lent, paid = np.where(call, q, r), np.where(call, r, q)
    never = (lent <= 0) & (paid >= lent)
    if never.any():
        out[:, never] = fast_greeks(
            s[never], k[never], t[never], v[never], call[never],
            rate=r[never], dividend_yield=q[never],
        )  # fmt: skip
    return Greeks(*(row.reshape(shape) for row in out))
