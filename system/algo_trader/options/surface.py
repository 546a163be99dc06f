"""One volatility and one set of Greeks for every contract of a chain, and their origin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from system.algo_trader.options.black import Flags, Floats, Greeks, fast_greeks
from system.algo_trader.options.chain import Chain, Numbers
from system.algo_trader.options.early_exercise import (
    EarlyExercise,
    american_greeks,
    american_terms,
    american_volatility,
    tables_of,
)
from system.algo_trader.options.implied import (
    Implied,
    Reason,
    implied_volatility,
    reasons_of,
)
from system.algo_trader.options.parity import RateCurve, Terms, pairs_of, terms_of

Codes = npt.NDArray[np.uint8]
Preference = Literal["computed", "vendor"]


class VolatilitySource(IntEnum):
    """Say which price a contract's volatility comes from."""

    NONE = 0
    OTM_QUOTE = 1
    ITM_QUOTE = 2
    VENDOR = 3


class GreeksSource(IntEnum):
    """Say who computed a contract's delta and gamma."""

    NONE = 0
    COMPUTED = 1
    VENDOR = 2


@dataclass(frozen=True, eq=False, slots=True)
class Surface:
    """Hold what a chain implies; every array is [n] in the chain's order unless it says more.

    Attributes:
        chain: The chain without expired contracts.
        terms: What each expiry is carried with [m].
        expiry_index: Position of a contract's expiry in `terms`.
        volatility: The strike's volatility, the same for its call and its put; NaN without one.
        volatility_source: uint8 `VolatilitySource`.
        reason: uint8 `Reason` of the contract's own quote.
        greeks: Computed with the strike's volatility, spot model with the parity forward's carry;
            of an American option where early exercise matters.
        delta: The delta to use.
        gamma: The gamma to use.
        greeks_source: uint8 `GreeksSource` of `delta` and `gamma`.
        early_exercise: Where early exercise matters, and what it is worth.
    """

    chain: Chain
    terms: Terms
    expiry_index: Numbers
    volatility: Floats
    volatility_source: Codes
    reason: Codes
    greeks: Greeks
    delta: Floats
    gamma: Floats
    greeks_source: Codes
    early_exercise: EarlyExercise


def is_missing_greek(delta: Floats, gamma: Floats, bid: Floats) -> Flags:
    """Say where a vendor's Greeks are no Greeks.

    NaN, a sentinel (-900 and below), an impossible value, or a gamma of 0 on an option that
    somebody bids for.

    Args:
        delta: The vendor's delta [n].
        gamma: The vendor's gamma [n].
        bid: Dollars [n].
    """
    impossible = ~((np.abs(delta) <= 1.0) & (gamma >= 0.0))
    flags: Flags = impossible | ((gamma == 0.0) & (bid > 0.0))
    return flags


def surface_of(
    chain: Chain,
    curve: RateCurve,
    *,
    dividend_yield: float = 0.0,
    prefer: Preference = "computed",
) -> Surface:
    """Return volatilities and Greeks of the contracts that have not settled.

    A strike's volatility is that of its out-of-the-money side, whose whole price is time value;
    the in-the-money side, then the vendor's figure, stand in where it has none.

    Args:
        chain: A chain; what has settled is left out.
        curve: Zero rates.
        dividend_yield: Continuous yield for expiries without a call and a put to compare.
        prefer: Whose delta and gamma to use where both exist. The vendor's missing ones are
            always replaced by computed ones.
    """
    alive = chain.alive()
    pairs = pairs_of(alive)
    terms = terms_of(alive, curve, dividend_yield=dividend_yield, pairs=pairs)
    any_american = bool(alive.is_american.any())
    if any_american:
        terms = american_terms(alive, terms, pairs)
    at = alive.expiry_index
    forward, years = terms.forward[at], terms.years[at]
    mid = alive.mid
    is_otm, partner = _is_otm(alive, forward), _partner(alive)
    own = _own_volatility(alive, terms, at, is_otm, partner)
    volatility, source = _strike_volatility(alive, is_otm, partner, own.volatility)
    reason = own.reason
    tables = None
    if any_american:
        tables = tables_of(alive, terms, at, volatility)
        intrinsic = np.where(alive.is_call, alive.spot - alive.strike, alive.strike - alive.spot)
        exercised = (
            alive.is_american
            & (own.reason == Reason.OK)
            & (mid <= intrinsic + 1e-12 * alive.strike)
        )
        reason = np.where(exercised, np.uint8(Reason.BELOW_INTRINSIC), reason)
        american = american_volatility(
            alive,
            terms,
            at,
            tables,
            mid,
            np.where(exercised, np.nan, own.volatility),
            _is_source(is_otm, source),
        )
        volatility, source = _strike_volatility(alive, is_otm, partner, american)
    quoted = np.where(
        ~(alive.bid > 0),
        np.uint8(Reason.NO_BID),
        np.where(alive.bid > alive.ask, np.uint8(Reason.CROSSED), reason),
    ).astype(np.uint8)
    greeks = fast_greeks(
        alive.spot,
        alive.strike,
        years,
        volatility,
        alive.is_call,
        rate=terms.rate[at],
        dividend_yield=terms.carry_yield[at],
    )
    early = EarlyExercise(np.zeros(len(alive)), np.zeros(len(alive), dtype=np.bool_))
    if tables is not None:
        greeks, early = american_greeks(alive, terms, at, tables, volatility, greeks)
    computed = np.isfinite(greeks.gamma)
    vendor = ~is_missing_greek(alive.vendor_delta, alive.vendor_gamma, alive.bid)
    by_vendor = vendor & ~computed if prefer == "computed" else vendor
    return Surface(
        chain=alive,
        terms=terms,
        expiry_index=at,
        volatility=volatility,
        volatility_source=source,
        reason=quoted,
        greeks=greeks,
        delta=np.where(by_vendor, alive.vendor_delta, greeks.delta),
        gamma=np.where(by_vendor, alive.vendor_gamma, greeks.gamma),
        greeks_source=np.where(
            by_vendor, GreeksSource.VENDOR, np.where(computed, GreeksSource.COMPUTED, 0)
        ).astype(np.uint8),
        early_exercise=early,
    )


