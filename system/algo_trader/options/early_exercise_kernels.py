"""Boundaries of a whole chain, read from small tables by volatility.

All puts of one expiry share rate, yield and years, and so do its calls; their boundaries differ by
volatility alone and do so smoothly. `fill_tables` solves for a few volatilities an expiry and side;
between them depth / volatility is a polynomial in the logarithm of the volatility.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.american_kernels import (
    charm_of,
    fill_depth,
    fill_discounts,
    iterate_boundary,
    make_room,
    normal,
    seed_boundary,
    theta_of,
    value_of,
    waiting_costs,
)
from system.algo_trader.options.american_scheme import Scheme
from system.algo_trader.options.black import Flags, Floats

Counts = npt.NDArray[np.int64]

RATE_BUMP: Final = 5e-4
_VOLATILITY_BUMP: Final = 0.01
_CLOSE: Final = 1e-8
_NARROW: Final = 1e-9
# A secant's error is the product of the last two: what is left after such a step is below 1e-6.
_LAST_STEP: Final = 1e-3
_ROUNDING: Final = 1e-12
_MAX_STEPS: Final = 60
_NEXT_STEPS: Final = 3
_INV_SQRT_2PI: Final = 0.3989422804014327


@kernel
def fill_tables(
    years: Floats,
    rate: Floats,
    pays: Floats,
    lowest: Floats,
    highest: Floats,
    place: Floats,
    fit: Floats,
    scheme: Scheme,
    tables: Floats,
    drift: Floats,
) -> None:
    """Solve for the boundaries of every expiry and side that has candidates.

    Only the first volatility is solved for from scratch: the next one's boundary begins where its
    neighbour's ended.

    Args:
        years: Years to settlement [m].
        rate: Continuous rate [m].
        pays: Continuous yield [m].
        lowest: Volatility at the table's low end, puts then calls, NaN without candidates [m, 2].
        highest: At its high end [m, 2].
        place: Chebyshev nodes in [-1, 1], ascending [c].
        fit: Coefficients of the polynomial through values at those nodes [c, c].
        scheme: Nodes and points.
        tables: Coefficients of depth / volatility, written [m, 2, c, p + 1].
        drift: By how much depth / volatility grows when the rate grows by `RATE_BUMP`, as the
            coefficients of a straight line between the table's ends, written [m, 2, 2, p + 1].
    """
    room = make_room(scheme)
    dearer = make_room(scheme)
    size = place.size
    values = np.empty((size, room.points.shape[1]))
    for e in range(years.size):
        for side in range(2):
            if not lowest[e, side] > 0.0:
                continue
            middle = 0.5 * (math.log(lowest[e, side]) + math.log(highest[e, side]))
            half = 0.5 * (math.log(highest[e, side]) - math.log(lowest[e, side]))
            lent = pays[e] if side == 1 else rate[e]
            paid = rate[e] if side == 1 else pays[e]
            fill_discounts(lent, paid, years[e], scheme, room)
            more_lent = lent if side == 1 else lent + RATE_BUMP
            more_paid = paid + RATE_BUMP if side == 1 else paid
            fill_discounts(more_lent, more_paid, years[e], scheme, dearer)
            last = 0.0
            for c in range(size):
                sigma = math.exp(middle + half * place[c])
                steps = scheme.steps
                if c == 0:
                    seed_boundary(lent, paid, sigma, years[e], scheme, room)
                else:
                    steps = _NEXT_STEPS
                    for i in range(room.log_boundary.size):
                        room.log_boundary[i] *= sigma / last
                iterate_boundary(lent, paid, sigma, years[e], scheme, room, steps)
                last = sigma
                for j in range(room.points.shape[1]):
                    values[c, j] = room.points[0, j] / sigma
                if c == 0 or c == size - 1:
                    dearer.log_boundary[:] = room.log_boundary
                    iterate_boundary(
                        more_lent, more_paid, sigma, years[e], scheme, dearer, _NEXT_STEPS
                    )
                    for j in range(room.points.shape[1]):
                        grown = dearer.points[0, j] / sigma - values[c, j]
                        drift[e, side, 0 if c == 0 else 1, j] = grown
            for c in range(size):
                for j in range(room.points.shape[1]):
                    total = 0.0
                    for k in range(size):
                        total += fit[c, k] * values[k, j]
                    tables[e, side, c, j] = total
            for j in range(room.points.shape[1]):
                first, end = drift[e, side, 0, j], drift[e, side, 1, j]
                drift[e, side, 0, j] = 0.5 * (first + end)
                drift[e, side, 1, j] = 0.5 * (end - first)


@kernel
def read_table(table: Floats, low: float, high: float, sigma: float, points: Floats) -> None:
    """Fill the depths in `Room.points` for a volatility, level beyond the table's ends."""
    log_low = math.log(low)
    at = 2.0 * (math.log(sigma) - log_low) / (math.log(high) - log_low) - 1.0
    at = min(max(at, -1.0), 1.0)
    last = table.shape[0] - 1
    for j in range(points.shape[1]):
        total = table[last, j]
        for c in range(last - 1, -1, -1):
            total = total * at + table[c, j]
        points[0, j] = max(total * sigma, 0.0)


