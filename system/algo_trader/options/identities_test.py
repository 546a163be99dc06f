"""Judge prices, volatilities and reports by limits, symmetries, monotonicity and reasons."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.algo_trader.options.american import fast_american_greeks
from system.algo_trader.options.black import fast_greeks, greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.exposure import exposures_of
from system.algo_trader.options.gex import gex_report
from system.algo_trader.options.implied import Reason
from system.algo_trader.options.parity import RateCurve, years_to_settlement
from system.algo_trader.options.smile import bands_of
from system.algo_trader.options.surface import surface_of
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, RATE, synthetic_chain

CURVE = RateCurve.flat(RATE)
spots = st.floats(50, 8000)
moneyness = st.floats(0.7, 1.4)
terms = st.floats(1 / 365, 3)
volatilities = st.floats(0.05, 1.5)
rates = st.floats(0.0, 0.1)


@settings(deadline=None, max_examples=50)
@given(spots, moneyness, terms, volatilities, rates, rates)
def test_a_call_is_the_put_with_spot_and_strike_rate_and_yield_exchanged(
    spot: float, ratio: float, years: float, sigma: float, rate: float, pays: float
) -> None:
    strike = spot * ratio
    call = greeks(spot, strike, years, sigma, True, rate=rate, dividend_yield=pays)
    put = greeks(strike, spot, years, sigma, False, rate=pays, dividend_yield=rate)
    assert call.price == pytest.approx(put.price, rel=1e-10, abs=1e-10 * spot)
    assert call.vega == pytest.approx(put.vega, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(spots, moneyness, terms, volatilities, rates, st.booleans(), st.floats(0.01, 100))
def test_prices_scale_with_spot_and_strike_and_shares_do_not(
    spot: float, ratio: float, years: float, sigma: float, rate: float, call: bool, scale: float
) -> None:
    one = greeks(spot, spot * ratio, years, sigma, call, rate=rate)
    many = greeks(scale * spot, scale * spot * ratio, years, sigma, call, rate=rate)
    assert many.price == pytest.approx(scale * one.price, rel=1e-9, abs=1e-12 * scale * spot)
    assert many.delta == pytest.approx(one.delta, rel=1e-9, abs=1e-12)
    assert many.gamma * scale == pytest.approx(one.gamma, rel=1e-9, abs=1e-300)
    # Euler: price = spot x delta + strike x its own derivative, here the discounted probability.
    by_strike = (
        greeks(spot, spot * ratio * 1.0001, years, sigma, call, rate=rate).price
        - greeks(spot, spot * ratio * 0.9999, years, sigma, call, rate=rate).price
    ) / (2e-4 * spot * ratio)
    assert one.price == pytest.approx(spot * one.delta + spot * ratio * by_strike, abs=1e-4 * spot)


@settings(deadline=None, max_examples=50)
@given(spots, moneyness, terms, volatilities, rates)
def test_prices_move_with_spot_time_and_volatility_as_they_must(
    spot: float, ratio: float, years: float, sigma: float, rate: float
) -> None:
    strike, noise = spot * ratio, 1e-12 * spot
    call = greeks(spot, strike, years, sigma, True, rate=rate).price
    put = greeks(spot, strike, years, sigma, False, rate=rate).price
    assert greeks(1.01 * spot, strike, years, sigma, True, rate=rate).price >= call - noise
    assert greeks(1.01 * spot, strike, years, sigma, False, rate=rate).price <= put + noise
    # Without a yield more time never hurts a call; it may hurt a European put.
    assert greeks(spot, strike, 1.01 * years, sigma, True, rate=rate).price >= call - noise
    assert greeks(spot, strike, years, 1.01 * sigma, False, rate=rate).price >= put - noise


@settings(deadline=None, max_examples=40)
@given(spots, moneyness, terms, rates, rates, st.booleans())
def test_the_limits_of_time_volatility_and_spot_are_met(
    spot: float, ratio: float, years: float, rate: float, pays: float, call: bool
) -> None:
    strike, sign = spot * ratio, 1 if call else -1
    grown, discounted = spot * math.exp(-pays * years), strike * math.exp(-rate * years)

    def price(s: float = spot, t: float = years, v: float = 0.2) -> float:
        return float(fast_greeks(s, strike, t, v, call, rate=rate, dividend_yield=pays).price)

    assert price(t=1e-12) == pytest.approx(max(sign * (spot - strike), 0), abs=1e-6 * spot)
    assert price(v=1e-9) == pytest.approx(max(sign * (grown - discounted), 0), abs=1e-6 * spot)
    assert price(v=500) == pytest.approx(grown if call else discounted, rel=1e-9)
    assert price(s=1e-9 * strike) == pytest.approx(0 if call else discounted, abs=1e-6 * strike)
    huge = 1e9 * strike
    assert price(s=huge) == pytest.approx(
        huge * math.exp(-pays * years) - discounted if call else 0, rel=1e-9, abs=1e-6
    )


@settings(deadline=None, max_examples=30)
@given(moneyness, rates, st.booleans())
def test_an_american_option_is_worth_its_payoff_at_the_end(
    ratio: float, rate: float, call: bool
) -> None:
    paid = max((100 - 100 * ratio) * (1 if call else -1), 0)
    found = fast_american_greeks(100, 100 * ratio, 1e-8, 0.2, call, rate=rate, dividend_yield=0.02)
    assert found.price == pytest.approx(paid, abs=2e-2)


@pytest.mark.parametrize(("hours", "share"), [(6.5, 0.44), (3, 0.30), (1, 0.17), (0.25, 0.09)])
def test_a_floor_of_one_day_would_shrink_the_last_days_gamma(hours: float, share: float) -> None:
    years = years_to_settlement([NOW_NS + int(hours * 3.6e12)], NOW_NS)[0]
    true = greeks(6000, 6000, years, 0.15, True).gamma
    # The tutorials' floor is one of 262 business days; the published shares come out of it.
    floored = greeks(6000, 6000, 1 / 262, 0.15, True).gamma
    assert floored / true == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("american", [False, True])
def test_no_greek_of_a_seeded_chain_is_nan(american: bool) -> None:
    spot = 600.0 if american else 6000.0
    chain = synthetic_chain(spot=spot, expiries=12, strikes=61, half_spread=0.01, american=american)
    surface = surface_of(chain, CURVE)
    for name in ("price", "delta", "gamma", "theta", "vega", "vanna", "charm", "vomma"):
        assert np.count_nonzero(np.isnan(getattr(surface.greeks, name))) == 0, name
    assert np.count_nonzero(np.isnan(surface.volatility)) == 0


def quotes(bid: list[float], ask: list[float], *, american: bool = False) -> Chain:
    """Calls and puts at 95, 100 and 105 around a spot of 100."""
    return Chain.of(
        "X", 100, NOW_NS, [NOW_NS + 30 * DAY_NS] * 6, np.repeat([95.0, 100, 105], 2),
        [False, True] * 3, bid=bid, ask=ask, open_interest=[10.0] * 6, is_american=american,
    )  # fmt: skip


@pytest.mark.parametrize("american", [False, True])
def test_every_side_of_a_quote_without_a_volatility_has_its_reason(american: bool) -> None:
    bid = [0.5, 5.0, 2.3, 0.0, 5.5, 0.9]
    ask = [0.6, 6.2, 2.2, 2.6, 5.7, float("nan")]
    bands = bands_of(surface_of(quotes(bid, ask, american=american), CURVE))
    for side in bands:
        assert np.array_equal(np.isnan(side.volatility), side.reason != Reason.OK)
    assert bands.bid.reason.tolist()[1:4] == [
        Reason.BELOW_INTRINSIC, Reason.CROSSED, Reason.NO_BID
    ]  # fmt: skip
    assert bands.mid.reason.tolist()[2:4] == [Reason.CROSSED, Reason.NO_BID]
    assert bands.ask.reason.tolist()[2:4] == [Reason.CROSSED, Reason.OK]
    assert bands.ask.reason[5] == Reason.NO_PRICE


@pytest.mark.parametrize("right", [True, False])
def test_a_one_sided_chain_gives_a_report_with_its_nulls_explained(right: bool) -> None:
    chain = synthetic_chain(expiries=3, strikes=21)
    document = gex_report(chain.where(chain.is_call == right), now_ns=NOW_NS, curve=CURVE).as_dict()
    assert document["flip"]["price"] is None
    assert "zero from" in document["flip"]["reason"]
    wall = document["put_wall" if right else "call_wall"]
    assert wall["price"] is None
    assert wall["reason"]
    ratio = document["put_call_open_interest"]
    assert ratio["value"] == (0 if right else None)
    assert (ratio["reason"] is None) == right
    assert {row["forward_source"] for row in document["expiries"]} == {"spot_carried"}


def test_a_report_tells_provenance_bands_and_early_exercise() -> None:
    chain = synthetic_chain(spot=600, expiries=6, strikes=41, half_spread=0.02, american=True)
    document = gex_report(chain, now_ns=NOW_NS, curve=CURVE).as_dict()
    assert document["provenance"] == {
        "source": "synthetic", "fetched_at": "2023-11-14T22:13:20Z", "is_synthetic": True
    }  # fmt: skip
    early = document["early_exercise"]
    assert early["american"] == len(chain)
    assert 0 < early["matters"] < len(chain)
    assert early["matters"] == sum(row["early_exercise"] for row in document["expiries"])
    smile = document["iv_bands"]["smile"]
    assert len(smile["strike"]) == len(smile["bid"]) == len(smile["mid"]) == len(smile["ask"])
    for side in ("bid", "mid", "ask"):
        assert sum(document["iv_bands"]["reasons"][side].values()) == len(chain)
        assert all((each["value"] is None) == (each["reason"] is not None) for each in smile[side])
    band = document["expiries"][-1]["iv_band"]
    assert band["bid"]["value"] < band["mid"]["value"] < band["ask"]["value"]


def test_a_contract_held_without_greeks_is_not_counted_as_used() -> None:
    chain = quotes([0.0] * 6, [0.0] * 6)
    exposures = exposures_of(surface_of(chain, CURVE))
    assert np.count_nonzero(exposures.used) == 0
    assert exposures.total("gex") == (0, 0, 0)
