"""A chain that is priced exactly, for benchmarks and tests."""

from __future__ import annotations

import numpy as np

from system.algo_trader.options.american import fast_american_greeks
from system.algo_trader.options.american_scheme import FAST
from system.algo_trader.options.black import Flags, Floats, greeks
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.parity import FLOOR_S, SECONDS_PER_YEAR

NOW_NS = 1_700_000_000 * 1_000_000_000
RATE = 0.043
YIELD = 0.013
DAY_NS = 86_400 * 1_000_000_000


def synthetic_chain(
    *,
    spot: float = 6000.0,
    expiries: int = 40,
    strikes: int = 250,
    seed: int = 6,
    half_spread: float = 0.0,
    american: bool = False,
) -> Chain:
    """Return a chain whose quotes are model prices of a smile, with drawn open interest.

    Args:
        spot: Dollars.
        expiries: So many, from half a day to about two years.
        strikes: So many an expiry, out to about four standard deviations.
        seed: Of the drawn open interest and volume.
        half_spread: Dollars between the middle and each side of a quote.
        american: Whether the contracts can be exercised early, and are priced so.
    """
    draw = np.random.default_rng(seed)
    days = np.unique(np.round(np.geomspace(0.5, 700, expiries), 3))
    settles = NOW_NS + (days * DAY_NS).astype(np.int64)
    years = np.maximum((settles - NOW_NS) / 1e9, FLOOR_S) / SECONDS_PER_YEAR
    reach = 4.0 * 0.16 * np.sqrt(years)
    grid = np.linspace(-1, 1, strikes)
    log_ratio = (reach[:, None] * grid[None, :]).ravel()
    strike = np.round(spot * np.exp(log_ratio), 2)
    t = np.repeat(years, strikes)
    smile = np.log(strike / spot)
    sigma = np.clip(0.16 - 0.12 * smile / np.sqrt(t + 0.05) + 0.1 * smile**2, 0.06, 1.5)
    both = {name: np.repeat(x, 2) for name, x in (("k", strike), ("t", t), ("v", sigma))}
    is_call = np.tile([False, True], strike.size)
    model = _american_price if american else _european_price
    price = model(spot, both["k"], both["t"], both["v"], is_call)
    n = price.size
    return Chain.of(
        "SYN",
        spot,
        NOW_NS,
        np.repeat(np.repeat(settles, strikes), 2),
        both["k"],
        is_call,
        bid=np.maximum(price - half_spread, 0.0),
        ask=price + half_spread,
        open_interest=draw.integers(0, 5000, n).astype(float),
        volume=draw.integers(0, 900, n).astype(float),
        vendor_volatility=both["v"],
        is_american=american,
        source="synthetic",
        fetched_at_ns=NOW_NS,
        is_synthetic=True,
    )


def _european_price(
    spot: float, strike: Floats, years: Floats, sigma: Floats, is_call: Flags
) -> Floats:
    return greeks(spot, strike, years, sigma, is_call, rate=RATE, dividend_yield=YIELD).price


def _american_price(
    spot: float, strike: Floats, years: Floats, sigma: Floats, is_call: Flags
) -> Floats:
    return fast_american_greeks(
        spot, strike, years, sigma, is_call, rate=RATE, dividend_yield=YIELD, scheme=FAST
    ).price
