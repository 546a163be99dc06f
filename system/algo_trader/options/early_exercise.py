"""Where early exercise matters in a chain, and what volatilities and Greeks become by it.

Only contracts whose early exercise can be worth more than `EARLY_EXERCISE_MATTERS` are priced as
American: a bound that costs one exponential picks them. Their boundaries come out of small tables
by expiry, side and volatility: a chain costs a few hundred boundaries, not one a contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from system.algo_trader.options.american import fast_american_greeks
from system.algo_trader.options.american_implied import american_implied_volatility
from system.algo_trader.options.american_scheme import FAST, NEAR
from system.algo_trader.options.american_tree import two_boundaries
from system.algo_trader.options.black import Flags, Floats, Greeks, fast_greeks
from system.algo_trader.options.chain import Chain, Numbers
from system.algo_trader.options.implied import implied_volatility
from system.algo_trader.options.parity import (
    Pairs,
    Terms,
    median_of,
    with_carry,
    with_forwards,
)

EARLY_EXERCISE_MATTERS: Final = 0.01
"""Dollars a share: a premium of the least tick, one cent, and less cannot be seen in any quote."""

_PLACES: Final = np.sort(np.cos(np.pi * np.arange(5) / 4))
"""Chebyshev nodes of a table, in units of half its width in ln(volatility)."""
_FIT: Final = np.linalg.inv(np.vander(_PLACES, increasing=True))
"""Coefficients of the polynomial through values at those nodes."""
_BELOW, _ABOVE = 0.6, 1.03
"""A table reaches from this share of its candidates' lowest volatility to this of the highest."""


class Tables(NamedTuple):
    """Hold the boundaries of every expiry and side; arrays as in `early_exercise_kernels`.

    Attributes:
        candidate: True where a contract may have to be priced as American [n].
        by_tree: True where it may have to, and has two boundaries that no table holds [n].
        lowest: Low ends in volatility [m, 2].
        highest: High ends in volatility [m, 2].
        depth: The boundaries [m, 2, c, p + 1].
        drift: What a higher rate does to them [m, 2, 2, p + 1].
    """

    candidate: Flags
    by_tree: Flags
    lowest: Floats
    highest: Floats
    depth: Floats
    drift: Floats


@dataclass(frozen=True, eq=False, slots=True)
class EarlyExercise:
    """Say where early exercise matters.

    Attributes:
        premium: What it is worth in dollars a share; 0 where it cannot matter [n].
        matters: True where that is more than `EARLY_EXERCISE_MATTERS` [n].
    """

    premium: Floats
    matters: Flags


def american_terms(chain: Chain, european: Terms, pairs: Pairs) -> Terms:
    """Return the terms whose forwards come from prices without their early-exercise premiums.

    Put-call parity holds for European options; what early exercise adds to the pairs that vote is
    computed with the volatility at the money and taken off. As it is read off the forward itself,
    that is done twice, and the limit of the steps is taken.

    Args:
        chain: Without expired contracts.
        european: Terms as if no contract could be exercised early.
        pairs: Of the chain.
    """
    from system.algo_trader.options.early_exercise_kernels import fill_near_the_money

    there = pairs.votes >= 0
    voting = pairs.put[np.sort(pairs.votes[there])]
    if not voting.size or not chain.is_american[voting].any():
        return european
    terms, expiry = european, chain.expiry_index
    both = np.concatenate((voting, voting + 1))
    both = both[np.lexsort((chain.is_call[both], expiry[both]))]
    mid, premium = chain.mid, np.zeros(len(chain))
    forwards = [terms.forward]
    for _ in range(2):
        sigma = _at_the_money(chain, terms, mid - premium, pairs)
        found = np.zeros(both.size)
        fill_near_the_money(
            chain.spot, chain.strike[both], chain.is_call[both], expiry[both], sigma,
            terms.years, terms.rate, terms.carry_yield, NEAR, found,
        )  # fmt: skip
        _fill_double(chain, terms, both, sigma, found)
        premium[both] = np.where(chain.is_american[both], found, 0.0)
        terms = with_forwards(chain, european, pairs, premium[pairs.put + 1] - premium[pairs.put])
        forwards.append(terms.forward)
    return with_carry(chain, terms, _limit(*forwards))


def _fill_double(chain: Chain, terms: Terms, rows: Numbers, sigma: Floats, premium: Floats) -> None:
    """Write the premiums of those rows that have two exercise boundaries, by trees."""
    call, at = chain.is_call[rows], chain.expiry_index[rows]
    double = two_boundaries(call, terms.rate[at], terms.carry_yield[at]) & (sigma[at] > 0)
    if not double.any():
        return
    call, at = call[double], at[double]
    priced = (chain.spot, chain.strike[rows[double]], terms.years[at], sigma[at], call)
    carry: dict[str, Any] = {"rate": terms.rate[at], "dividend_yield": terms.carry_yield[at]}
    american, european = fast_american_greeks(*priced, **carry), fast_greeks(*priced, **carry)
    premium[double] = american.price - european.price


def _limit(first: Floats, second: Floats, third: Floats) -> Floats:
    """Return where three steps of a contraction lead to (Aitken's extrapolation)."""
    step, last = second - first, third - second
    shrinks = np.abs(last) < 0.5 * np.abs(step)
    ratio = np.divide(last, step, out=np.zeros_like(step), where=shrinks)
    return third + last * ratio / (1.0 - ratio)


