"""Rates, time to settlement, and each expiry's forward as put-call parity shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError
from system.algo_trader.options.black import Floats
from system.algo_trader.options.chain import Chain, Instants, Numbers

SECONDS_PER_YEAR: Final = 365 * 86_400
FLOOR_S: Final = 60.0
"""The shortest time to settlement: below a minute gamma says nothing that one can trade on."""

PAIRS: Final = 7
"""So many strikes next to the money vote on the forward."""


@dataclass(frozen=True, eq=False, slots=True)
class RateCurve:
    """Continuously compounded zero rates by term.

    Attributes:
        years: Terms, ascending.
        rates: The rate of each term (0.05 is 5 % a year).
    """

    years: tuple[float, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.years, self.years[1:], strict=False))
        if not self.years or len(self.years) != len(self.rates) or not rising:
            raise InputError(
                f"the curve {list(self.years)} / {list(self.rates)} has to have as many rates as "
                "ascending terms, at least one"
            )
        if not all(np.isfinite(x) for x in (*self.years, *self.rates)):
            raise InputError("a rate curve has to consist of finite numbers")

    @classmethod
    def flat(cls, rate: float) -> RateCurve:
        """Return the same rate for every term."""
        return cls((1.0,), (rate,))

    def at(self, years: npt.ArrayLike) -> Floats:
        """Return the rates of terms: straight lines between the knots, level outside of them."""
        return np.interp(np.asarray(years, dtype=np.float64), self.years, self.rates)


class ForwardSource(IntEnum):
    """Say where a forward comes from."""

    PARITY = 0
    SPOT_CARRIED = 1


def years_to_settlement(settles_ns: npt.ArrayLike, as_of_ns: int) -> Floats:
    """Return years of 365 days by the clock, to the very moment that fixes the value.

    Never less than a minute; NaN once the moment has come. Days are not rounded: on the last day
    a one-day floor would shrink at-the-money gamma to 0.44, 0.30, 0.17 and 0.09 of its value with
    6.5, 3, 1 and a quarter of an hour left.

    Args:
        settles_ns: Nanoseconds UTC, such as `infrastructure.exchange.option_expiry` gives.
        as_of_ns: Now, nanoseconds UTC.
    """
    left = (np.asarray(settles_ns, dtype=np.int64) - np.int64(as_of_ns)) / 1e9
    years: Floats = np.where(left > 0, np.maximum(left, FLOOR_S) / SECONDS_PER_YEAR, np.nan)
    return years


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """What each expiry is discounted and carried with.

    Attributes:
        settles_ns: Settlement moments, ascending [m].
        years: Years to settlement [m].
        rate: Continuously compounded rate to settlement [m].
        discount: Price of a dollar at settlement [m].
        forward: Forward price at settlement [m].
        carry_yield: Continuous yield that carries the spot to the forward [m].
        source: uint8 `ForwardSource` [m].
        pairs: Strikes whose call and put gave the forward [m].
    """

    settles_ns: Instants
    years: Floats
    rate: Floats
    discount: Floats
    forward: Floats
    carry_yield: Floats
    source: npt.NDArray[np.uint8]
    pairs: npt.NDArray[np.int64]


def terms_of(
    chain: Chain, curve: RateCurve, *, dividend_yield: float = 0.0, pairs: Pairs | None = None
) -> Terms:
    """Return rate, discount and forward of every expiry.

    The forward is the median of strike + (call - put) / discount over the strikes where call and
    put cost most nearly the same, both with a bid and an ask that do not cross. Where no strike
    has both, the spot is carried at rate less yield, and the source says so.

    Args:
        chain: Without expired contracts (`Chain.alive`).
        curve: Zero rates.
        dividend_yield: Continuous yield for expiries without a pair.
        pairs: Of the chain, where they are known already.
    """
    settles = chain.expiries_ns
    years = years_to_settlement(settles, chain.as_of_ns)
    rate = curve.at(years)
    carried = Terms(
        settles_ns=settles,
        years=years,
        rate=rate,
        discount=np.exp(-rate * years),
        forward=chain.spot * np.exp((rate - dividend_yield) * years),
        carry_yield=np.full(settles.size, dividend_yield),
        source=np.full(settles.size, ForwardSource.SPOT_CARRIED, dtype=np.uint8),
        pairs=np.zeros(settles.size, dtype=np.int64),
    )
    pairs = pairs_of(chain) if pairs is None else pairs
    return with_forwards(chain, carried, pairs, np.zeros(pairs.gap.size))


class Pairs(NamedTuple):
    """Hold the strikes whose call and put both have a middle, by expiry.

    Attributes:
        put: Positions of the puts in the chain; each one's call is the next contract [k].
        gap: Call less put in dollars [k].
        expiry: Position of each one's expiry [k].
        votes: Positions here of each expiry's strikes nearest the money, -1 where there are fewer
            [m, PAIRS].
    """

    put: Numbers
    gap: Floats
    expiry: Numbers
    votes: Numbers


def with_forwards(chain: Chain, terms: Terms, pairs: Pairs, shift: Floats) -> Terms:
    """Return terms whose forwards the pairs vote on, where there are any.

    Args:
        chain: Without expired contracts.
        terms: Stays where an expiry has no pair.
        pairs: Of the chain.
        shift: What a call's price holds beside parity, less what its put's does, in dollars [k].
    """
    voter = pairs.votes
    there = voter >= 0
    count = there.sum(axis=1)
    fair = chain.strike[pairs.put] + (pairs.gap - shift) / terms.discount[pairs.expiry]
    rows: Floats = np.full(voter.shape, np.inf)
    rows[there] = fair[voter[there]]
    voted = median_of(rows, count)
    by_parity = (count > 0) & (voted > 0)
    forward = np.where(by_parity, voted, terms.forward)
    return replace(
        with_carry(chain, terms, forward),
        source=np.where(by_parity, ForwardSource.PARITY, terms.source).astype(np.uint8),
        pairs=np.where(by_parity, count, 0),
    )


def with_carry(chain: Chain, terms: Terms, forward: Floats) -> Terms:
    """Return terms with other forwards and the yields that lead to them.

    Args:
        chain: Tells the spot.
        terms: All else.
        forward: Dollars [m].
    """
    carry = terms.rate - np.log(forward / chain.spot) / terms.years
    return replace(terms, forward=forward, carry_yield=carry)


def median_of(rows: Floats, count: Numbers) -> Floats:
    """Return the median of each row's first values in order, inf where it has none.

    Args:
        rows: Values, and inf in the places that count for nothing [m, k].
        count: How many values a row has [m].
    """
    ordered = np.sort(rows, axis=1)
    line = np.arange(len(count))
    upper = ordered[line, np.minimum(count // 2, rows.shape[1] - 1)]
    lower = ordered[line, np.maximum((count - 1) // 2, 0)]
    with np.errstate(invalid="ignore"):
        found: Floats = 0.5 * (lower + upper)
    return np.where(count > 0, found, np.inf)


def pairs_of(chain: Chain) -> Pairs:
    """Return the strikes whose call and put both have a bid and an ask that do not cross.

    Those whose call and put cost most nearly the same vote on the forward.
    """
    mid = chain.mid
    put = np.flatnonzero(
        (chain.settles_ns[1:] == chain.settles_ns[:-1])
        & (chain.strike[1:] == chain.strike[:-1])
        & np.isfinite(mid[1:])
        & np.isfinite(mid[:-1])
    )
    gap = mid[put + 1] - mid[put]
    expiry = chain.expiry_index[put]
    count = chain.expiries_ns.size
    starts = np.searchsorted(expiry, np.arange(count), side="left")
    order = np.lexsort((np.abs(gap), expiry))
    place = starts[:, None] + np.arange(PAIRS)
    inside = place < np.searchsorted(expiry, np.arange(count), side="right")[:, None]
    votes = np.full(place.shape, -1, dtype=np.int64)
    votes[inside] = order[place[inside]]
    return Pairs(put, gap, expiry, votes)
