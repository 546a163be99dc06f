"""Judge that the benchmark measures the same arithmetic on all sides, and says every budget."""

import numpy as np

from system.algo_trader.benchmarks.analytics import run
from system.algo_trader.benchmarks.broadcast import broadcast_gamma, one_bell_a_contract
from system.algo_trader.benchmarks.refresh import refresh, refresh_in_numpy
from system.algo_trader.options.exposure import MEASURES, exposures_of
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.profile import bells_of, fast_net_gamma, levels_around
from system.algo_trader.options.surface import VolatilitySource, surface_of
from system.algo_trader.options.synthetic import RATE, synthetic_chain


def test_the_peers_compute_what_we_compute() -> None:
    surface = surface_of(synthetic_chain(expiries=5, strikes=41), RateCurve.flat(RATE))
    contracts = exposures_of(surface).contracts
    levels = levels_around(surface.chain.spot)
    ours = fast_net_gamma(bells_of(surface, contracts), levels)
    peer = broadcast_gamma(one_bell_a_contract(surface, contracts), levels)
    assert np.max(np.abs(ours - peer)) < 1e-8 * np.max(np.abs(peer))


def test_the_refresh_in_numpy_finds_the_volatilities_and_exposures_of_ours() -> None:
    chain, curve = synthetic_chain(expiries=4, strikes=31, half_spread=0.02), RateCurve.flat(RATE)
    ours, peer = refresh(chain, curve), refresh_in_numpy(chain, curve)
    known = ours.volatility_source == VolatilitySource.OTM_QUOTE
    assert np.count_nonzero(known) > 150
    np.testing.assert_allclose(ours.volatility[known], peer.volatility[known], atol=1e-9)
    for measure in MEASURES:
        mine, theirs = exposures_of(ours).by_expiry[measure], exposures_of(peer).by_expiry[measure]
        np.testing.assert_allclose(mine.call, theirs.call, rtol=1e-3)
        np.testing.assert_allclose(mine.put, theirs.put, rtol=1e-3)


def test_every_line_has_a_peer_of_the_same_run() -> None:
    rows = run(expiries=8, strikes=41, options=500)
    assert [row.name for row in rows if not row.peer_name or not row.peer] == []


def test_every_budget_has_its_line() -> None:
    rows = run(expiries=3, strikes=11, options=500)
    named = " | ".join(row.name for row in rows)
    for text in (
        "refresh of",
        "profile of",
        "memory of",
        "implied volatility",
        "Greeks",
        "classify",
    ):
        assert text in named
    assert all(row.ours > 0 for row in rows)
    assert {row.budget for row in rows} >= {30.0, 15.0, 2e6, 10e6, 50e6}
    assert {row.ratio_budget for row in rows} >= {2.5, 1000.0}
