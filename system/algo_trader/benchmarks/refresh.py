"""How fast a whole chain is refreshed, European and American, beside the same in plain NumPy.

The peer solves for implied volatility by bisection, takes Greeks from the NumPy reference and the
profile from one matrix of levels by contracts; both sides share chain, forwards and landmarks. The
American peer prices every contract whose early exercise matters for itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from system.algo_trader.benchmarks.broadcast import broadcast_gamma, one_bell_a_contract
from system.algo_trader.benchmarks.memory import peak_mb
from system.algo_trader.benchmarks.report import BenchRow, best_seconds
from system.algo_trader.options.american import fast_american_greeks
from system.algo_trader.options.american_scheme import FAST
from system.algo_trader.options.black import greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.early_exercise import EarlyExercise
from system.algo_trader.options.exposure import exposures_of
from system.algo_trader.options.implied import implied_by_bisection
from system.algo_trader.options.landmarks import call_wall, max_pain, put_wall
from system.algo_trader.options.parity import RateCurve, terms_of
from system.algo_trader.options.profile import bells_of, levels_around, profile_of
from system.algo_trader.options.surface import Surface, surface_of
from system.algo_trader.options.synthetic import RATE, synthetic_chain

REFRESH_MS: Final = 30.0
AMERICAN_SPOT: Final = 600.0
_FEW: Final = 100
_PARTS: Final = "IV, Greeks, exposures, 100-level profile, flip, walls, max pain"


def run(*, expiries: int, strikes: int) -> list[BenchRow]:
    """Measure the refresh of a European and an American chain, and its memory a contract.

    Args:
        expiries: Of the chains.
        strikes: An expiry, each with a call and a put.
    """
    curve = RateCurve.flat(RATE)
    index = _chain(expiries, strikes, american=False)
    fund = _chain(expiries, strikes, american=True)
    wide = _chain(expiries, 2 * strikes, american=False)
    size = f"{len(index):,} contracts"
    surface = surface_of(fund, curve)
    return [
        BenchRow(
            f"refresh of {size}: {_PARTS}", "ms",
            1e3 * best_seconds(lambda: refresh(index, curve)), "at most", REFRESH_MS,
            "the same in NumPy, IV by bisection",
            1e3 * best_seconds(lambda: refresh_in_numpy(index, curve), repeats=1, warm_up=0),
        ),
        BenchRow(
            f"refresh of {len(fund):,} American contracts, early exercise matters in "
            f"{np.count_nonzero(surface.early_exercise.matters):,}",
            "ms", 1e3 * best_seconds(lambda: refresh(fund, curve)), "at most", REFRESH_MS,
            f"only the Greeks of those, each for itself, from {_FEW}",
            1e3 * _one_by_one_seconds(surface),
        ),
        BenchRow(
            f"memory of the refresh of {size}, a contract", "bytes",
            1e6 * peak_mb(lambda: refresh(index, curve)) / len(index), "at most", None,
            "ours with twice the contracts",
            1e6 * peak_mb(lambda: refresh(wide, curve)) / len(wide),
        ),
    ]  # fmt: skip


def _chain(expiries: int, strikes: int, *, american: bool) -> Chain:
    return synthetic_chain(
        spot=AMERICAN_SPOT if american else 6000.0,
        expiries=expiries,
        strikes=strikes,
        half_spread=0.02,
        american=american,
    )


def refresh(chain: Chain, curve: RateCurve) -> Surface:
    """Do what `gex` does each time that quotes arrive, and return the surface."""
    surface = surface_of(chain, curve)
    exposures = exposures_of(surface)
    profile_of(bells_of(surface, exposures.contracts), chain.spot)
    gex = exposures.by_strike["gex"]
    call_wall(exposures.strikes, gex, chain.spot)
    put_wall(exposures.strikes, gex, chain.spot)
    max_pain(surface.chain)
    return surface


def refresh_in_numpy(chain: Chain, curve: RateCurve) -> Surface:
    """Do the same with the NumPy references, without kernels."""
    terms = terms_of(chain, curve)
    at = chain.expiry_index
    forward, years = terms.forward[at], terms.years[at]
    is_otm = chain.is_call == (chain.strike >= forward)
    rows = np.flatnonzero(is_otm & np.isfinite(chain.mid))
    volatility = np.full(len(chain), np.nan)
    volatility[rows] = implied_by_bisection(
        chain.mid[rows], forward[rows], chain.strike[rows], years[rows], chain.is_call[rows],
        discount=terms.discount[at[rows]], steps=50,
    )  # fmt: skip
    volatility = np.where(np.isfinite(volatility), volatility, chain.vendor_volatility)
    found = greeks(
        chain.spot, chain.strike, years, volatility, chain.is_call,
        rate=terms.rate[at], dividend_yield=terms.carry_yield[at],
    )  # fmt: skip
    none = np.zeros(len(chain), dtype=np.uint8)
    surface = Surface(
        chain=chain,
        terms=terms,
        expiry_index=at,
        volatility=volatility,
        volatility_source=none,
        reason=none,
        greeks=found,
        delta=found.delta,
        gamma=found.gamma,
        greeks_source=none,
        early_exercise=EarlyExercise(np.zeros(len(chain)), none > 0),
    )
    exposures = exposures_of(surface)
    broadcast_gamma(one_bell_a_contract(surface, exposures.contracts), levels_around(chain.spot))
    gex = exposures.by_strike["gex"]
    call_wall(exposures.strikes, gex, chain.spot)
    put_wall(exposures.strikes, gex, chain.spot)
    max_pain(chain)
    return surface


def _one_by_one_seconds(surface: Surface) -> float:
    """Time the Greeks of a few contracts whose early exercise matters, and scale it to all."""
    flagged = np.flatnonzero(surface.early_exercise.matters)
    if not flagged.size:
        return 0.0
    few = flagged[np.linspace(0, flagged.size - 1, min(_FEW, flagged.size)).astype(int)]
    terms, at = surface.terms, surface.expiry_index[few]

    def work() -> object:
        return fast_american_greeks(
            surface.chain.spot, surface.chain.strike[few], terms.years[at],
            surface.volatility[few], surface.chain.is_call[few], rate=terms.rate[at],
            dividend_yield=terms.carry_yield[at], scheme=FAST,
        )  # fmt: skip

    return best_seconds(work, repeats=2) * float(flagged.size / few.size)
