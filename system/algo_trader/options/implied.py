"""Implied volatility of European options: a number, or the reason why there is none.

A price strictly between its no-arbitrage bounds always has a volatility, and one is always
returned. Prices are taken on the forward (Black-76), so that one solver serves index, stock and
future options; the forward carries dividends and funding.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from system.algo_trader.options.black import Floats, flat, greeks_on_forward

Reasons = npt.NDArray[np.uint8]


class Reason(IntEnum):
    """Say why a contract has no implied volatility."""

    OK = 0
    NO_PRICE = 1
    NO_BID = 2
    CROSSED = 3
    BELOW_INTRINSIC = 4
    ABOVE_BOUND = 5
    EXPIRED = 6
    BAD_INPUT = 7

    @property
    def sentence(self) -> str:
        """Return the reason in words."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.OK: "solved",
    Reason.NO_PRICE: "there is no price",
    Reason.NO_BID: "nobody bids",
    Reason.CROSSED: "the bid is above the ask",
    Reason.BELOW_INTRINSIC: "the price is not above its intrinsic value",
    Reason.ABOVE_BOUND: "the price is not below its upper no-arbitrage bound",
    Reason.EXPIRED: "the option has expired",
    Reason.BAD_INPUT: "the forward, strike or discount factor is missing or not above zero",
}


class Implied(NamedTuple):
    """Volatilities and, for each that is NaN, the reason.

    Attributes:
        volatility: float64, a year's standard deviation of log returns; NaN without one.
        reason: uint8 `Reason`, OK exactly where the volatility is a number.
    """

    volatility: Floats
    reason: Reasons


class Bands(NamedTuple):
    """What the bid, the middle and the ask imply."""

    bid: Implied
    mid: Implied
    ask: Implied


def implied_volatility(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    discount: npt.ArrayLike = 1.0,
) -> Implied:
    """Return the volatility at which the model gives the price.

    Args:
        price: Dollars, paid now.
        forward: Forward price at expiry in dollars, above 0.
        strike: Dollars, above 0.
        years: Years of 365 days to expiry, above 0.
        is_call: True for calls.
        discount: Price now of a dollar at expiry, above 0.

    Returns:
        Arrays of the shape that the arguments broadcast to.
    """
    from system.algo_trader.options.implied_kernels import fill_implied

    numbers = (price, forward, strike, years, discount)
    p, f, k, t, df, call = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in numbers), np.asarray(is_call, dtype=np.bool_)
    )
    volatility = np.empty(p.size)
    reason = np.empty(p.size, dtype=np.uint8)
    fill_implied(flat(p), flat(f), flat(k), flat(t), flat(call), flat(df), volatility, reason)
    return Implied(volatility.reshape(p.shape), reason.reshape(p.shape))


def reasons_of(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    discount: npt.ArrayLike = 1.0,
) -> Reasons:
    """Return the reasons of `implied_volatility` without its volatilities; arguments alike.

    A price within rounding of its bounds may be OK here and refused there.
    """
    from system.algo_trader.options.implied_kernels import fill_reasons

    numbers = (price, forward, strike, years, discount)
    p, f, k, t, df, call = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in numbers), np.asarray(is_call, dtype=np.bool_)
    )
    reason = np.empty(p.size, dtype=np.uint8)
    fill_reasons(p.ravel(), f.ravel(), k.ravel(), t.ravel(), call.ravel(), df.ravel(), reason)
    return reason.reshape(p.shape)


def implied_bands(
    bid: npt.ArrayLike,
    ask: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    discount: npt.ArrayLike = 1.0,
) -> Bands:
    """Return what a quote implies: volatilities at the bid, the middle and the ask.

    A quote without a bid has no middle (the reason is NO_BID); its ask alone still bounds the
    volatility from above. A crossed quote says nothing at all.

    Args:
        bid: Dollars; 0 or NaN where nobody bids.
        ask: Dollars; NaN where nobody offers.
        forward: As in `implied_volatility`.
        strike: As in `implied_volatility`.
        years: As in `implied_volatility`.
        is_call: As in `implied_volatility`.
        discount: As in `implied_volatility`.
    """
    low, high = np.asarray(bid, dtype=np.float64), np.asarray(ask, dtype=np.float64)
    crossed = low > high
    unbid = ~(low > 0)

    def solve(price: npt.ArrayLike, refused: npt.NDArray[np.bool_]) -> Implied:
        found = implied_volatility(price, forward, strike, years, is_call, discount=discount)
        blocked = np.broadcast_to(refused | crossed, found.reason.shape)
        why = np.where(crossed, np.uint8(Reason.CROSSED), np.uint8(Reason.NO_BID))
        # What is wrong with the contract itself goes before what is wrong with its quote.
        blocked = blocked & (found.reason != Reason.EXPIRED) & (found.reason != Reason.BAD_INPUT)
        return Implied(
            np.where(blocked, np.nan, found.volatility),
            np.where(blocked, why, found.reason).astype(np.uint8),
        )

    return Bands(
        solve(low, unbid),
        solve(0.5 * (low + high), unbid),
        solve(high, np.zeros_like(unbid)),
    )


def implied_by_bisection(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    is_call: npt.ArrayLike,
    *,
    discount: npt.ArrayLike = 1.0,
    steps: int = 80,
) -> Floats:
    """Return implied volatilities by halving brackets: slow, and plain to check.

    It is the reference that `implied_volatility` is tested against. Arguments are the same, and
    every price has to lie strictly inside its bounds.
    """
    target = np.asarray(price, dtype=np.float64)
    df, t = np.asarray(discount, dtype=np.float64), np.asarray(years, dtype=np.float64)
    rate = -np.log(df) / t
    shape = np.broadcast_shapes(*(np.shape(x) for x in (price, forward, strike, years, is_call)))
    low: Floats = np.full(shape, 1e-9)
    high: Floats = np.full(shape, 100.0)
    for _ in range(steps):
        middle: Floats = 0.5 * (low + high)
        model = greeks_on_forward(forward, strike, years, middle, is_call, rate=rate).price
        above = model > target
        high = np.where(above, middle, high)
        low = np.where(above, low, middle)
    found: Floats = 0.5 * (low + high)
    return found