@kernel
def miss_of(
    price: float,
    spot: float,
    strike: float,
    years: float,
    sigma: float,
    is_call: bool,
    rate: float,
    pays: float,
    table: Floats,
    low: float,
    high: float,
    points: Floats,
) -> float:
    """Return by how much an American option at a volatility is dearer than a price."""
    read_table(table, low, high, sigma, points)
    return value_of(spot, strike, years, sigma, is_call, rate, pays, points, False)[0] - price


@kernel
def fill_volatility(
    spot: float,
    price: Floats,
    strike: Floats,
    is_call: Flags,
    expiry: Counts,
    wanted: Flags,
    years: Floats,
    rate: Floats,
    pays: Floats,
    lowest: Floats,
    highest: Floats,
    scheme: Scheme,
    tables: Floats,
    volatility: Floats,
) -> None:
    """Replace the volatilities of wanted contracts by those at which the American price is met.

    The root lies between the table's low end and the European volatility that is there, at which
    an American option costs no less than its price. Each step is a secant's; one that leaves the
    bracket is replaced by halving it. NaN where no volatility gives a price above what immediate
    exercise pays, -1 where the table does not reach. All arrays are [n] or as in `fill_tables`.
    """
    room = make_room(scheme)
    points = room.points
    last = -1
    for i in range(price.size):
        if not wanted[i]:
            continue
        e = expiry[i]
        call = is_call[i]
        side = 1 if call else 0
        r = rate[e]
        q = pays[e]
        t = years[e]
        k = strike[i]
        p = price[i]
        if 2 * e + side != last:
            fill_discounts(q if call else r, r if call else q, t, scheme, room)
            last = 2 * e + side
        table = tables[e, side]
        first = lowest[e, side]
        end = highest[e, side]
        exercised = spot - k if call else k - spot
        if p <= exercised + _ROUNDING * k:
            volatility[i] = math.nan
            continue
        high = volatility[i]
        if high > end:
            volatility[i] = -1.0
            continue
        above = miss_of(p, spot, k, t, high, call, r, q, table, first, end, points)
        if above <= _CLOSE * p:
            continue
        # The vega of a European option is close enough for the first step.
        root = high * math.sqrt(t)
        d1 = (math.log(spot / k) + (r - q) * t) / root + 0.5 * root
        vega = spot * math.exp(-q * t - 0.5 * d1 * d1) * math.sqrt(t) * _INV_SQRT_2PI
        low = first
        was = high
        was_miss = above
        sigma = high - above / vega if vega > 0.0 else 0.5 * (low + high)
        found = False
        for _ in range(_MAX_STEPS):
            if not low < sigma < high:
                sigma = 0.5 * (low + high)
            miss = miss_of(p, spot, k, t, sigma, call, r, q, table, first, end, points)
            if miss > 0.0:
                high = sigma
            else:
                low = sigma
                found = True
            if abs(miss) <= _CLOSE * p:
                found = True
                break
            if high - low <= _NARROW * high:
                break
            slope = (miss - was_miss) / (sigma - was) if sigma != was else 0.0
            was = sigma
            was_miss = miss
            sigma = sigma - miss / slope if slope > 0.0 else 0.5 * (low + high)
            if slope > 0.0 and abs(sigma - was) <= _LAST_STEP * was and first < sigma < end:
                found = True
                break
        volatility[i] = sigma if found else -1.0


