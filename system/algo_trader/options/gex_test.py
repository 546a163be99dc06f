"""Judge ratios, terms, IV standing and the whole report."""

import json
import math

import numpy as np
import pytest

from infrastructure.errors import InputError
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.gex import gex_report
from system.algo_trader.options.iv_rank import iv_standing
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.ratios import put_call_ratio, term_structure
from system.algo_trader.options.surface import surface_of
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, RATE, synthetic_chain

CURVE = RateCurve.flat(RATE)


def test_published_iv_rank_and_percentile_come_out() -> None:
    found = iv_standing([30, 10, 11, 15, 17], 20)
    assert found.rank == pytest.approx(50)
    assert found.percentile == pytest.approx(80)
    assert (found.window, found.samples) == (252, 5)
    rut = iv_standing([0.145, 0.484, *[0.2] * 247, 0.45, 0.46, 0.47], 0.421)
    assert rut.samples == 252
    assert rut.rank == pytest.approx(81.42, abs=0.005)
    assert rut.percentile == pytest.approx(98.41, abs=0.005)


def test_a_flat_window_has_no_rank_but_a_percentile() -> None:
    found = iv_standing([0.2] * 10, 0.2)
    assert found.rank is None
    assert found.percentile == 0
    assert found.reason == "the window is flat"


def test_only_the_window_counts_and_days_without_a_value_do_not() -> None:
    found = iv_standing([9.0, math.nan, 0.1, 0.3], 0.2, window=2)
    assert (found.samples, found.lowest, found.highest) == (2, 0.1, 0.3)
    assert found.rank == pytest.approx(50)


def test_without_history_or_a_value_today_there_is_no_standing() -> None:
    assert iv_standing([], 0.2).reason == "there is no history"
    assert iv_standing([0.1, 0.2], math.nan).rank is None
    with pytest.raises(InputError, match="a window of 0 sessions"):
        iv_standing([0.1], 0.2, window=0)


def test_a_new_high_has_the_rank_100() -> None:
    assert iv_standing([0.1, 0.2], 0.3).rank == 100
    assert iv_standing([0.1, 0.2], 0.05).rank == 0


def test_puts_over_calls_is_null_when_no_call_traded() -> None:
    chain = Chain.of(
        "X", 100, NOW_NS, [NOW_NS + DAY_NS] * 2, [100, 100], [True, False],
        volume=[4, 6], open_interest=[0, 6],
    )  # fmt: skip
    assert put_call_ratio(chain, chain.volume, "volume").value == pytest.approx(1.5)
    ratio = put_call_ratio(chain, chain.open_interest, "open interest")
    assert ratio == (None, "the open interest of calls is 0")


def test_the_term_structure_reads_volatility_wings_and_moves() -> None:
    surface = surface_of(synthetic_chain(expiries=8, strikes=201), CURVE)
    for point in term_structure(surface):
        assert point.atm_volatility == pytest.approx(0.16, abs=0.005)
        assert point.skew is not None
        assert point.skew > 0
        move = point.forward * 0.16 * math.sqrt(point.years)
        assert point.expected_move == pytest.approx(move, rel=0.03)
        # A straddle at the forward costs sqrt(2 / pi) of one standard deviation, discounted.
        assert point.straddle == pytest.approx(
            move * math.sqrt(2 / math.pi) * math.exp(-RATE * point.years), rel=0.04
        )


def test_a_report_of_a_full_chain_is_complete_and_plain_json() -> None:
    chain = synthetic_chain(expiries=10, strikes=61, half_spread=0.05)
    report = gex_report(chain, now_ns=NOW_NS + 10**9, curve=CURVE)
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert document["confidence"] == "ok"
    assert document["stale"] is False
    assert document["contracts"] == len(chain)
    assert document["call_wall"]["price"] >= chain.spot >= document["put_wall"]["price"]
    assert len(document["expiries"]) == 10
    assert len(document["profile"]["level"]) == 100
    net = sum(row["gex"]["net"] for row in document["strikes"])
    assert net == pytest.approx(document["total"]["gex"]["net"])


def test_a_report_of_old_quotes_says_that_they_are_stale() -> None:
    chain = synthetic_chain(expiries=1, strikes=5)
    report = gex_report(chain, now_ns=NOW_NS + 301 * 10**9, curve=CURVE)
    assert report.is_stale
    assert report.confidence == "low"


@pytest.mark.parametrize("rows", [0, 1])
def test_an_empty_or_expired_chain_gives_nulls_with_reasons(rows: int) -> None:
    chain = Chain.of(
        "X", 100, NOW_NS, [NOW_NS - 1] * rows, [100] * rows, [True] * rows,
        open_interest=[5] * rows,
    )  # fmt: skip
    document = gex_report(chain, now_ns=NOW_NS, curve=CURVE).as_dict()
    json.dumps(document, allow_nan=False)
    assert document["contracts_expired"] == rows
    for name in ("flip", "per_strike_flip", "cumulative_flip", "call_wall", "put_wall"):
        assert document[name]["price"] is None
        assert document[name]["reason"]
    assert document["put_call_volume"]["value"] is None


def test_nan_everywhere_spoils_no_total() -> None:
    whole = synthetic_chain(expiries=4, strikes=21)
    bad = np.arange(len(whole)) % 7 == 0
    holes = Chain.of(
        "X", whole.spot, NOW_NS, whole.settles_ns, whole.strike, whole.is_call,
        bid=np.where(bad, np.nan, whole.bid), ask=np.where(bad, np.nan, whole.ask),
        open_interest=np.where(bad, np.nan, whole.open_interest), volume=whole.volume,
    )  # fmt: skip
    document = gex_report(holes, now_ns=NOW_NS, curve=CURVE).as_dict()
    assert math.isfinite(document["total"]["gex"]["net"])
    json.dumps(document, allow_nan=False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("contracts", [0, 1])
def test_a_chain_of_one_contract_or_none_is_no_matter_of_warnings(contracts: int) -> None:
    whole = synthetic_chain(expiries=1, strikes=3)
    chain = whole.where(np.arange(len(whole)) < contracts)
    report = gex_report(chain, now_ns=chain.as_of_ns, curve=RateCurve.flat(0.0))
    assert report.as_dict()["contracts"] == contracts
    assert report.confidence == "low"