def _at_the_money(chain: Chain, terms: Terms, price: Floats, pairs: Pairs) -> Floats:
    """Return each expiry's median volatility of the voting strikes' cheaper sides, else NaN."""
    line, column = np.nonzero(pairs.votes >= 0)
    put = pairs.put[pairs.votes[line, column]]
    side = np.where(chain.strike[put] >= terms.forward[line], put + 1, put)
    own = implied_volatility(
        price[side],
        terms.forward[line],
        chain.strike[side],
        terms.years[line],
        chain.is_call[side],
        discount=terms.discount[line],
    ).volatility
    rows = np.full(pairs.votes.shape, np.inf)
    rows[line, column] = np.where(np.isfinite(own), own, np.inf)
    found = median_of(rows, np.isfinite(rows).sum(axis=1))
    return np.where(np.isfinite(found), found, np.nan)


def tables_of(chain: Chain, terms: Terms, expiry: Numbers, volatility: Floats) -> Tables:
    """Mark the contracts whose early exercise may matter and solve for their boundaries.

    Args:
        chain: Without expired contracts.
        terms: By expiry.
        expiry: Position of each contract in the terms [n].
        volatility: European volatilities, NaN without one [n].
    """
    from system.algo_trader.options.early_exercise_kernels import fill_tables
    from system.algo_trader.options.exercise_candidate_kernels import fill_candidates

    expiries = terms.years.size
    candidate, by_tree = np.zeros((2, len(chain)), dtype=np.bool_)
    lowest, highest = np.empty((expiries, 2)), np.empty((expiries, 2))
    fill_candidates(
        chain.spot, chain.strike, chain.is_call, expiry, chain.is_american, volatility,
        terms.years, terms.rate, terms.carry_yield, EARLY_EXERCISE_MATTERS, candidate,
        by_tree, lowest, highest,
    )  # fmt: skip
    lowest *= _BELOW
    highest *= _ABOVE
    depth = np.zeros((expiries, 2, _PLACES.size, FAST.root.size + 1))
    drift = np.zeros((expiries, 2, 2, FAST.root.size + 1))
    fill_tables(
        terms.years, terms.rate, terms.carry_yield, lowest, highest, _PLACES, _FIT, FAST,
        depth, drift,
    )  # fmt: skip
    return Tables(candidate, by_tree, lowest, highest, depth, drift)


def american_volatility(
    chain: Chain,
    terms: Terms,
    expiry: Numbers,
    tables: Tables,
    price: Floats,
    european: Floats,
    wanted: Flags,
) -> Floats:
    """Return volatilities with those of wanted candidates replaced by American ones.

    Args:
        chain: Without expired contracts.
        terms: By expiry.
        expiry: Position of each contract in the terms [n].
        tables: Boundaries.
        price: Dollars [n].
        european: Volatilities at which European options have those prices [n].
        wanted: Contracts to solve for; of these the candidates are [n].

    Returns:
        NaN where the price is not above what exercise at once pays [n].
    """
    from system.algo_trader.options.early_exercise_kernels import fill_volatility

    found = european.copy()
    solved = wanted & tables.candidate & np.isfinite(european)
    fill_volatility(
        chain.spot, price, chain.strike, chain.is_call, expiry, solved, terms.years, terms.rate,
        terms.carry_yield, tables.lowest, tables.highest, FAST, tables.depth, found,
    )  # fmt: skip
    beyond = np.flatnonzero((found < 0) | (wanted & tables.by_tree & np.isfinite(european)))
    if beyond.size:
        at = expiry[beyond]
        found[beyond] = american_implied_volatility(
            price[beyond],
            chain.spot,
            chain.strike[beyond],
            terms.years[at],
            chain.is_call[beyond],
            rate=terms.rate[at],
            dividend_yield=terms.carry_yield[at],
            scheme=FAST,
        ).volatility
    return found


def american_greeks(
    chain: Chain,
    terms: Terms,
    expiry: Numbers,
    tables: Tables,
    volatility: Floats,
    european: Greeks,
) -> tuple[Greeks, EarlyExercise]:
    """Return Greeks with the American ones where early exercise matters, and where that is.

    Args:
        chain: Without expired contracts.
        terms: By expiry.
        expiry: Position of each contract in the terms [n].
        tables: Boundaries.
        volatility: The volatilities to price with [n].
        european: Greeks of European options with these volatilities [n].
    """
    from system.algo_trader.options.early_exercise_kernels import fill_early

    out, premium = np.array(european), np.zeros(len(chain))
    fill_early(
        chain.spot, chain.strike, chain.is_call, expiry, tables.candidate, volatility,
        terms.years, terms.rate, terms.carry_yield, tables.lowest, tables.highest, FAST,
        tables.depth, tables.drift, EARLY_EXERCISE_MATTERS, premium, out,
    )  # fmt: skip
    double = np.flatnonzero(tables.by_tree & (volatility > 0))
    if double.size:
        at = expiry[double]
        found = np.array(
            fast_american_greeks(
                chain.spot, chain.strike[double], terms.years[at], volatility[double],
                chain.is_call[double], rate=terms.rate[at], dividend_yield=terms.carry_yield[at],
            )
        )  # fmt: skip
        premium[double] = np.maximum(found[0] - european.price[double], 0.0)
        passed = premium[double] > EARLY_EXERCISE_MATTERS
        out[:, double[passed]] = found[:, passed]
    return Greeks(*out), EarlyExercise(premium, premium > EARLY_EXERCISE_MATTERS)
