"""Judge American options over every sign of rate and yield by a tree of another kind."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from system.algo_trader.options.american import american_price, fast_american_greeks
from system.algo_trader.options.american_implied import american_implied_volatility
from system.algo_trader.options.american_test import binomial
from system.algo_trader.options.american_tree import two_boundaries
from system.algo_trader.options.black import fast_greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.implied import Reason
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.surface import surface_of
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS

spots = st.floats(60, 160)
terms = st.floats(1 / 365, 3)
volatilities = st.floats(0.05, 1.0)
signed_rates = st.one_of(st.floats(-0.08, 0.08), st.sampled_from([-0.02, 0.0, 0.02]))

# Spot, years, volatility, call, rate, yield: both sides of every change of sign, and the corners
# around 0 at which a fixed point of the boundary is hard to reach.
SIGNS = [
    (100.0, 1.0, 0.2, False, -0.02, -0.05),
    (115.0, 1.5, 0.25, True, -0.06, -0.02),
    (100.0, 1.0, 0.2, False, -0.05, -0.02),
    (92.0, 2.0, 0.3, False, 0.0, -0.04),
    (110.0, 2.0, 0.3, True, -0.04, 0.0),
    (100.0, 1.9, 0.5, False, 0.0, -0.002),
    (120.0, 1.9, 0.5, False, 0.001, -0.002),
    (75.0, 1.7, 0.57, True, -0.016, 0.0),
    (100.0, 1.0, 0.4, True, -0.03, 0.05),
    (90.0, 0.5, 0.2, False, 0.03, -0.03),
    (100.0, 1.0, 0.3, True, -0.01, -0.01),
]


@pytest.mark.parametrize(("spot", "years", "sigma", "call", "rate", "pays"), SIGNS)
def test_a_tree_agrees_at_every_sign_of_rate_and_yield(
    spot: float, years: float, sigma: float, call: bool, rate: float, pays: float
) -> None:
    tree = binomial(spot, 100, years, sigma, call, rate, pays)
    given: dict[str, Any] = {"rate": rate, "dividend_yield": pays}
    reference = american_price(spot, 100, years, sigma, call, **given)
    assert reference == pytest.approx(tree, abs=4e-3)
    compiled = fast_american_greeks(spot, 100, years, sigma, call, **given).price
    assert compiled == pytest.approx(float(reference), abs=1e-9)


@settings(deadline=None, max_examples=120)
@given(spots, terms, volatilities, signed_rates, signed_rates, st.booleans())
@example(100.0, 1.0, 0.2, -0.02, -0.05, False)
@example(160.0, 3.0, 0.05, -0.08, -0.0799, True)
def test_no_sign_makes_a_price_or_a_greek_nan_or_breaks_a_bound(
    spot: float, years: float, sigma: float, rate: float, pays: float, call: bool
) -> None:
    given: dict[str, Any] = {"rate": rate, "dividend_yield": pays}
    found = fast_american_greeks(spot, 100, years, sigma, call, **given)
    assert all(np.isfinite(value) for value in found)
    european = fast_greeks(spot, 100, years, sigma, call, **given).price
    exercised = spot - 100 if call else 100 - spot
    assert found.price >= max(float(european), exercised) - 1e-9
    dearest = spot if call else 100.0
    bound = dearest * max(1.0, float(np.exp(-(pays if call else rate) * years)))
    assert found.price <= bound + 1e-9


@settings(deadline=None, max_examples=120)
@given(spots, terms, volatilities, signed_rates, signed_rates, st.booleans())
@example(100.0, 1.0, 0.2, -0.02, -0.05, False)
def test_every_price_above_sure_exercise_has_a_volatility_that_gives_it_back(
    spot: float, years: float, sigma: float, rate: float, pays: float, call: bool
) -> None:
    given: dict[str, Any] = {"rate": rate, "dividend_yield": pays}
    made = fast_american_greeks(spot, 100, years, sigma, call, **given)
    found = american_implied_volatility(made.price, spot, 100, years, call, **given)
    if np.isnan(found.volatility):
        # A price that rounds to that of a sure exercise says nothing about volatility.
        assert found.reason == Reason.BELOW_INTRINSIC
        assert made.vega < 0.05
    else:
        assert found.reason == Reason.OK
        again = american_price(spot, 100, years, found.volatility, call, **given)
        assert again == pytest.approx(float(made.price), rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(spots, terms, st.floats(0.1, 0.8), signed_rates, signed_rates)
def test_a_call_is_the_put_with_everything_exchanged_at_every_sign(
    spot: float, years: float, sigma: float, rate: float, pays: float
) -> None:
    call = fast_american_greeks(spot, 100, years, sigma, True, rate=rate, dividend_yield=pays)
    put = fast_american_greeks(100, spot, years, sigma, False, rate=pays, dividend_yield=rate)
    assert call.price == pytest.approx(float(put.price), abs=5e-4)


def test_greeks_between_two_boundaries_are_the_differences_of_the_tree() -> None:
    spot, h = np.array([70.0, 85, 100, 120, 150]), 1e-3
    terms_: dict[str, Any] = {"rate": -0.02, "dividend_yield": -0.05}

    def price(ds: float = 0, dt: float = 0, dv: float = 0, dr: float = 0) -> Any:
        moved = {**terms_, "rate": -0.02 + dr}
        return american_price(spot + ds, 100, 1 + dt, 0.25 + dv, False, **moved)

    here = fast_american_greeks(spot, 100, 1.0, 0.25, False, **terms_)
    differences = {
        "delta": (price(ds=0.5) - price(ds=-0.5), 1.0, 4e-3),
        "theta": (price(dt=-h) - price(dt=h), 2 * h, 5e-2),
        "vega": (price(dv=h) - price(dv=-h), 2 * h, 5e-1),
        "rho": (price(dr=h) - price(dr=-h), 2 * h, 5e-1),
    }
    for name, (difference, width, slack) in differences.items():
        np.testing.assert_allclose(
            getattr(here, name), difference / width, atol=slack, err_msg=name
        )
    gamma = (price(ds=2) - 2 * price() + price(ds=-2)) / 4
    np.testing.assert_allclose(here.gamma, gamma, atol=1e-3)


def test_a_chain_at_negative_rates_gets_its_smile_back_and_its_premiums() -> None:
    years, rate, pays = 1.0, -0.02, -0.06
    strikes = np.arange(70.0, 135, 5)
    strike, is_call = np.repeat(strikes, 2), np.tile([False, True], strikes.size)
    carry: dict[str, Any] = {"rate": rate, "dividend_yield": pays}
    assert two_boundaries(is_call, np.full(26, rate), np.full(26, pays)).sum() == 13
    price = american_price(100, strike, years, 0.3, is_call, **carry)
    premium = price - fast_greeks(100, strike, years, 0.3, is_call, **carry).price
    chain = Chain.of(
        "X", 100, NOW_NS, np.full(26, NOW_NS + 365 * DAY_NS), strike, is_call,
        bid=price - 0.005, ask=price + 0.005, is_american=True,
    )  # fmt: skip
    surface = surface_of(chain, RateCurve.flat(rate))
    np.testing.assert_allclose(surface.terms.carry_yield, pays, atol=5e-4)
    np.testing.assert_allclose(surface.volatility, 0.3, atol=2e-3)
    sure = np.abs(premium - 0.01) > 0.005
    np.testing.assert_array_equal(surface.early_exercise.matters[sure], (premium > 0.01)[sure])
    assert surface.early_exercise.matters.sum() > 5
    assert np.all(np.isfinite(surface.greeks.rho))
