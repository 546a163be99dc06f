"""Judge implied volatility by pricing it back, by halving brackets, and by its refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.algo_trader.options.black import greeks_on_forward
from system.algo_trader.options.implied import (
    Reason,
    implied_bands,
    implied_by_bisection,
    implied_volatility,
)

RATE = 0.043


def test_100_000_seeded_prices_are_met_again_and_none_is_nan() -> None:
    draw = np.random.default_rng(6)
    n = 100_000
    years = np.exp(draw.uniform(math.log(0.25 / 365), math.log(540 / 365), n))
    sigma = draw.uniform(0.04, 1.5, n)
    forward = 6000 * np.exp(0.03 * years)
    strike = forward * np.exp(draw.uniform(-5, 5, n) * sigma * np.sqrt(years))
    call = draw.random(n) < 0.5
    discount = np.exp(-RATE * years)
    price = greeks_on_forward(forward, strike, years, sigma, call, rate=RATE).price
    intrinsic = discount * np.maximum(np.where(call, forward - strike, strike - forward), 0)
    found = implied_volatility(price, forward, strike, years, call, discount=discount)
    inside = price - intrinsic > 0.01
    assert np.count_nonzero(inside) > 70_000
    assert np.count_nonzero(np.isnan(found.volatility[inside])) == 0
    assert np.max(np.abs(found.volatility - sigma)[inside]) < 1e-8
    again = greeks_on_forward(forward, strike, years, found.volatility, call, rate=RATE).price
    solved = found.reason == Reason.OK
    assert np.count_nonzero(solved) > 97_000
    assert np.max((np.abs(again - price) / np.maximum(forward, strike))[solved]) < 1e-12
    assert np.array_equal(solved, ~np.isnan(found.volatility))
    assert set(np.unique(found.reason)) <= {Reason.OK, Reason.BELOW_INTRINSIC, Reason.ABOVE_BOUND}


def test_out_of_the_money_prices_down_to_the_smallest_numbers_give_their_volatility() -> None:
    draw = np.random.default_rng(7)
    n = 20_000
    years, sigma = draw.uniform(0.001, 2, n), draw.uniform(0.05, 2, n)
    strike = 100 * np.exp(draw.uniform(-30, 30, n) * sigma * np.sqrt(years))
    call = strike > 100
    price = greeks_on_forward(100, strike, years, sigma, call).price
    found = implied_volatility(price, 100, strike, years, call)
    inside = (price > 1e-200) & (price < 0.999 * np.minimum(strike, 100))
    assert np.count_nonzero(inside) > 15_000
    assert np.max(np.abs(found.volatility / sigma - 1)[inside]) < 1e-9


@settings(deadline=None, max_examples=200)
@given(st.floats(1, 10_000), st.floats(-3, 3), st.floats(1e-6, 5), st.floats(0, 1), st.booleans())
def test_every_price_strictly_inside_its_bounds_has_a_volatility(
    forward: float, log_ratio: float, years: float, share: float, call: bool
) -> None:
    strike = forward * math.exp(log_ratio)
    intrinsic = max(forward - strike, 0) if call else max(strike - forward, 0)
    upper = forward if call else strike
    price = intrinsic + share * (upper - intrinsic)
    found = implied_volatility(price, forward, strike, years, call)
    margin = 1e-13 * max(forward, strike)
    if intrinsic + margin < price < upper - margin:
        assert found.reason == Reason.OK
        assert 0 < found.volatility < math.inf
        again = greeks_on_forward(forward, strike, years, found.volatility, call).price
        assert again == pytest.approx(price, abs=1e-11 * max(forward, strike))


def test_the_solver_agrees_with_halving_brackets() -> None:
    strike = np.linspace(70, 140, 15)
    price = greeks_on_forward(100, strike, 0.25, 0.3, True, rate=RATE).price
    discount = math.exp(-RATE * 0.25)
    solved = implied_volatility(price, 100, strike, 0.25, True, discount=discount)
    halved = implied_by_bisection(price, 100, strike, 0.25, True, discount=discount)
    np.testing.assert_allclose(solved.volatility, halved, rtol=1e-9)


@pytest.mark.parametrize(
    ("price", "forward", "strike", "years", "reason"),
    [
        (math.nan, 100, 100, 1, Reason.NO_PRICE),
        (math.inf, 100, 100, 1, Reason.NO_PRICE),
        (19.99, 100, 80, 1, Reason.BELOW_INTRINSIC),
        (20, 100, 80, 1, Reason.BELOW_INTRINSIC),
        (0, 100, 120, 1, Reason.BELOW_INTRINSIC),
        (-1, 100, 120, 1, Reason.BELOW_INTRINSIC),
        (100, 100, 80, 1, Reason.ABOVE_BOUND),
        (101, 100, 80, 1, Reason.ABOVE_BOUND),
        (5, 100, 100, 0, Reason.EXPIRED),
        (5, 100, 100, math.nan, Reason.EXPIRED),
        (5, math.nan, 100, 1, Reason.BAD_INPUT),
        (5, 100, 0, 1, Reason.BAD_INPUT),
    ],
)
def test_a_call_price_outside_its_bounds_has_no_volatility_but_a_reason(
    price: float, forward: float, strike: float, years: float, reason: Reason
) -> None:
    found = implied_volatility(price, forward, strike, years, True)
    assert np.isnan(found.volatility)
    assert found.reason == reason
    assert reason.sentence


def test_a_quote_gives_a_band_around_its_middle() -> None:
    bands = implied_bands([4.9, 0, 5.1, np.nan], [5.1, 0.1, 4.9, 5], 100, 100, 0.25, True)
    assert bands.bid.volatility[0] < bands.mid.volatility[0] < bands.ask.volatility[0]
    assert bands.mid.reason.tolist() == [Reason.OK, Reason.NO_BID, Reason.CROSSED, Reason.NO_BID]
    assert bands.bid.reason.tolist() == [Reason.OK, Reason.NO_BID, Reason.CROSSED, Reason.NO_BID]
    assert bands.ask.reason.tolist() == [Reason.OK, Reason.OK, Reason.CROSSED, Reason.OK]


def test_an_expired_contract_says_so_whatever_its_quote() -> None:
    bands = implied_bands([0.0, 2.0], [0.05, 1.0], 100, 100, 0, True)
    assert bands.mid.reason.tolist() == [Reason.EXPIRED, Reason.EXPIRED]
