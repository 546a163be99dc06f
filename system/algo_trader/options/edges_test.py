"""Judge what happens exactly at an edge: the spot, the forward, the first known point, a bound."""

import numpy as np
import pytest

from system.algo_trader.options.american_implied import american_implied_volatility
from system.algo_trader.options.american_kernels import waiting_costs
from system.algo_trader.options.exercise_candidate_kernels import most_of, premium_bound
from system.algo_trader.options.exposure import Ladder
from system.algo_trader.options.implied import Reason, implied_volatility
from system.algo_trader.options.landmarks import call_wall, put_wall
from system.algo_trader.options.ratios import _between


def test_a_wall_may_stand_at_the_spot_itself() -> None:
    strikes = np.array([95.0, 100.0, 105.0])
    ladder = Ladder(call=np.array([1.0, 5.0, 2.0]), put=np.array([-2.0, -5.0, -1.0]))
    assert call_wall(strikes, ladder, 100.0).price == 100.0
    assert put_wall(strikes, ladder, 100.0).price == 100.0


def test_a_reading_at_the_first_or_last_known_point_is_that_points() -> None:
    x, y = np.array([0.25, 0.4]), np.array([0.2, 0.3])
    assert _between(x, y, 0.25) == 0.2
    assert _between(x, y, 0.4) == pytest.approx(0.3)
    assert _between(x, y, 0.2499) is None
    assert _between(x, y, 0.4001) is None


def test_a_price_at_the_bound_of_a_european_option_is_above_it() -> None:
    # No call costs its forward and no put its strike; between forward and strike neither does.
    for is_call, price in ((True, 90.0), (True, 95.0), (False, 100.0), (False, 105.0)):
        found = implied_volatility(price, 90.0, 100.0, 1.0, is_call)
        assert found.reason == Reason.ABOVE_BOUND, (is_call, price)


def test_an_american_price_below_what_sure_exercise_midway_pays_has_no_volatility() -> None:
    # 110 exp(-0.04 t) - 100 exp(-0.05 t) is largest at t = ln(4.4 / 5) / -0.01 = 12.8 years.
    spot, strike, rate, pays = 110.0, 100.0, 0.05, 0.04
    best = np.log(pays * spot / (rate * strike)) / (pays - rate)
    floor = spot * np.exp(-pays * best) - strike * np.exp(-rate * best)
    assert floor > max(spot - strike, spot * np.exp(-pays * 30) - strike * np.exp(-rate * 30))
    found = american_implied_volatility(
        floor - 0.01, spot, strike, 30.0, True, rate=rate, dividend_yield=pays
    )
    assert found.reason == Reason.BELOW_INTRINSIC


def test_the_bound_on_a_premium_grows_with_the_yield_that_pulls_the_spot_down() -> None:
    # A put out of its region: the higher the yield, the likelier the spot falls into it.
    most = 5.0
    low, high = (
        premium_bound(120.0, 100.0, 1.0, 0.2, 0.04, pays, most) for pays in (0.035, 0.0399)
    )
    assert low < high < most
    assert premium_bound(100.0, 100.0, 1.0, 0.2, 0.04, 0.0, most) == most


def test_negative_rates_earn_nothing_on_the_strike_and_negative_yields_do_on_the_spot() -> None:
    assert most_of(-0.02, 0.03, 1.0) == (0.0, 0.0)
    on_strike, on_spot = most_of(0.0, -0.05, 2.0)
    assert on_strike == 0.0
    assert on_spot == pytest.approx(np.exp(0.1) - 1)
    assert waiting_costs(0.01, -0.1)
    assert waiting_costs(0.0, -0.1)
    assert not waiting_costs(0.0, 0.1)
    assert not waiting_costs(-0.1, -0.2)
