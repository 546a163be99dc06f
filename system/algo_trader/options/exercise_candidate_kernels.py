"""Which contracts' early exercise can be worth something: a bound that needs no boundary."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from system.algo_trader.options.american_kernels import normal, waiting_costs
from system.algo_trader.options.black import Flags, Floats

Counts = npt.NDArray[np.int64]


@kernel
def most_of(lent: float, paid: float, t: float) -> tuple[float, float]:
    """Return what early exercise earns at most, a dollar of the strike and of the spot of a put."""
    return max(-math.expm1(-lent * t), 0.0), max(math.expm1(-paid * t), 0.0)


@kernel
def premium_bound(
    spot: float, strike: float, t: float, v: float, lent: float, paid: float, most: float
) -> float:
    """Return what early exercise of a put is worth at most, in dollars.

    Interest on the strike over all the time left, times the greatest probability that the region
    of exercise is entered.

    Args:
        spot: Dollars; of a call its strike.
        strike: Dollars; of a call its spot.
        t: Years to expiry.
        v: Volatility a year, above 0.
        lent: Rate; of a call its yield. Above 0.
        paid: Yield; of a call its rate.
        most: By `most_of`, in dollars.
    """
    limit = strike * (lent / paid if paid > lent else 1.0)
    if spot <= limit:
        return most
    drift = max(paid + 0.5 * v * v - lent, 0.0)
    reach = (drift * t - math.log(spot / limit)) / (v * math.sqrt(t))
    return most if reach >= 0.0 else most * normal(reach)


@kernel
def fill_candidates(
    spot: float,
    strike: Floats,
    is_call: Flags,
    expiry: Counts,
    is_american: Flags,
    volatility: Floats,
    years: Floats,
    rate: Floats,
    pays: Floats,
    threshold: float,
    candidate: Flags,
    by_tree: Flags,
    lowest: Floats,
    highest: Floats,
) -> None:
    """Mark contracts whose early exercise could be worth more than a threshold.

    Args:
        spot: Dollars.
        strike: Dollars [n].
        is_call: True for calls [n].
        expiry: Position in the arrays by expiry [n].
        is_american: True where early exercise is allowed [n].
        volatility: A year's, NaN without one [n].
        years: Years to settlement [m].
        rate: Continuous rate [m].
        pays: Continuous yield [m].
        threshold: Dollars.
        candidate: Written; True for those with one exercise boundary [n].
        by_tree: Written; True for those with two [n].
        lowest: The candidates' lowest volatility, puts then calls, written; NaN without [m, 2].
        highest: Their highest, written [m, 2].
    """
    lowest[:] = math.nan
    highest[:] = math.nan
    last = -1
    on_strike = np.zeros(2)
    on_spot = np.zeros(2)
    for i in range(strike.size):
        candidate[i] = False
        by_tree[i] = False
        v = volatility[i]
        if not (is_american[i] and v > 0.0):
            continue
        e = expiry[i]
        r = rate[e]
        q = pays[e]
        t = years[e]
        if e != last:
            on_strike[0], on_spot[0] = most_of(r, q, t)
            on_strike[1], on_spot[1] = most_of(q, r, t)
            last = e
        side = 1 if is_call[i] else 0
        lent = q if side else r
        paid = r if side else q
        of_strike = spot if side else strike[i]
        of_spot = strike[i] if side else spot
        most = on_strike[side] * of_strike + on_spot[side] * of_spot
        if not (most > threshold and (lent > 0.0 or paid < lent)):
            continue
        if not waiting_costs(lent, paid):
            by_tree[i] = True
            continue
        if not premium_bound(of_spot, of_strike, t, v, lent, paid, most) > threshold:
            continue
        candidate[i] = True
        if not lowest[e, side] <= v:
            lowest[e, side] = v
        if not highest[e, side] >= v:
            highest[e, side] = v
