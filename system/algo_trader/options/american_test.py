"""Judge American prices and Greeks by published values, by a binomial tree, and by identities."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from system.algo_trader.options.american import american_price, fast_american_greeks
from system.algo_trader.options.american_implied import (
    american_implied_by_bisection,
    american_implied_volatility,
)
from system.algo_trader.options.american_scheme import FAST
from system.algo_trader.options.black import Floats, Greeks, fast_greeks
from system.algo_trader.options.implied import Reason

spots = st.floats(60, 160)
terms = st.floats(1 / 365, 3)
volatilities = st.floats(0.08, 1.0)
rates = st.floats(0.0, 0.1)

# Longstaff and Schwartz, Review of Financial Studies 14 (2001), table 1: puts on a strike of 40 at
# 6 %, by an implicit finite-difference scheme with 50 exercise dates a year. Columns: spot,
# volatility, years, price.
LONGSTAFF_SCHWARTZ = [
    (36, 0.2, 1, 4.478), (36, 0.2, 2, 4.840), (36, 0.4, 1, 7.101), (36, 0.4, 2, 8.508),
    (38, 0.2, 1, 3.250), (38, 0.2, 2, 3.745), (38, 0.4, 1, 6.148), (38, 0.4, 2, 7.670),
    (40, 0.2, 1, 2.314), (40, 0.2, 2, 2.885), (40, 0.4, 1, 5.312), (40, 0.4, 2, 6.920),
    (42, 0.2, 1, 1.617), (42, 0.2, 2, 2.212), (42, 0.4, 1, 4.582), (42, 0.4, 2, 6.248),
    (44, 0.2, 1, 1.110), (44, 0.2, 2, 1.690), (44, 0.4, 1, 3.948), (44, 0.4, 2, 5.647),
]  # fmt: skip

# Haug, The Complete Guide to Option Pricing Formulas, 2nd edition, table 3-2: Bjerksund and
# Stensland's approximation of 2002, a lower bound, on futures at 90, 100 and 110, strike 100,
# r = 10 %. Columns: years, volatility, calls, puts.
HAUG = [
    (0.1, 0.15, (0.0205, 1.8757, 10.0000), (10.0000, 1.8757, 0.0408)),
    (0.1, 0.25, (0.3151, 3.1256, 10.3725), (10.2280, 3.1256, 0.4552)),
    (0.1, 0.35, (0.9479, 4.3746, 11.1578), (10.8663, 4.3746, 1.2383)),
    (0.5, 0.15, (0.8099, 4.0628, 10.7898), (10.5400, 4.0628, 1.0689)),
    (0.5, 0.25, (2.7180, 6.7661, 12.9814), (12.4097, 6.7661, 3.2932)),
    (0.5, 0.35, (4.9665, 9.4608, 15.5137), (14.6445, 9.4608, 5.8374)),
]

# QuantLib 1.36, QdFpAmericanEngine with its high-precision scheme, strike 100. Columns: spot, days,
# volatility, call, rate, yield, price.
QUANTLIB = [
    (130.42, 265, 0.431, True, 0.0271, 0.0201, 36.04043),
    (95.06, 25, 0.575, False, 0.0631, 0.0362, 8.527263),
    (76.17, 794, 0.524, True, 0.0213, 0.0527, 13.53177),
    (100.92, 4, 0.121, True, 0.0668, 0.0849, 1.081994),
    (66.07, 573, 0.394, False, 0.0281, 0.0854, 40.81629),
    (95.65, 410, 0.256, False, 0.0626, 0.023, 10.763134),
    (71.24, 624, 0.554, False, 0.0648, 0.0806, 39.062215),
    (106.88, 264, 0.601, False, 0.0121, 0.0453, 18.345957),
    (110.16, 284, 0.13, True, 0.0298, 0.0181, 12.0471),
    (77.49, 67, 0.6, False, 0.0575, 0.0222, 23.976329),
    (86.23, 898, 0.176, False, 0.0659, 0.0613, 16.607343),
    (147.67, 492, 0.363, True, 0.059, 0.0467, 51.528397),
    (105.85, 156, 0.344, False, 0.0542, 0.0, 5.74292),
]


def seeded(count: int, seed: int) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    years, sigma = draw.uniform(2 / 365, 2.5, count), draw.uniform(0.08, 0.9, count)
    spot = 100 * np.exp(draw.uniform(-2, 2, count) * sigma * np.sqrt(years))
    return {
        "spot": spot, "strike": np.full(count, 100.0), "years": years, "volatility": sigma,
        "is_call": draw.random(count) < 0.5, "rate": draw.uniform(0.005, 0.09, count),
        "dividend_yield": draw.uniform(0.005, 0.09, count),
    }  # fmt: skip


def binomial(
    spot: float, strike: float, years: float, sigma: float, call: bool, rate: float, pays: float
) -> float:
    """Return the mean of a Cox-Ross-Rubinstein tree of 1000 steps and one of 1001."""
    found = []
    for steps in (1000, 1001):
        dt = years / steps
        up = np.exp(sigma * np.sqrt(dt))
        share = (np.exp((rate - pays) * dt) - 1 / up) / (up - 1 / up)
        sign = 1 if call else -1
        prices = spot * up ** np.arange(-steps, steps + 1, 2.0)
        value = np.maximum(sign * (prices - strike), 0)
        for _ in range(steps):
            value = np.exp(-rate * dt) * (share * value[1:] + (1 - share) * value[:-1])
            prices = prices[1:] / up
            value = np.maximum(value, sign * (prices - strike))
        found.append(float(value[0]))
    return sum(found) / 2


def test_longstaff_and_schwartzs_puts_are_worth_a_little_more_when_exercised_at_any_time() -> None:
    spot, sigma, years, published = np.array(LONGSTAFF_SCHWARTZ, dtype=float).T
    gain = american_price(spot, 40, years, sigma, False, rate=0.06) - published
    assert np.all(gain > -1e-3)
    assert np.all(gain < 1e-2)


@pytest.mark.parametrize(("years", "sigma", "calls", "puts"), HAUG)
def test_haugs_lower_bounds_of_2002_lie_just_below(
    years: float, sigma: float, calls: tuple[float, ...], puts: tuple[float, ...]
) -> None:
    for is_call, published in ((True, calls), (False, puts)):
        price = american_price(
            [90, 100, 110], 100, years, sigma, is_call, rate=0.1, dividend_yield=0.1
        )
        assert np.all(price >= np.array(published) - 5e-5)
        assert np.all(price <= np.array(published) + 0.035)


@pytest.mark.parametrize(("rate", "premium"), [(0.05, 0.1069527), (0.075, 0.3671112)])
def test_the_premium_of_andersen_lake_and_offengenden_comes_out(
    rate: float, premium: float
) -> None:
    given: dict[str, Any] = {"rate": rate, "dividend_yield": 0.05}
    american = american_price(100, 100, 1, 0.25, False, **given)
    european = fast_greeks(100, 100, 1, 0.25, False, **given).price
    assert american - european == pytest.approx(premium, abs=2e-5)


def test_quantlibs_high_precision_prices_come_out() -> None:
    spot, days, sigma, call, rate, pays, published = np.array(QUANTLIB, dtype=float).T
    for price in (
        american_price(spot, 100, days / 365, sigma, call > 0, rate=rate, dividend_yield=pays),
        fast_american_greeks(
            spot, 100, days / 365, sigma, call > 0, rate=rate, dividend_yield=pays
        ).price,
    ):
        np.testing.assert_allclose(price, published, atol=1e-4)


def test_a_tree_of_a_thousand_steps_agrees() -> None:
    given = seeded(12, 4)
    found = american_price(**given)
    tree = [binomial(*(column[i] for column in given.values())) for i in range(12)]
    np.testing.assert_allclose(found, tree, atol=4e-3)


def test_the_kernel_agrees_with_the_reference() -> None:
    given = seeded(400, 5)
    np.testing.assert_allclose(
        fast_american_greeks(**given).price, american_price(**given), rtol=1e-12, atol=1e-10
    )
    np.testing.assert_allclose(american_price(**given, scheme=FAST), american_price(**given),
                               atol=5e-3)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(spots, terms, volatilities, rates, rates, st.booleans())
@example(118.0, 0.00390625, 1.0, 1e-14, 1e-14, True)
def test_american_is_worth_no_less_than_european_and_than_exercise_now(
    spot: float, years: float, sigma: float, rate: float, pays: float, call: bool
) -> None:
    given: dict[str, Any] = {"rate": rate, "dividend_yield": pays}
    american = fast_american_greeks(spot, 100, years, sigma, call, **given)
    european = fast_greeks(spot, 100, years, sigma, call, **given)
    exercised = max(spot - 100 if call else 100 - spot, 0.0)
    assert american.price >= european.price - 1e-9
    assert american.price >= exercised - 1e-9
    assert american.price <= (spot if call else 100)
    # Rounding of the exercise region's edge aside, delta stays within a share.
    assert -1e-3 <= (american.delta if call else -american.delta) <= 1 + 1e-3
    assert american.gamma >= -1e-4


@settings(deadline=None, max_examples=40)
@given(spots, terms, volatilities, rates, rates)
def test_a_call_is_the_put_with_everything_exchanged_and_prices_scale(
    spot: float, years: float, sigma: float, rate: float, pays: float
) -> None:
    call = american_price(spot, 100, years, sigma, True, rate=rate, dividend_yield=pays)
    put = american_price(100, spot, years, sigma, False, rate=pays, dividend_yield=rate)
    assert call == pytest.approx(put, rel=1e-12)
    tenfold = american_price(10 * spot, 1000, years, sigma, True, rate=rate, dividend_yield=pays)
    assert tenfold == pytest.approx(10 * call, rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(spots, terms, volatilities, rates, rates, st.booleans())
def test_prices_rise_with_time_volatility_and_the_side_of_the_strike(
    spot: float, years: float, sigma: float, rate: float, pays: float, call: bool
) -> None:
    def price(ds: float = 0, dt: float = 0, dv: float = 0, dk: float = 0) -> Floats:
        return american_price(
            spot + ds, 100 + dk, years + dt, sigma + dv, call, rate=rate, dividend_yield=pays
        )

    here, noise = price(), 5e-3
    assert price(dt=0.1 * years) >= here - noise
    assert price(dv=0.1 * sigma) >= here - noise
    assert (price(ds=2) - here) * (1 if call else -1) >= -noise
    assert (price(dk=2) - here) * (-1 if call else 1) >= -noise


def test_where_waiting_costs_nothing_the_price_is_the_european_one() -> None:
    for call, rate, pays in ((True, 0.05, 0.0), (False, 0.0, 0.0), (False, -0.01, 0.02)):
        american = fast_american_greeks(
            [70, 100, 140], 100, 1.5, 0.3, call, rate=rate, dividend_yield=pays
        )
        european = fast_greeks([70, 100, 140], 100, 1.5, 0.3, call, rate=rate, dividend_yield=pays)
        for name, a, b in zip(Greeks._fields, american, european, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
        reference = american_price(
            [70, 100, 140], 100, 1.5, 0.3, call, rate=rate, dividend_yield=pays
        )
        np.testing.assert_allclose(reference, european.price, rtol=1e-9)


def test_what_is_best_exercised_at_once_has_the_greeks_of_its_intrinsic_value() -> None:
    found = fast_american_greeks(50, 100, 1, 0.2, False, rate=0.06)
    assert [float(found.price), float(found.delta)] == [50, -1]
    assert all(value == 0 for value in found[2:])


@pytest.mark.parametrize("bad", [float("nan"), 0.0, -1.0])
def test_what_cannot_be_priced_is_nan_and_leaves_its_neighbours_alone(bad: float) -> None:
    for column in fast_american_greeks([bad, 100], 100, 1, 0.2, False, rate=0.05):
        assert np.isnan(column).tolist() == [True, False]
    found = american_price(100, 100, [bad, 1], 0.2, False, rate=0.05)
    assert np.isnan(found).tolist() == [True, False]


def test_every_greek_is_the_finite_difference_of_the_reference() -> None:
    given = seeded(300, 8)
    here = fast_american_greeks(**given)
    spot, years, sigma = (given[name] for name in ("spot", "years", "volatility"))
    strike = given["strike"]

    def price(**moved: Floats) -> Floats:
        return american_price(**{**given, **moved})

    def delta(**moved: Floats) -> Floats:
        return fast_american_greeks(**{**given, **moved}).delta

    width = sigma * np.sqrt(years)
    hs, ht, hv, hr = 5e-3 * width * spot, 1e-3 * years, 1e-2 * sigma, 1e-4
    r = given["rate"]
    up, down = price(volatility=sigma + hv), price(volatility=sigma - hv)
    pairs: dict[str, tuple[Floats, Any]] = {
        "delta": ((price(spot=spot + hs) - price(spot=spot - hs)) / (2 * hs), 1.0),
        "gamma": (
            (delta(spot=spot + hs) - delta(spot=spot - hs)) / (2 * hs), 1 / (spot * width)
        ),
        "theta": (
            -(price(years=years + ht) - price(years=years - ht)) / (2 * ht), spot * width / years
        ),
        "vega": ((up - down) / (2 * hv), spot * np.sqrt(years)),
        "rho": ((price(rate=r + hr) - price(rate=r - hr)) / (2 * hr), strike * years),
        "vanna": ((delta(volatility=sigma + hv) - delta(volatility=sigma - hv)) / (2 * hv),
                  1 / sigma),
        "charm": (-(delta(years=years + ht) - delta(years=years - ht)) / (2 * ht), 1 / years),
        "vomma": ((up - 2 * price() + down) / hv**2, spot * np.sqrt(years) / sigma),
    }  # fmt: skip
    exercised = (here.gamma == 0) & (np.abs(here.delta) == 1)
    for name, (difference, scale) in pairs.items():
        error = (
            np.abs(difference - getattr(here, name))[~exercised]
            / np.broadcast_to(scale, spot.shape)[~exercised]
        )
        # Differences that straddle the boundary see its kink.
        assert np.quantile(error, 0.95) < 1e-3, name
        assert np.median(error) < 1e-4, name


def test_american_volatility_is_found_again_and_none_is_nan() -> None:
    given = seeded(400, 9)
    made = fast_american_greeks(**given)
    sigma = given.pop("volatility")
    found = american_implied_volatility(made.price, **given)
    living = made.gamma > 0
    assert np.count_nonzero(living) > 300
    assert np.count_nonzero(np.isnan(found.volatility[living])) == 0
    told = living & (made.vega > 0.05)
    np.testing.assert_allclose(found.volatility[told], sigma[told], atol=1e-8)
    again = fast_american_greeks(**given, volatility=found.volatility).price
    np.testing.assert_allclose(again[living], made.price[living], atol=1e-8)
    assert set(found.reason[~living]) <= {Reason.BELOW_INTRINSIC}


def test_american_volatility_agrees_with_halving_brackets() -> None:
    given = seeded(12, 10)
    made = fast_american_greeks(**given)
    sigma = given.pop("volatility")
    told = (made.vega > 1) & (made.gamma > 0)
    halved = american_implied_by_bisection(made.price, **given, steps=40)
    np.testing.assert_allclose(halved[told], sigma[told], atol=1e-7)


@pytest.mark.parametrize(
    ("price", "spot", "years", "reason"),
    [
        (np.nan, 90, 1, Reason.NO_PRICE),
        (10, 90, 1, Reason.BELOW_INTRINSIC),
        (9, 90, 1, Reason.BELOW_INTRINSIC),
        (100, 90, 1, Reason.ABOVE_BOUND),
        (12, 90, 0, Reason.EXPIRED),
        (12, np.nan, 1, Reason.BAD_INPUT),
    ],
)
def test_a_put_price_outside_its_bounds_has_no_volatility_but_a_reason(
    price: float, spot: float, years: float, reason: Reason
) -> None:
    found = american_implied_volatility(price, spot, 100, years, False, rate=0.05)
    assert np.isnan(found.volatility)
    assert found.reason == reason


def test_a_put_dearer_than_any_european_one_still_has_a_volatility() -> None:
    # Above 100 exp(-0.05) no European put can cost, an American one can.
    found = american_implied_volatility(97, 90, 100, 1, False, rate=0.05)
    assert found.reason == Reason.OK
    assert american_price(90, 100, 1, found.volatility, False, rate=0.05) == pytest.approx(97)
