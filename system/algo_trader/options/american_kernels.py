"""The boundary, the early-exercise premium and the Greeks of `american`, compiled.

Everything is in units of the strike of a put; `fill_american` turns calls into puts. Close to the
boundary the integrands of delta and gamma are narrow bells that no fixed points see; their leading
terms are integrated exactly and taken out of the sum.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.american_scheme import Scheme
from system.algo_trader.options.black import Flags, Floats
from system.algo_trader.options.black_kernels import hart_ratio, tail_ratio

_INV_SQRT_2PI: Final = 0.3989422804014327
_LEAST_BOUNDARY: Final = 1e-12
_NEAR: Final = 0.5
# Beyond so many deviations a normal tail is below 2e-12.
_FAR: Final = 7.0
_VOLATILITY_BUMP: Final = 0.01
_RATE_BUMP: Final = 1e-4


class Room(NamedTuple):
    """Hold the arrays that one solution after the other is written to.

    Attributes:
        log_boundary: ln(boundary / limit) at the nodes past time 0 [n].
        bend: Its square, and 0 at time 0 [n + 1].
        lent: Interest at the points of the boundary's integrals, times their weight [n, l].
        paid: Yield there [n, l].
        points: By point of the price's integral and, in the last column, with all the time left:
            -ln(boundary / limit); discounted interest times the point's weight; discounted yield;
            1 / sqrt(t); the weight for d sqrt(t) [5, p + 1].
    """

    log_boundary: Floats
    bend: Floats
    lent: Floats
    paid: Floats
    points: Floats


@kernel
def make_room(scheme: Scheme) -> Room:
    """Return arrays of the sizes that a scheme needs."""
    n, points = scheme.between.shape[:2]
    return Room(
        np.empty(n),
        np.zeros(n + 1),
        np.empty((n, points)),
        np.empty((n, points)),
        np.zeros((5, scheme.root.size + 1)),
    )


@kernel
def normal(x: float) -> float:
    """Return the normal distribution function, its tails to about nine digits of themselves."""
    size = abs(x)
    if size > _FAR:
        return 1.0 if x > 0.0 else math.exp(-0.5 * x * x) * tail_ratio(size)
    tail = math.exp(-0.5 * x * x) * hart_ratio(size)
    return 1.0 - tail if x > 0.0 else tail


@kernel
def waiting_costs(lent: float, paid: float) -> bool:
    """Say whether a put has one exercise boundary; of a call exchange the two.

    Args:
        lent: Rate; of a call its yield.
        paid: Yield; of a call its rate.
    """
    return lent > 0.0 or (lent == 0.0 and paid < 0.0)


@kernel
def limit_at_expiry(rate: float, pays: float) -> float:
    """Return the boundary of a put on a strike of 1 just before expiry."""
    return rate / pays if pays > rate > 0.0 else 1.0


@kernel
def fill_discounts(rate: float, pays: float, years: float, scheme: Scheme, room: Room) -> None:
    """Fill what the integrals take from rate, yield and years alone."""
    length = math.sqrt(years)
    for i in range(room.log_boundary.size):
        tau = scheme.node[i] * scheme.node[i] * years
        for j in range(scheme.share.size):
            left = tau * (1.0 - scheme.share[j])
            room.lent[i, j] = rate * math.exp(rate * left) * scheme.weight[j] * tau
            room.paid[i, j] = pays * math.exp(pays * left) * scheme.weight[j] * tau
    for j in range(scheme.root.size):
        z = scheme.root[j] * length
        weight = 2.0 * z * scheme.price_weight[j] * length
        room.points[1, j] = weight * rate * math.exp(-rate * z * z)
        room.points[2, j] = weight * pays * math.exp(-pays * z * z)
        room.points[3, j] = 1.0 / z
        room.points[4, j] = scheme.price_weight[j] * length


@kernel
def fill_depth(
    rate: float, pays: float, sigma: float, years: float, scheme: Scheme, room: Room
) -> None:
    """Solve for the exercise boundary of a put and fill the depths in `room.points`.

    Steps as in `american`; `fill_discounts` goes before.
    """
    seed_boundary(rate, pays, sigma, years, scheme, room)
    iterate_boundary(rate, pays, sigma, years, scheme, room, scheme.steps)


@kernel
def seed_boundary(
    rate: float, pays: float, sigma: float, years: float, scheme: Scheme, room: Room
) -> None:
    """Fill `room.log_boundary` with the first guess of `american`."""
    limit = limit_at_expiry(rate, pays)
    log_limit = math.log(limit)
    half = (rate - pays) / (sigma * sigma) - 0.5
    power = -half - math.sqrt(half * half + 2.0 * max(rate, 0.0) / (sigma * sigma))
    perpetual = min(power / (power - 1.0), limit) if power < 0.0 else 0.0
    for i in range(room.log_boundary.size):
        tau = scheme.node[i] * scheme.node[i] * years
        guess = limit
        if perpetual < 1.0:
            decay = ((rate - pays) * tau - 2.0 * sigma * math.sqrt(tau)) / (1.0 - perpetual)
            guess = perpetual + (limit - perpetual) * math.exp(min(decay, 0.0))
        room.log_boundary[i] = min(math.log(max(guess, _LEAST_BOUNDARY)) - log_limit, 0.0)


@kernel
def iterate_boundary(
    rate: float, pays: float, sigma: float, years: float, scheme: Scheme, room: Room, steps: int
) -> None:
    """Improve `room.log_boundary` by so many steps and fill the depths in `room.points`."""
    n, points = scheme.between.shape[:2]
    log_limit = math.log(limit_at_expiry(rate, pays))
    drift = rate - pays - 0.5 * sigma * sigma
    room.bend[n] = 0.0
    for _ in range(steps):
        for i in range(n):
            room.bend[i] = room.log_boundary[i] * room.log_boundary[i]
        for i in range(n):
            tau = scheme.node[i] * scheme.node[i] * years
            root = sigma * math.sqrt(tau)
            log_now = room.log_boundary[i]
            boundary = math.exp(log_now + log_limit)
            d2 = (log_now + log_limit + drift * tau) / root
            d1 = d2 + root
            top = normal(d2)
            under = normal(d1)
            for j in range(points):
                bend = 0.0
                for k in range(n + 1):
                    bend += scheme.between[i, j, k] * room.bend[k]
                span = tau * scheme.share[j]
                spread = sigma * math.sqrt(span)
                low = (log_now + math.sqrt(max(bend, 0.0)) + drift * span) / spread
                top += room.lent[i, j] * normal(low)
                under += room.paid[i, j] * normal(low + spread)
            bell = _INV_SQRT_2PI / (boundary * root)
            top_slope = bell * math.exp(-0.5 * d2 * d2)
            under_slope = bell * math.exp(-0.5 * d1 * d1)
            carry = math.exp((pays - rate) * tau)
            mapped = carry * top / under
            slope = carry * (top_slope / under - under_slope * top / (under * under))
            moved = boundary + (mapped - boundary) / (1.0 - slope)
            if -math.inf < moved < math.inf:
                moved = math.log(max(moved, _LEAST_BOUNDARY)) - log_limit
                room.log_boundary[i] = min(max(moved, log_now - root), 0.0)
    for i in range(n):
        room.bend[i] = room.log_boundary[i] * room.log_boundary[i]
    p = scheme.root.size
    for j in range(p):
        bend = 0.0
        for k in range(n + 1):
            bend += scheme.price_between[j, k] * room.bend[k]
        room.points[0, j] = math.sqrt(max(bend, 0.0))
    room.points[0, p] = -room.log_boundary[0]


@kernel
def put_value(
    ratio: float,
    rate: float,
    pays: float,
    sigma: float,
    years: float,
    points: Floats,
    in_full: bool,
) -> tuple[float, float, float, float]:
    """Return a put's price and its first three derivatives in the spot, for a strike of 1.

    Args:
        ratio: Spot over strike.
        rate: Continuous rate a year.
        pays: Continuous yield a year.
        sigma: Volatility a year.
        years: Years to expiry.
        points: As in `Room`, filled for the other arguments.
        in_full: Whether the second and third derivatives are wanted; else they are meaningless.
    """
    s = ratio
    p = points.shape[1] - 1
    log_s = math.log(s)
    x = log_s - math.log(limit_at_expiry(rate, pays))
    away = x + points[0, p]
    length = math.sqrt(years)
    drift = rate - pays - 0.5 * sigma * sigma
    root = sigma * length
    d2 = (log_s + drift * years) / root
    d1 = d2 + root
    grown = math.exp(-pays * years)
    below1 = normal(-d1)
    price = math.exp(-rate * years) * normal(-d2) - s * grown * below1
    delta = -grown * below1
    gamma = grown * _INV_SQRT_2PI * math.exp(-0.5 * d1 * d1) / (s * root)
    speed = -gamma / s * (d1 / root + 1.0)
    if away <= 0.0:
        # With next to no interest the iteration stops short of the boundary: wait where that pays.
        if price > 1.0 - s:
            return price, delta, gamma, speed
        return 1.0 - s, -1.0, 0.0, 0.0
    european = price
    per_sigma = 1.0 / sigma
    per_s = 1.0 / s
    for j in range(p):
        a = per_sigma * points[3, j]
        z = 1.0 / points[3, j]
        d2 = (x + points[0, j] + drift * z * z) * a
        if d2 > _FAR:
            continue
        d1 = d2 + sigma * z
        bell2 = math.exp(-0.5 * d2 * d2)
        bell1 = math.exp(-0.5 * d1 * d1)
        below2 = bell2 * hart_ratio(min(abs(d2), _FAR))
        below1 = bell1 * hart_ratio(min(abs(d1), _FAR))
        if d2 < 0.0:
            below2 = 1.0 - below2
        if d1 < 0.0:
            below1 = 1.0 - below1
        lent = points[1, j]
        paid = points[2, j]
        lent_bell = lent * a * _INV_SQRT_2PI * bell2 * per_s
        paid_bell = paid * a * _INV_SQRT_2PI * bell1
        price += lent * below2 - paid * s * below1
        delta += paid_bell - lent_bell - paid * below1
        if in_full:
            lent_bell *= per_s
            paid_bell *= per_s
            tilt2 = 1.0 + a * d2
            tilt1 = 1.0 - a * d1
            gamma += lent_bell * tilt2 + paid_bell * tilt1
            speed += lent_bell * per_s * (a * a - (2.0 + a * d2) * tilt2)
            speed -= paid_bell * per_s * (a * a + (1.0 + a * d1) * tilt1)
    width = away * per_sigma
    if width < _NEAR * length:
        net = 2.0 * (rate - pays * s) * per_s * per_sigma
        beside = width * per_s * per_sigma
        layer = 0.0
        layer2 = 0.0
        layer3 = 0.0
        for j in range(p):
            per_z = points[3, j]
            d0 = width * per_z
            part = points[4, j] * math.exp(-0.5 * d0 * d0)
            layer += part
            layer2 += part * per_z * per_z
            layer3 += part * per_z * per_z * (1.0 - d0 * d0)
        d0 = width / length
        bell = _INV_SQRT_2PI * math.exp(-0.5 * d0 * d0)
        tail = normal(-d0)
        delta += net * (_INV_SQRT_2PI * layer - length * bell + width * tail)
        if in_full:
            gamma += net * (tail * per_s * per_sigma - _INV_SQRT_2PI * layer2 * beside)
            speed -= net * (per_s * per_sigma) ** 2 * (bell / length + _INV_SQRT_2PI * layer3)
    return max(price, european, 1.0 - s), delta, gamma, speed


@kernel
def value_of(
    spot: float,
    strike: float,
    years: float,
    sigma: float,
    is_call: bool,
    rate: float,
    pays: float,
    points: Floats,
    in_full: bool,
) -> tuple[float, float, float, float]:
    """Return an option's price, delta, gamma and the derivative of gamma in the spot, in dollars.

    Args:
        spot: Dollars.
        strike: Dollars.
        years: Years to expiry.
        sigma: Volatility a year.
        is_call: True for a call.
        rate: Continuous rate a year.
        pays: Continuous yield a year.
        points: As in `Room`, filled for the put: with rate and yield exchanged for a call.
        in_full: As in `put_value`.
    """
    if not is_call:
        price, first, second, third = put_value(
            spot / strike, rate, pays, sigma, years, points, in_full
        )
        return price * strike, first, second / strike, third / (strike * strike)
    u = strike / spot
    price, first, second, third = put_value(u, pays, rate, sigma, years, points, in_full)
    return (
        price * spot,
        price - u * first,
        u * u * second / spot,
        -(3.0 * u * u * second + u * u * u * third) / (spot * spot),
    )


@kernel
def solved_value(
    spot: float,
    strike: float,
    years: float,
    sigma: float,
    is_call: bool,
    rate: float,
    pays: float,
    scheme: Scheme,
    room: Room,
) -> tuple[float, float, float, float]:
    """Return `value_of` after solving for its boundary; rate or yield has to make waiting cost."""
    r = pays if is_call else rate
    q = rate if is_call else pays
    fill_discounts(r, q, years, scheme, room)
    fill_depth(r, q, sigma, years, scheme, room)
    return value_of(spot, strike, years, sigma, is_call, rate, pays, room.points, True)


@kernel
def fill_american(
    spot: Floats,
    strike: Floats,
    years: Floats,
    volatility: Floats,
    is_call: Flags,
    rate: Floats,
    dividend_yield: Floats,
    scheme: Scheme,
    out: Floats,
) -> None:
    """Fill `out[9, n]` with the fields of `black.Greeks` in their order.

    What has no boundary or two is NaN here, as is what cannot be priced; arrays are [n], their
    meaning as in `american.fast_american_greeks`.
    """
    room = make_room(scheme)
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
        usable = s > 0.0 and k > 0.0 and t > 0.0 and v > 0.0 and r - q == r - q
        if not (usable and waiting_costs(q if call else r, r if call else q)):
            continue
        price, delta, gamma, speed = solved_value(s, k, t, v, call, r, q, scheme, room)
        out[0, i] = price
        out[1, i] = delta
        out[2, i] = gamma
        if gamma == 0.0 and abs(delta) == 1.0:
            for j in range(3, 9):
                out[j, i] = 0.0
            continue
        h = _VOLATILITY_BUMP * v
        up, up_delta, _, _ = solved_value(s, k, t, v + h, call, r, q, scheme, room)
        down, down_delta, _, _ = solved_value(s, k, t, v - h, call, r, q, scheme, room)
        dearer = solved_value(s, k, t, v, call, r + _RATE_BUMP, q, scheme, room)[0]
        if not call and r <= _RATE_BUMP:
            rho = (dearer - price) / _RATE_BUMP
        else:
            cheaper = solved_value(s, k, t, v, call, r - _RATE_BUMP, q, scheme, room)[0]
            rho = (dearer - cheaper) / (2.0 * _RATE_BUMP)
        out[3, i] = theta_of(s, v, r, q, price, delta, gamma)
        out[4, i] = (up - down) / (2.0 * h)
        out[5, i] = rho
        out[6, i] = (up_delta - down_delta) / (2.0 * h)
        out[7, i] = charm_of(s, v, r, q, delta, gamma, speed)
        out[8, i] = (up - 2.0 * price + down) / (h * h)


@kernel
def theta_of(
    s: float, v: float, r: float, q: float, price: float, delta: float, gamma: float
) -> float:
    """Return theta of a living option by the Black-Scholes equation."""
    return r * price - (r - q) * s * delta - 0.5 * v * v * s * s * gamma


@kernel
def charm_of(
    s: float, v: float, r: float, q: float, delta: float, gamma: float, speed: float
) -> float:
    """Return charm, the derivative of theta in the spot."""
    return q * delta - (r - q) * s * gamma - 0.5 * v * v * s * (2.0 * gamma + s * speed)
