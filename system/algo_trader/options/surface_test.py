"""Judge chains, their forwards and their volatilities by prices whose answers are known."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from infrastructure.clock import ns_from_utc
from infrastructure.errors import InputError
from infrastructure.exchange.option_expiry import settlement_ns
from system.algo_trader.options.black import greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.implied import Reason
from system.algo_trader.options.parity import (
    ForwardSource,
    RateCurve,
    terms_of,
    years_to_settlement,
)
from system.algo_trader.options.smile import bands_of
from system.algo_trader.options.surface import (
    GreeksSource,
    VolatilitySource,
    surface_of,
)
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, RATE, YIELD, synthetic_chain

CURVE = RateCurve.flat(RATE)


def small_chain(**columns: npt.ArrayLike) -> Chain:
    """Two strikes of one expiry in 30 days around a spot of 100, priced at 20 %."""
    strike, is_call = np.array([95.0, 95, 105, 105]), np.array([False, True, False, True])
    price = greeks(100, strike, 30 / 365, 0.2, is_call, rate=RATE, dividend_yield=YIELD).price
    given: dict[str, Any] = {
        "bid": price - 0.02,
        "ask": price + 0.02,
        "open_interest": [10, 20, 30, 40],
    }
    given.update(columns)
    return Chain.of(
        "X", 100, NOW_NS, np.full(4, NOW_NS + 30 * DAY_NS), strike, is_call, multiplier=100, **given
    )


def test_time_runs_by_the_clock_to_the_moment_that_fixes_the_value() -> None:
    noon = ns_from_utc(datetime(2024, 11, 29, 17, 0, tzinfo=UTC))
    friday = [settlement_ns("SPXW  241129C06000000"), settlement_ns("SPXW  241202C06000000")]
    hours = years_to_settlement(friday, noon) * 365 * 24
    # The day after Thanksgiving ends at 13:00 New York; Monday at 16:00.
    assert hours.tolist() == pytest.approx([1.0, 76.0])
    morning = settlement_ns("SPX   241220C06000000")
    evening = settlement_ns("SPXW  241220C06000000")
    assert (evening - morning) / 3.6e12 == pytest.approx(6.5)


def test_the_last_minute_is_the_shortest_time_and_the_past_is_none() -> None:
    second = 1_000_000_000
    years = years_to_settlement([NOW_NS + second, NOW_NS + 60 * second, NOW_NS, NOW_NS - 1], NOW_NS)
    assert years[:2].tolist() == pytest.approx([60 / 31_536_000] * 2)
    assert np.isnan(years[2:]).all()


def test_parity_gives_the_forward_back() -> None:
    chain = synthetic_chain(expiries=12, strikes=41)
    terms = terms_of(chain, CURVE)
    assert np.all(terms.source == ForwardSource.PARITY)
    np.testing.assert_allclose(
        terms.forward, 6000 * np.exp((RATE - YIELD) * terms.years), rtol=1e-11
    )
    np.testing.assert_allclose(terms.carry_yield, YIELD, atol=1e-7)


def test_without_a_pair_the_spot_is_carried_and_the_source_says_so() -> None:
    chain = small_chain()
    calls = chain.where(chain.is_call)
    terms = terms_of(calls, CURVE, dividend_yield=YIELD)
    assert terms.source.tolist() == [ForwardSource.SPOT_CARRIED]
    assert terms.forward[0] == pytest.approx(100 * np.exp((RATE - YIELD) * 30 / 365))


def test_a_curve_is_straight_between_its_knots_and_level_outside() -> None:
    curve = RateCurve((0.5, 1.0), (0.04, 0.05))
    assert curve.at([0.1, 0.75, 9]).tolist() == pytest.approx([0.04, 0.045, 0.05])
    with pytest.raises(InputError, match="ascending terms"):
        RateCurve((1.0, 0.5), (0.04, 0.05))
    with pytest.raises(InputError, match="finite"):
        RateCurve.flat(float("nan"))


def test_the_smile_that_priced_a_chain_comes_back_out_of_it() -> None:
    chain = synthetic_chain(expiries=20, strikes=101)
    surface = surface_of(chain, CURVE)
    known = surface.volatility_source == VolatilitySource.OTM_QUOTE
    time_value = np.where(known, chain.mid, 0) > 0.01
    assert np.count_nonzero(known & time_value) > 3500
    error = np.abs(surface.volatility - chain.vendor_volatility)
    assert np.nanmax(error[known & time_value]) < 1e-6
    assert np.count_nonzero(np.isnan(surface.volatility)) == 0


def test_both_sides_of_a_strike_share_the_out_of_the_money_volatility() -> None:
    fair = small_chain()
    broken = small_chain(
        bid=np.where(fair.is_call & (fair.strike == 95), 0.0, fair.bid), ask=fair.ask
    )
    surface = surface_of(broken, CURVE, dividend_yield=YIELD)
    assert surface.volatility[0] == surface.volatility[1]
    assert surface.volatility[2] == surface.volatility[3]
    assert surface.reason.tolist() == [Reason.OK, Reason.NO_BID, Reason.OK, Reason.OK]
    assert surface.volatility_source.tolist() == [VolatilitySource.OTM_QUOTE] * 4


def test_the_in_the_money_side_and_then_the_vendor_stand_in() -> None:
    fair = small_chain()
    no_put = np.where((fair.strike == 95) & ~fair.is_call, 0.0, fair.bid)
    surface = surface_of(small_chain(bid=no_put), CURVE, dividend_yield=YIELD)
    assert surface.volatility_source[:2].tolist() == [VolatilitySource.ITM_QUOTE] * 2
    nothing = small_chain(bid=np.zeros(4), vendor_volatility=[0.3, np.nan, np.nan, -999.0])
    surface = surface_of(nothing, CURVE)
    assert surface.volatility_source.tolist() == [VolatilitySource.VENDOR] * 2 + [0, 0]
    assert surface.volatility[:2].tolist() == [0.3, 0.3]
    assert surface.greeks_source.tolist() == [GreeksSource.COMPUTED] * 2 + [GreeksSource.NONE] * 2


def test_sentinel_greeks_of_a_vendor_are_computed_anew_and_flagged() -> None:
    chain = small_chain(
        vendor_delta=[-0.2, -999.0, -0.7, 0.25], vendor_gamma=[0.02, -999.0, 0.0, np.nan]
    )
    surface = surface_of(chain, CURVE, prefer="vendor")
    V, C = GreeksSource.VENDOR, GreeksSource.COMPUTED  # noqa: N806
    assert surface.greeks_source.tolist() == [V, C, C, C]
    assert surface.gamma[0] == 0.02
    assert np.all(surface.gamma[1:] > 0.01)
    assert surface_of(chain, CURVE).greeks_source.tolist() == [C] * 4


def test_a_quote_gives_a_band_of_volatilities() -> None:
    bands = bands_of(surface_of(small_chain(), CURVE))
    assert np.all(bands.bid.volatility < bands.mid.volatility)
    assert np.all(bands.mid.volatility < bands.ask.volatility)


def test_what_has_settled_is_left_out() -> None:
    chain = small_chain()
    later = Chain.of(
        "X",
        100,
        chain.as_of_ns,
        np.where(chain.strike == 95, chain.as_of_ns, chain.settles_ns),
        chain.strike,
        chain.is_call,
        bid=chain.bid,
        ask=chain.ask,
    )
    assert surface_of(later, CURVE).chain.strike.tolist() == [105, 105]


def test_an_empty_chain_has_an_empty_surface() -> None:
    empty = Chain.of("X", 100, NOW_NS, [], [], [])
    assert len(surface_of(empty, CURVE).chain) == 0


@pytest.mark.parametrize(
    ("spot", "strikes", "message"),
    [
        (float("nan"), [95, 105], "the spot of X is nan"),
        (0, [95, 105], "the spot of X is 0"),
        (100, [95, -1], "the strike -1.0 of X"),
        (100, [95, 95], "holds the 95 put twice"),
        (100, [95], "different lengths"),
    ],
)
def test_a_chain_that_cannot_be_is_refused(spot: float, strikes: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Chain.of("X", spot, NOW_NS, [NOW_NS + 1] * 2, strikes, [False] * 2)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(InputError, match="no column 'colour'"):
        small_chain(colour=[1, 2, 3, 4])
