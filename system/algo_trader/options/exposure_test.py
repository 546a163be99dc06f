"""Judge exposures, flips and landmarks by published and closed-form values."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from system.algo_trader.options.black import Floats, greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.exposure import (
    CALLS_PLUS_PUTS_MINUS,
    DEALER_SHORT_BOTH,
    MEASURES,
    Exposures,
    Ladder,
    SignConvention,
    buckets_of,
    exposures_of,
    sign_convention,
)
from system.algo_trader.options.landmarks import (
    call_wall,
    max_gamma,
    max_pain,
    payout,
    put_wall,
)
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.profile import (
    CUT_OFF,
    Bells,
    bells_of,
    cumulative_flip,
    fast_net_gamma,
    levels_around,
    net_gamma,
    per_strike_flip,
    profile_of,
)
from system.algo_trader.options.surface import Surface, surface_of
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, RATE, YIELD, synthetic_chain

CURVE = RateCurve.flat(RATE)
SIGMA, YEARS = 0.15, 30 / 365


def two_sided(spot: float, calls: float, puts: float) -> Surface:
    """Calls at 6100 and puts at 5900, both at 15 % and 30 days, without a parity pair."""
    chain = Chain.of(
        "X",
        spot,
        NOW_NS,
        [NOW_NS + 30 * DAY_NS] * 2,
        [6100, 5900],
        [True, False],
        open_interest=[calls, puts],
        vendor_volatility=[SIGMA, SIGMA],
    )
    return surface_of(chain, CURVE, dividend_yield=YIELD)


def by_vendor_gamma(strikes: list[float], gammas: list[float], held: list[float]) -> Exposures:
    chain = Chain.of(
        "X",
        520,
        NOW_NS,
        [NOW_NS + 30 * DAY_NS] * 2,
        strikes,
        [True, False],
        open_interest=held,
        vendor_gamma=gammas,
        vendor_delta=[0.5, -0.5],
    )
    return exposures_of(surface_of(chain, CURVE, prefer="vendor"))


def test_the_published_worked_example_comes_out() -> None:
    net, call, put = by_vendor_gamma([520, 521], [0.0080, 0.0075], [10_000, 15_000]).total("gex")
    assert call == pytest.approx(21_632_000)
    assert put == pytest.approx(-30_420_000)
    assert net == pytest.approx(-8_788_000)


def test_the_example_published_a_hundred_times_too_small_is_637_million() -> None:
    _, call, _ = by_vendor_gamma([520, 521], [0.038, 0], [62_000, 0]).total("gex")
    assert call == pytest.approx(637.0624e6)


def test_one_call_at_the_money_has_the_computed_exposure() -> None:
    chain = Chain.of(
        "X", 6000, NOW_NS, [NOW_NS + 30 * DAY_NS], [6000], [True],
        open_interest=[1000], vendor_volatility=[SIGMA],
    )  # fmt: skip
    found = exposures_of(surface_of(chain, CURVE, dividend_yield=YIELD))
    assert found.total("gex")[0] == pytest.approx(55_429_643.7844, rel=1e-11)


def test_every_measure_is_its_greek_in_dollars() -> None:
    surface = two_sided(6000, 3, 5)
    found = exposures_of(surface)
    put, call = (
        greeks(6000, k, YEARS, SIGMA, right, rate=RATE, dividend_yield=YIELD)
        for k, right in ((5900, False), (6100, True))
    )
    dollars = 100 * 6000
    assert found.total("dex")[0] == pytest.approx((3 * call.delta - 5 * put.delta) * dollars * 0.01)
    assert found.total("vanna")[0] == pytest.approx(
        (3 * call.vanna - 5 * put.vanna) * dollars * 0.01
    )
    assert found.total("charm")[0] == pytest.approx(
        (3 * call.charm - 5 * put.charm) * dollars / 365
    )
    for measure in MEASURES:
        assert found.by_strike[measure].net.sum() == pytest.approx(found.total(measure)[0])


@pytest.mark.parametrize(
    ("calls", "puts", "flip"),
    [(1, 1, 5978.8614095), (2, 1, 5753.3269372), (1, 2, 6213.2369921)],
)
@pytest.mark.parametrize("spot", [5800, 6000, 6250])
def test_the_closed_form_flip_is_found_from_any_spot(
    calls: float, puts: float, flip: float, spot: float
) -> None:
    surface = two_sided(spot, calls, puts)
    profile = profile_of(bells_of(surface, exposures_of(surface).contracts), spot)
    assert profile.flip.price == pytest.approx(flip, abs=1e-6)
    assert profile.flip.reason is None


def test_the_flip_of_equal_sides_is_the_formula() -> None:
    formula = math.sqrt(6100 * 5900) * math.exp(-(RATE - YIELD + SIGMA**2 / 2) * YEARS)
    surface = two_sided(6000, 7, 7)
    profile = profile_of(bells_of(surface, exposures_of(surface).contracts), 6000)
    assert profile.flip.price == pytest.approx(formula, abs=1e-8)


def test_one_sided_positions_have_no_flip_but_a_reason() -> None:
    surface = two_sided(6000, 10, 0)
    flip = profile_of(bells_of(surface, exposures_of(surface).contracts), 6000).flip
    assert flip.price is None
    assert "stays above zero from 4800.00 to 7200.00" in str(flip.reason)


def test_without_open_interest_there_is_no_flip_wall_or_pain() -> None:
    surface = two_sided(6000, 0, 0)
    found = exposures_of(surface)
    gex = found.by_strike["gex"]
    assert profile_of(bells_of(surface, found.contracts), 6000).flip.reason is not None
    assert per_strike_flip(found.strikes, gex.net, 6000).price is None
    assert cumulative_flip(found.strikes, gex.net, 6000).price is None
    assert call_wall(found.strikes, gex, 6000).price is None
    assert put_wall(found.strikes, gex, 6000).price is None
    assert max_gamma(found.strikes, gex, 6000).price is None
    assert all(mark.price is None for mark in max_pain(surface.chain).values())


def test_the_compiled_profile_agrees_with_the_reference() -> None:
    surface = surface_of(synthetic_chain(expiries=30, strikes=101), CURVE)
    bells = bells_of(surface, exposures_of(surface).contracts)
    levels = levels_around(6000)
    slow, fast = net_gamma(bells, levels), fast_net_gamma(bells, levels)
    gross = np.max(np.abs(slow)) + net_gamma(bells._replace(height=np.abs(bells.height)), levels)
    assert np.max(np.abs(slow - fast) / gross) < 1e-12


def test_at_the_spot_the_profile_is_the_chains_own_exposure() -> None:
    surface = surface_of(synthetic_chain(expiries=10, strikes=51), CURVE)
    found = exposures_of(surface)
    profile = net_gamma(bells_of(surface, found.contracts), np.array([6000.0]))
    assert profile[0] == pytest.approx(found.total("gex")[0], rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(8, 9.2), st.floats(2, 3000), st.floats(-5, 5)), max_size=12),
    st.integers(2, 130),
)
@example(drawn=[(8.5, 1125.0, 1.0)], count=27)
@example(drawn=[(8.771484375, 1038.0, 1.0)], count=28)
@example(drawn=[(8.875, 519.0, 0.0)], count=2)
def test_any_bells_are_summed_like_the_reference(
    drawn: list[tuple[float, float, float]], count: int
) -> None:
    columns = np.array(drawn, dtype=float).reshape(-1, 3).T.copy()
    bells = Bells(*columns)
    levels = levels_around(6000, count=count)
    gross = 1e-6 + np.max(net_gamma(bells._replace(height=np.abs(bells.height)), levels))
    difference = np.abs(net_gamma(bells, levels) - fast_net_gamma(bells, levels))
    cut_off = math.exp(-0.5 * CUT_OFF**2) * levels[-1] * np.sum(np.abs(bells.height))
    assert np.max(difference) <= 1e-11 * gross + cut_off + rounding_of_levels(bells, levels)


def rounding_of_levels(bells: Bells, levels: Floats) -> float:
    """Return what a few units in the last place of a level's logarithm move a sum of bells by.

    It is the slope of the bells: no way of summing knows a level better than that.
    """
    logs = np.log(levels)[:, None]
    z = (logs - bells.centre) * bells.steepness
    slopes = levels[:, None] * np.abs(bells.height * z * bells.steepness) * np.exp(-0.5 * z * z)
    return float(np.max(slopes.sum(axis=1) * 4 * np.spacing(np.max(logs)), initial=0.0))


def test_conventions_differ_only_in_their_signs() -> None:
    surface = two_sided(6000, 3, 5)
    usual, short = exposures_of(surface), exposures_of(surface, convention=DEALER_SHORT_BOTH)
    assert usual.convention == CALLS_PLUS_PUTS_MINUS
    assert usual.total("gex")[1] > 0 > usual.total("gex")[2]
    assert short.total("gex")[1] == -usual.total("gex")[1]
    assert short.total("gex")[2] == usual.total("gex")[2]
    half = exposures_of(surface, convention=sign_convention("0.5,-1"))
    assert half.total("gex")[1] == pytest.approx(usual.total("gex")[1] / 2)


@pytest.mark.parametrize("name", ["", "calls", "1", "1,nan", "1,2,3"])
def test_an_unknown_convention_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no sign convention"):
        sign_convention(name)


def test_volume_can_weigh_in_place_of_open_interest() -> None:
    chain = synthetic_chain(expiries=3, strikes=11)
    surface = surface_of(chain, CURVE)
    found = exposures_of(surface, weighting="volume")
    assert np.array_equal(np.abs(found.contracts), surface.chain.volume)


def test_buckets_hold_all_of_the_chain_and_0dte_by_new_york_days() -> None:
    surface = surface_of(synthetic_chain(expiries=20, strikes=21), CURVE)
    found = exposures_of(surface)
    buckets = buckets_of(found, surface.chain)
    assert list(buckets) == ["0dte", "1-7d", "8-30d", "31-90d", "over 90d"]
    for measure in MEASURES:
        total = sum(bucket[measure] for bucket in buckets.values())
        assert total == pytest.approx(found.total(measure)[0], rel=1e-9)
    # The chain was taken at 17:13 New York: half a day later is tomorrow.
    assert buckets["0dte"]["gex"] == 0


def test_the_three_flips_are_different_numbers() -> None:
    strikes = np.array([90.0, 95, 100, 105, 110])
    net = np.array([-5.0, -1, 2, 3, 4])
    assert per_strike_flip(strikes, net, 100).price == pytest.approx(95 + 5 / 3)
    assert cumulative_flip(strikes, net, 100).price == pytest.approx(106.25)


def test_walls_stay_on_their_side_of_the_spot_and_ties_go_to_the_nearest() -> None:
    strikes = np.array([90.0, 95, 100, 105, 110])
    gex = Ladder(call=np.array([9.0, 9, 1, 7, 7]), put=-np.array([4.0, 4, 1, 9, 9]))
    assert call_wall(strikes, gex, 101).price == 105
    assert put_wall(strikes, gex, 99).price == 95
    assert max_gamma(strikes, gex, 101).price == 95
    nothing = Ladder(call=np.array([9.0, 9, 0, 0, 0]), put=-np.zeros(5))
    assert call_wall(strikes, nothing, 101).price is None
    assert "no call at or above the spot" in str(call_wall(strikes, nothing, 101).reason)
    assert put_wall(strikes, nothing, 99).reason is not None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 99), st.integers(0, 99)), min_size=1))
def test_max_pain_agrees_with_paying_everybody_at_every_strike(
    drawn: list[tuple[int, int, int]],
) -> None:
    rows = {strike: (calls, puts) for strike, calls, puts in drawn}
    strikes = np.array(sorted(rows), dtype=float)
    calls = np.array([rows[int(k)][0] for k in strikes], dtype=float)
    puts = np.array([rows[int(k)][1] for k in strikes], dtype=float)
    slow = [
        (calls * np.maximum(at - strikes, 0) + puts * np.maximum(strikes - at, 0)).sum()
        for at in strikes
    ]
    np.testing.assert_allclose(payout(strikes, calls, puts), slow, atol=1e-6)


def test_max_pain_is_where_the_payout_is_least() -> None:
    chain = Chain.of(
        "X", 100, NOW_NS, [NOW_NS + DAY_NS] * 6, [90, 90, 100, 100, 110, 110],
        [True, False] * 3, open_interest=[10, 0, 5, 5, 0, 10],
    )  # fmt: skip
    assert [mark.price for mark in max_pain(chain).values()] == [100]


def test_a_signed_pair_needs_no_name() -> None:
    assert sign_convention("1,-1") == SignConvention("custom:1,-1", 1.0, -1.0)
