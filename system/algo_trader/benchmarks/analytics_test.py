"""Judge that the benchmark measures the same arithmetic on all sides, and says every budget."""

import numpy as np

from system.algo_trader.benchmarks.analytics import _broadcast, _one_bell_a_contract, run
from system.algo_trader.options.exposure import exposures_of
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.profile import bells_of, fast_net_gamma, levels_around
from system.algo_trader.options.surface import surface_of
from system.algo_trader.options.synthetic import RATE, synthetic_chain


def test_the_peers_compute_what_we_compute() -> None:
    surface = surface_of(synthetic_chain(expiries=5, strikes=41), RateCurve.flat(RATE))
    contracts = exposures_of(surface).contracts
    levels = levels_around(surface.chain.spot)
    ours = fast_net_gamma(bells_of(surface, contracts), levels)
    peer = _broadcast(_one_bell_a_contract(surface, contracts), levels)
    assert np.max(np.abs(ours - peer)) < 1e-8 * np.max(np.abs(peer))


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