@kernel
def fill_early(
    spot: float,
    strike: Floats,
    is_call: Flags,
    expiry: Counts,
    wanted: Flags,
    volatility: Floats,
    years: Floats,
    rate: Floats,
    pays: Floats,
    lowest: Floats,
    highest: Floats,
    scheme: Scheme,
    tables: Floats,
    drift: Floats,
    threshold: float,
    premium: Floats,
    out: Floats,
) -> None:
    """Replace prices and Greeks where early exercise is worth more than a threshold.

    Args:
        spot: Dollars.
        strike: Dollars [n].
        is_call: True for calls [n].
        expiry: Position in the arrays by expiry [n].
        wanted: True for candidates [n].
        volatility: A year's [n].
        years: As in `fill_tables`.
        rate: As in `fill_tables`.
        pays: As in `fill_tables`.
        lowest: As in `fill_tables`.
        highest: As in `fill_tables`.
        scheme: Nodes and points.
        tables: As in `fill_tables`.
        drift: As in `fill_tables`.
        threshold: Dollars.
        premium: American less European price in dollars, written for candidates [n].
        out: `black.Greeks` of the European options, changed where the threshold is passed [9, n].
    """
    room = make_room(scheme)
    points = room.points
    dearer = make_room(scheme)
    last = -1
    for i in range(strike.size):
        v = volatility[i]
        if not (wanted[i] and v > 0.0):
            continue
        e = expiry[i]
        call = is_call[i]
        side = 1 if call else 0
        k = strike[i]
        r = rate[e]
        q = pays[e]
        t = years[e]
        low = lowest[e, side]
        high = highest[e, side]
        if 2 * e + side != last:
            fill_discounts(q if call else r, r if call else q, t, scheme, room)
            more = r + RATE_BUMP
            fill_discounts(q if call else more, more if call else q, t, scheme, dearer)
            last = 2 * e + side
        table = tables[e, side]
        read_table(table, low, high, v, points)
        price, delta, gamma, speed = value_of(spot, k, t, v, call, r, q, points, True)
        premium[i] = max(price - out[0, i], 0.0)
        if premium[i] <= threshold:
            continue
        out[0, i] = price
        out[1, i] = delta
        out[2, i] = gamma
        if gamma == 0.0 and abs(delta) == 1.0:
            for j in range(3, 9):
                out[j, i] = 0.0
            continue
        at = 2.0 * (math.log(v) - math.log(low)) / (math.log(high) - math.log(low)) - 1.0
        at = min(max(at, -1.0), 1.0)
        for j in range(points.shape[1]):
            grown = drift[e, side, 0, j] + at * drift[e, side, 1, j]
            dearer.points[0, j] = max(points[0, j] + v * grown, 0.0)
        moved = value_of(spot, k, t, v, call, r + RATE_BUMP, q, dearer.points, False)[0]
        h = _VOLATILITY_BUMP * v
        read_table(table, low, high, v + h, points)
        up, up_delta, _, _ = value_of(spot, k, t, v + h, call, r, q, points, False)
        read_table(table, low, high, v - h, points)
        down, down_delta, _, _ = value_of(spot, k, t, v - h, call, r, q, points, False)
        out[3, i] = theta_of(spot, v, r, q, price, delta, gamma)
        out[4, i] = (up - down) / (2.0 * h)
        out[5, i] = (moved - price) / RATE_BUMP
        out[6, i] = (up_delta - down_delta) / (2.0 * h)
        out[7, i] = charm_of(spot, v, r, q, delta, gamma, speed)
        out[8, i] = (up - 2.0 * price + down) / (h * h)


@kernel
def fill_near_the_money(
    spot: float,
    strike: Floats,
    is_call: Flags,
    expiry: Counts,
    volatility: Floats,
    years: Floats,
    rate: Floats,
    pays: Floats,
    scheme: Scheme,
    premium: Floats,
) -> None:
    """Fill what early exercise is worth, with one boundary an expiry and side.

    Args:
        spot: Dollars.
        strike: Dollars, sorted by expiry and side [n].
        is_call: True for calls [n].
        expiry: Position in the arrays by expiry [n].
        volatility: One an expiry [m].
        years: Years to settlement [m].
        rate: Continuous rate [m].
        pays: Continuous yield [m].
        scheme: Nodes and points.
        premium: American less European price in dollars, written [n].
    """
    room = make_room(scheme)
    points = room.points
    last = -1
    for i in range(strike.size):
        e = expiry[i]
        call = is_call[i]
        side = 1 if call else 0
        r = rate[e]
        q = pays[e]
        v = volatility[e]
        t = years[e]
        k = strike[i]
        premium[i] = 0.0
        lent = q if call else r
        paid = r if call else q
        if not (waiting_costs(lent, paid) and v > 0.0 and paid == paid):
            continue
        if 2 * e + side != last:
            fill_discounts(lent, paid, t, scheme, room)
            fill_depth(lent, paid, v, t, scheme, room)
            last = 2 * e + side
        american = value_of(spot, k, t, v, call, r, q, points, False)[0]
        root = v * math.sqrt(t)
        d1 = (math.log(spot / k) + (r - q) * t) / root + 0.5 * root
        sign = 1.0 if call else -1.0
        european = sign * (
            spot * math.exp(-q * t) * normal(sign * d1)
            - k * math.exp(-r * t) * normal(sign * (d1 - root))
        )
        premium[i] = max(american - european, 0.0)
