"""How fast chains are analysed, beside NumPy and beside the usual DataFrame tutorial.

All figures of a run are measured one after the other on the same synthetic chain and the same
core, each as the best of several runs. Load of the machine moves all of them; ratios move least.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from system.algo_trader.benchmarks import refresh, tape
from system.algo_trader.benchmarks.broadcast import broadcast_gamma, one_bell_a_contract
from system.algo_trader.benchmarks.memory import peak_mb
from system.algo_trader.benchmarks.report import BenchRow, best_seconds
from system.algo_trader.options.black import Floats, fast_greeks, greeks
from system.algo_trader.options.exposure import exposures_of
from system.algo_trader.options.implied import implied_by_bisection, implied_volatility
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.profile import (
    bells_of,
    fast_net_gamma,
    levels_around,
    net_gamma,
)
from system.algo_trader.options.surface import Surface, surface_of
from system.algo_trader.options.synthetic import RATE, synthetic_chain

IV_PER_S: Final = 2e6
GREEKS_PER_S: Final = 10e6
OVER_BROADCAST: Final = 2.5
OVER_TUTORIAL: Final = 1000.0
EXPIRIES, STRIKES = 40, 250
OPTIONS: Final = 100_000
_TUTORIAL_ROWS, _TUTORIAL_LEVELS = 250, 2


def run(
    *, expiries: int = EXPIRIES, strikes: int = STRIKES, options: int = OPTIONS
) -> list[BenchRow]:
    """Measure the refresh of a chain, its parts, and the classification of trades.

    Args:
        expiries: Of the chain.
        strikes: An expiry, each with a call and a put.
        options: How many options the rows on single speeds use.
    """
    chain = synthetic_chain(expiries=expiries, strikes=strikes, half_spread=0.02)
    curve = RateCurve.flat(RATE)
    size = f"{len(chain):,} contracts"
    surface = surface_of(chain, curve)
    contracts = exposures_of(surface).contracts
    rows = refresh.run(expiries=expiries, strikes=strikes)
    rows += _profile_rows(surface, contracts, size)
    rows += _speed_rows(options)
    return rows + tape.run(10 * options)


def _profile_rows(surface: Surface, contracts: Floats, size: str) -> list[BenchRow]:
    levels = levels_around(surface.chain.spot)
    many = levels_around(surface.chain.spot, count=10 * len(levels))
    each = one_bell_a_contract(surface, contracts)

    def ours() -> Floats:
        return fast_net_gamma(bells_of(surface, contracts), levels)

    def broadcast() -> Floats:
        return broadcast_gamma(each, levels)

    mine = 1e3 * best_seconds(ours)
    name = f"profile of {size} on {len(levels)} levels"
    tutorial = 1e3 * _tutorial_seconds(surface, contracts, levels)
    return [
        BenchRow(
            name, "ms", mine, "at most", 15.0, "NumPy broadcast",
            1e3 * best_seconds(broadcast, repeats=5), OVER_BROADCAST,
        ),
        BenchRow(
            name, "ms", mine, "at most", 15.0, "NumPy row by row",
            1e3 * best_seconds(lambda: net_gamma(each, levels), repeats=5),
        ),
        BenchRow(
            name, "ms", mine, "at most", None,
            f"DataFrame.apply with scipy.stats, from {_TUTORIAL_ROWS} rows x "
            f"{_TUTORIAL_LEVELS} levels",
            tutorial, OVER_TUTORIAL,
        ),
        BenchRow(
            f"memory of the {name}", "MB", peak_mb(ours), "at most", None, "NumPy broadcast",
            peak_mb(broadcast),
        ),
        BenchRow(
            f"memory of the {name}", "MB", peak_mb(ours), "at most", None,
            "ours on ten times the levels",
            peak_mb(lambda: fast_net_gamma(bells_of(surface, contracts), many)),
        ),
    ]  # fmt: skip


def _speed_rows(count: int) -> list[BenchRow]:
    draw = np.random.default_rng(6)
    years = np.sort(np.exp(draw.uniform(math.log(0.25 / 365), math.log(540 / 365), count)))
    sigma = draw.uniform(0.08, 0.6, count)
    strike = 6000 * np.exp(draw.uniform(-4, 4, count) * sigma * np.sqrt(years))
    call = strike > 6000
    price = greeks(6000, strike, years, sigma, call).price

    def ours_iv() -> object:
        return implied_volatility(price, 6000.0, strike, years, call)

    def peer_iv() -> object:
        return implied_by_bisection(price, 6000.0, strike, years, call, steps=50)

    def ours_greeks() -> object:
        return fast_greeks(6000.0, strike, years, sigma, call, rate=RATE)

    def peer_greeks() -> object:
        return greeks(6000.0, strike, years, sigma, call, rate=RATE)

    return [
        BenchRow(
            f"implied volatility of {count:,} options", "options/s",
            count / best_seconds(ours_iv), "at least", IV_PER_S,
            "bisection in NumPy", count / best_seconds(peer_iv, repeats=1, warm_up=0),
        ),
        BenchRow(
            f"price and eight Greeks of {count:,} options", "options/s",
            count / best_seconds(ours_greeks), "at least", GREEKS_PER_S,
            "NumPy", count / best_seconds(peer_greeks, repeats=3),
        ),
    ]  # fmt: skip


def _tutorial_seconds(surface: Surface, contracts: Floats, levels: Floats) -> float:
    """Time the usual tutorial on a few rows and levels, and scale it to all of them.

    It applies a Python function with scipy.stats to each row of a DataFrame, level by level.
    """
    import pandas as pd
    from scipy.stats import norm

    count = len(surface.chain)
    few = np.linspace(0, count - 1, min(_TUTORIAL_ROWS, count)).astype(int)
    frame = pd.DataFrame(
        {
            "strike": surface.chain.strike[few],
            "years": surface.terms.years[surface.expiry_index[few]],
            "iv": surface.volatility[few],
            "held": contracts[few],
        }
    )

    def gamma_exposure(row: pd.Series, spot: float) -> float:
        d1 = (np.log(spot / row["strike"]) + 0.5 * row["iv"] ** 2 * row["years"]) / (
            row["iv"] * np.sqrt(row["years"])
        )
        gamma = norm.pdf(d1) / (spot * row["iv"] * np.sqrt(row["years"]))
        return float(row["held"] * 100 * spot * spot * 0.01 * gamma)

    def tutorial() -> float:
        return sum(
            float(frame.apply(gamma_exposure, axis=1, spot=level).sum())
            for level in levels[:_TUTORIAL_LEVELS]
        )

    took = best_seconds(tutorial, repeats=2)
    return took * (count / len(few)) * (len(levels) / _TUTORIAL_LEVELS)