def _own_volatility(
    chain: Chain, terms: Terms, at: Numbers, is_otm: Flags, partner: Numbers
) -> Implied:
    """Return European volatilities of the middles and every contract's reason.

    The in-the-money side of a strike is solved for only where its other side has no volatility: in
    the others it is NaN with the reason OK.
    """
    mid, forward = chain.mid, terms.forward[at]
    volatility = np.full(len(chain), np.nan)
    reason = reasons_of(
        mid, forward, chain.strike, terms.years[at], chain.is_call, discount=terms.discount[at]
    )

    def solve(where: Flags) -> None:
        chosen = np.flatnonzero(where)
        found = implied_volatility(
            mid[chosen],
            forward[chosen],
            chain.strike[chosen],
            terms.years[at[chosen]],
            chain.is_call[chosen],
            discount=terms.discount[at[chosen]],
        )
        volatility[chosen] = found.volatility
        reason[chosen] = found.reason

    solve(is_otm)
    solve(~is_otm & ~np.isfinite(volatility[partner]))
    return Implied(volatility, reason)


def _is_otm(chain: Chain, forward: Floats) -> Flags:
    return np.where(chain.is_call, chain.strike >= forward, chain.strike < forward)


def _partner(chain: Chain) -> Numbers:
    """Return the position of each contract's other side, its own where it has none."""
    partner = np.arange(len(chain))
    same = (chain.settles_ns[1:] == chain.settles_ns[:-1]) & (chain.strike[1:] == chain.strike[:-1])
    puts = np.flatnonzero(same)
    partner[puts] = puts + 1
    partner[puts + 1] = puts
    return partner


def _strike_volatility(
    chain: Chain, is_otm: Flags, partner: Numbers, own: Floats
) -> tuple[Floats, Codes]:
    """Give both sides of a strike the best volatility that either has."""
    alone = partner == np.arange(len(chain))
    from_otm = np.where(is_otm, own, np.where(alone, np.nan, own[partner]))
    vendor = np.where(chain.vendor_volatility > 0, chain.vendor_volatility, np.nan)
    vendor = np.where(np.isfinite(vendor), vendor, vendor[partner])
    from_itm = np.where(is_otm, own[partner], own)
    volatility = np.where(np.isfinite(from_otm), from_otm, from_itm)
    volatility = np.where(np.isfinite(volatility), volatility, vendor)
    source = np.select(
        [np.isfinite(from_otm), np.isfinite(from_itm), np.isfinite(vendor)],
        [VolatilitySource.OTM_QUOTE, VolatilitySource.ITM_QUOTE, VolatilitySource.VENDOR],
        VolatilitySource.NONE,
    )
    return volatility, source.astype(np.uint8)


def _is_source(is_otm: Flags, source: Codes) -> Flags:
    """Say which contracts' quotes gave their strike its volatility."""
    by_itm = (source == VolatilitySource.ITM_QUOTE) & ~is_otm
    flags: Flags = by_itm | ((source == VolatilitySource.OTM_QUOTE) & is_otm)
    return flags
