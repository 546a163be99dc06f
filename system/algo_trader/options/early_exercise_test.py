"""Judge what early exercise does to a chain by prices whose volatilities and forwards are known."""

from typing import Any

import numpy as np
import pytest

from system.algo_trader.options.american import american_price, fast_american_greeks
from system.algo_trader.options.american_implied import american_implied_volatility
from system.algo_trader.options.black import fast_greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.early_exercise import EARLY_EXERCISE_MATTERS
from system.algo_trader.options.implied import Reason
from system.algo_trader.options.parity import RateCurve, terms_of
from system.algo_trader.options.surface import Surface, VolatilitySource, surface_of
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, RATE, YIELD, synthetic_chain

CURVE = RateCurve.flat(RATE)


@pytest.fixture(scope="module")
def american() -> Surface:
    chain = synthetic_chain(spot=600, expiries=16, strikes=81, half_spread=0.005, american=True)
    return surface_of(chain, CURVE)


def test_the_forward_is_the_one_of_european_options(american: Surface) -> None:
    terms, fair = american.terms, 600 * np.exp((RATE - YIELD) * american.terms.years)
    assert np.max(np.abs(terms.forward / fair - 1)) < 5e-5
    # Parity on the American prices themselves is off by a hundred times as much.
    naive = terms_of(american.chain, CURVE).forward
    assert np.max(np.abs(naive / fair - 1)) > 5e-3


def test_the_smile_that_priced_american_options_comes_back_out(american: Surface) -> None:
    known = (american.volatility_source == VolatilitySource.OTM_QUOTE) & (american.chain.mid > 0.25)
    error = np.abs(american.volatility - american.chain.vendor_volatility)[known]
    assert np.count_nonzero(known) > 1500
    assert np.quantile(error, 0.95) < 2e-4
    assert np.max(error) < 3e-3
    assert np.count_nonzero(np.isnan(american.volatility)) == 0


def test_every_contract_that_is_worth_exercising_early_is_flagged(american: Surface) -> None:
    terms, at = american.terms, american.expiry_index
    given: dict[str, Any] = {
        "spot": 600.0, "strike": american.chain.strike, "years": terms.years[at],
        "volatility": american.volatility, "is_call": american.chain.is_call,
    }  # fmt: skip
    carry: dict[str, Any] = {"rate": terms.rate[at], "dividend_yield": terms.carry_yield[at]}
    premium = american_price(**given, **carry) - fast_greeks(**given, **carry).price
    sure = np.abs(premium - EARLY_EXERCISE_MATTERS) > 0.005
    assert np.array_equal(
        american.early_exercise.matters[sure], (premium > EARLY_EXERCISE_MATTERS)[sure]
    )
    flagged = american.early_exercise.matters
    assert 300 < np.count_nonzero(flagged) < len(american.chain) - 300
    np.testing.assert_allclose(
        american.early_exercise.premium[flagged], premium[flagged], atol=0.03
    )


def test_flagged_greeks_are_those_of_the_accurate_solver(american: Surface) -> None:
    chosen = np.flatnonzero(american.early_exercise.matters)[::9]
    terms, at = american.terms, american.expiry_index[chosen]
    accurate = fast_american_greeks(
        600, american.chain.strike[chosen], terms.years[at], american.volatility[chosen],
        american.chain.is_call[chosen], rate=terms.rate[at], dividend_yield=terms.carry_yield[at],
    )  # fmt: skip
    for name in accurate._fields:
        a, b = getattr(accurate, name), getattr(american.greeks, name)[chosen]
        assert np.quantile(np.abs(a - b), 0.9) < 2e-3 * np.max(np.abs(a)), name
    living = american.greeks.gamma[chosen] > 0
    assert np.count_nonzero(np.isnan(american.greeks.rho)) == 0
    # A year's rate of 1.00 moves no price by more than the strike times the years.
    scale = american.chain.strike[chosen] * terms.years[at]
    miss = np.abs(accurate.rho - american.greeks.rho[chosen]) / scale
    assert np.quantile(miss, 0.9) < 5e-3
    assert np.max(miss) < 3e-2
    assert np.all(american.greeks.rho[chosen][~living] == 0)


def test_what_is_not_flagged_keeps_its_european_greeks(american: Surface) -> None:
    plain = ~american.early_exercise.matters
    terms, at = american.terms, american.expiry_index
    european = fast_greeks(
        600, american.chain.strike, terms.years[at], american.volatility, american.chain.is_call,
        rate=terms.rate[at], dividend_yield=terms.carry_yield[at],
    )  # fmt: skip
    for name, a, b in zip(european._fields, european, american.greeks, strict=True):
        np.testing.assert_array_equal(a[plain], b[plain], err_msg=name)


def test_a_european_chain_is_not_touched() -> None:
    surface = surface_of(synthetic_chain(expiries=6, strikes=41), CURVE)
    assert not surface.early_exercise.matters.any()
    assert not surface.early_exercise.premium.any()


def test_a_put_quoted_at_what_exercise_pays_has_no_volatility_of_its_own() -> None:
    strikes = np.array([80.0, 90, 100, 110, 120])
    settles = np.full(10, NOW_NS + 90 * DAY_NS)
    strike, is_call = np.repeat(strikes, 2), np.tile([False, True], 5)
    price = american_price(100, strike, 90 / 365, 0.2, is_call, rate=RATE)
    chain = Chain.of(
        "X", 100, NOW_NS, settles, strike, is_call, bid=np.maximum(price - 0.01, 0),
        ask=price + 0.01, is_american=True,
    )  # fmt: skip
    surface = surface_of(chain, CURVE)
    put = np.flatnonzero((surface.chain.strike == 120) & ~surface.chain.is_call)[0]
    assert surface.reason[put] == Reason.BELOW_INTRINSIC
    assert surface.early_exercise.matters[put]
    assert (surface.delta[put], surface.gamma[put]) == (-1, 0)


def test_a_strike_with_only_a_deep_put_still_gets_the_american_volatility() -> None:
    years = 1.0
    strike = np.array([90.0, 90, 100, 100, 110, 110, 120])
    is_call = np.array([False, True, False, True, False, True, False])
    price = american_price(100, strike, years, 0.3, is_call, rate=RATE)
    chain = Chain.of(
        "X", 100, NOW_NS, np.full(7, NOW_NS + 365 * DAY_NS), strike, is_call,
        bid=price - 0.01, ask=price + 0.01, is_american=True,
    )  # fmt: skip
    surface = surface_of(chain, CURVE)
    np.testing.assert_allclose(surface.volatility, 0.3, atol=1e-3)
    assert surface.volatility_source[-1] == VolatilitySource.ITM_QUOTE
    alone = american_implied_volatility(price[-1], 100, 120, years, False, rate=RATE)
    assert alone.volatility == pytest.approx(0.3, abs=1e-6)


def test_american_options_without_a_rate_or_a_pair_are_no_trouble() -> None:
    chain = synthetic_chain(spot=600, expiries=4, strikes=21, american=True)
    for part in (chain.where(chain.is_call), chain.where(~chain.is_call)):
        for curve in (CURVE, RateCurve.flat(0.0), RateCurve.flat(-0.01)):
            surface = surface_of(part, curve, dividend_yield=YIELD)
            assert np.all(np.isfinite(surface.gamma) | ~np.isfinite(surface.volatility))
