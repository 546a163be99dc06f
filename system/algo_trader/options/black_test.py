"""Judge prices and Greeks by published values, by parity and limits, and by finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.algo_trader.options.black import Greeks, fast_greeks, flat, greeks, greeks_on_forward

RATE, YIELD, SIGMA, YEARS = 0.043, 0.013, 0.15, 30 / 365

spots = st.floats(50, 8000)
moneyness = st.floats(0.7, 1.4)
terms = st.floats(1 / 365, 3)
volatilities = st.floats(0.05, 1.5)
rates = st.floats(-0.01, 0.1)


def test_published_at_the_money_values_come_out() -> None:
    found = greeks(6000, 6000, YEARS, SIGMA, True, rate=RATE, dividend_yield=YIELD)
    assert found.gamma == pytest.approx(0.001539712327, rel=1e-9)
    assert found.gamma * 1000 * 100 * 6000**2 * 0.01 == pytest.approx(55_429_643.7844, rel=1e-11)


def test_hulls_textbook_option_is_priced() -> None:
    # Hull: S=42, K=40, r=10 %, sigma=20 %, half a year: call 4.76, put 0.81.
    call = greeks(42, 40, 0.5, 0.2, True, rate=0.1)
    put = greeks(42, 40, 0.5, 0.2, False, rate=0.1)
    assert call.price == pytest.approx(4.76, abs=0.005)
    assert put.price == pytest.approx(0.81, abs=0.005)
    # The same book's stock at 49, K=50, r=5 %, sigma=20 %, 20 weeks.
    fifty = greeks(49, 50, 0.3846, 0.2, True, rate=0.05)
    assert fifty.delta == pytest.approx(0.522, abs=5e-4)
    assert fifty.gamma == pytest.approx(0.066, abs=5e-4)
    assert fifty.vega == pytest.approx(12.1, abs=0.05)
    assert fifty.theta == pytest.approx(-4.31, abs=5e-3)
    assert fifty.rho == pytest.approx(8.91, abs=5e-3)


def test_hulls_futures_put_is_priced_by_black_76() -> None:
    # Hull: F=20, K=20, r=9 %, sigma=25 %, four months: put 1.12.
    assert greeks_on_forward(20, 20, 4 / 12, 0.25, False, rate=0.09).price == pytest.approx(
        1.12, abs=0.005
    )


@settings(deadline=None, max_examples=60)
@given(spots, moneyness, terms, volatilities, rates, rates)
def test_call_less_put_is_the_discounted_forward_less_strike(
    spot: float, ratio: float, years: float, sigma: float, rate: float, pays: float
) -> None:
    strike = spot * ratio
    call = greeks(spot, strike, years, sigma, True, rate=rate, dividend_yield=pays)
    put = greeks(spot, strike, years, sigma, False, rate=rate, dividend_yield=pays)
    parity = spot * np.exp(-pays * years) - strike * np.exp(-rate * years)
    assert call.price - put.price == pytest.approx(parity, abs=1e-9 * spot)
    assert call.delta - put.delta == pytest.approx(np.exp(-pays * years), abs=1e-12)
    assert call.gamma == put.gamma
    assert call.vega == put.vega


@settings(deadline=None, max_examples=60)
@given(spots, moneyness, terms, volatilities, rates, rates, st.booleans())
def test_every_greek_is_the_finite_difference_of_the_price(
    spot: float, ratio: float, years: float, sigma: float, rate: float, pays: float, call: bool
) -> None:
    strike = spot * ratio
    width = sigma * np.sqrt(years)

    def at(ds: float = 0.0, dt: float = 0.0, dv: float = 0.0, dr: float = 0.0) -> Greeks:
        return greeks(
            spot + ds, strike, years + dt, sigma + dv, call, rate=rate + dr, dividend_yield=pays
        )

    here = at()
    hs, ht, hv, hr = 1e-4 * width * spot, 1e-4 * years, 1e-4 * sigma, 1e-5
    pairs = {
        "delta": ((at(ds=hs).price - at(ds=-hs).price) / (2 * hs), here.delta, 1.0),
        "gamma": (
            (at(ds=hs).delta - at(ds=-hs).delta) / (2 * hs),
            here.gamma,
            1 / (spot * width),
        ),
        "theta": (
            -(at(dt=ht).price - at(dt=-ht).price) / (2 * ht),
            here.theta,
            spot * (width / years + 0.2),
        ),
        "vega": (
            (at(dv=hv).price - at(dv=-hv).price) / (2 * hv),
            here.vega,
            spot * np.sqrt(years),
        ),
        "rho": ((at(dr=hr).price - at(dr=-hr).price) / (2 * hr), here.rho, strike * years),
        "vanna": ((at(dv=hv).delta - at(dv=-hv).delta) / (2 * hv), here.vanna, 1 / sigma),
        "charm": ((at(dt=-ht).delta - at(dt=ht).delta) / (2 * ht), here.charm, 1 / years),
        "vomma": (
            (at(dv=hv).vega - at(dv=-hv).vega) / (2 * hv),
            here.vomma,
            spot * np.sqrt(years) / sigma,
        ),
    }
    for name, (difference, greek, scale) in pairs.items():
        assert difference == pytest.approx(greek, abs=2e-5 * scale), name


@settings(deadline=None, max_examples=40)
@given(spots, moneyness, terms, volatilities)
def test_prices_rise_with_volatility_and_calls_fall_with_the_strike(
    spot: float, ratio: float, years: float, sigma: float
) -> None:
    strikes = spot * ratio * np.array([1.0, 1.01])
    calls = greeks(spot, strikes, years, sigma, True)
    puts = greeks(spot, strikes, years, sigma, False)
    assert calls.price[0] >= calls.price[1]
    assert puts.price[1] >= puts.price[0]
    wilder = greeks(spot, strikes, years, sigma * 1.1, True).price
    assert np.all(wilder >= calls.price - 1e-12 * spot)
    assert np.all((calls.delta >= 0) & (calls.delta <= 1))
    assert np.all(calls.gamma >= 0)


def test_without_volatility_left_a_call_is_worth_its_intrinsic_value() -> None:
    found = greeks(100, [80, 120], 1e-9, 0.2, True)
    assert found.price == pytest.approx([20, 0], abs=1e-9)
    assert found.delta == pytest.approx([1, 0], abs=1e-12)


def test_the_forward_and_the_spot_models_agree_on_the_parity_forward() -> None:
    strike = np.linspace(80, 120, 9)
    forward = 100 * np.exp((RATE - YIELD) * YEARS)
    on_spot = greeks(100, strike, YEARS, SIGMA, True, rate=RATE, dividend_yield=YIELD)
    on_forward = greeks_on_forward(forward, strike, YEARS, SIGMA, True, rate=RATE)
    np.testing.assert_allclose(on_forward.price, on_spot.price, rtol=1e-12)
    np.testing.assert_allclose(on_forward.delta * forward / 100, on_spot.delta, rtol=1e-12)
    bumped = greeks_on_forward(forward, strike, YEARS, SIGMA, True, rate=RATE + 1e-6)
    np.testing.assert_allclose(
        (bumped.price - on_forward.price) / 1e-6, on_forward.rho, rtol=1e-5, atol=1e-9
    )


def test_the_kernel_agrees_with_the_reference_on_100_000_options() -> None:
    draw = np.random.default_rng(6)
    n = 100_000
    call = draw.random(n) < 0.5
    spot, sigma = draw.uniform(50, 6000, n), draw.uniform(0.03, 2, n)
    years = draw.uniform(60 / 31_536_000, 3, n)
    strike = spot * np.exp(draw.uniform(-4, 4, n) * sigma * np.sqrt(years))
    rate, pays = draw.uniform(-0.02, 0.1, n), draw.uniform(0, 0.05, n)
    slow = greeks(spot, strike, years, sigma, call, rate=rate, dividend_yield=pays)
    fast = fast_greeks(spot, strike, years, sigma, call, rate=rate, dividend_yield=pays)
    for name, a, b in zip(Greeks._fields, slow, fast, strict=True):
        scale = np.maximum(np.abs(a), 1e-6 * np.max(np.abs(a)))
        assert np.max(np.abs(a - b) / scale) < 1e-9, name


def test_the_tail_is_exact_in_proportion_out_to_40_deviations() -> None:
    from scipy.special import erfcx

    from system.algo_trader.options.black_kernels import tail_ratio

    x = np.linspace(0, 40, 2001)
    found = np.array([tail_ratio(float(value)) for value in x])
    np.testing.assert_allclose(found, 0.5 * erfcx(x / np.sqrt(2)), rtol=3e-13)


@pytest.mark.parametrize("price", [greeks, fast_greeks])
def test_what_cannot_be_priced_is_nan_and_leaves_its_neighbours_alone(price: object) -> None:
    assert callable(price)
    found = price(
        [100, np.nan, 100, 100, -1, 100],
        [100, 100, 0, 100, 100, 100],
        1,
        [0.2, 0.2, 0.2, 0, 0.2, 0.2],
        True,
    )
    for column in found:
        assert np.isnan(column).tolist() == [False, True, True, True, True, False]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_kernels_columns_bear_no_mark_of_broadcasting(count: int) -> None:
    column = flat(np.broadcast_arrays(2.0, np.zeros(count))[0])
    # NumPy warns here of an array that is a broadcast view.
    assert column.flags.writeable
    assert column.tolist() == [2.0] * count
