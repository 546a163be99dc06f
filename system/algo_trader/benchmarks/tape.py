"""How fast trades are classified, beside the same rules in NumPy."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from system.algo_trader.benchmarks.report import BenchRow, best_seconds
from system.algo_trader.tape import reference
from system.algo_trader.tape.classify import classify, prevailing_quotes
from system.algo_trader.tape.columns import Int64s, Quotes, Trades
from system.algo_trader.tape.sides import Rule

TRADES_PER_S: Final = 50e6
"""The budget of classification, trades per second on one core of a machine of two."""

TRADES: Final = 1_000_000
SEED: Final = 20_231_225
_MEAN_GAP_NS: Final = 1_000


def seeded_tape(count: int) -> tuple[Trades, Quotes]:
    """Return made-up trades and quotes of a random walk, always the same.

    Prices lie at, between and outside of bid and ask, so that every branch of a rule is taken at
    random: harder on a processor than a real tape, where neighbours resemble each other.

    Args:
        count: How many trades; there are as many quotes.
    """
    rng = np.random.default_rng(SEED)
    middle = 40_000 + np.cumsum(rng.integers(-1, 2, count))
    bid = middle - rng.integers(0, 6, count)
    ask = middle + rng.integers(0, 6, count)
    quote_ns = np.cumsum(rng.integers(0, 2 * _MEAN_GAP_NS, count))
    trade_ns = quote_ns + rng.integers(0, _MEAN_GAP_NS, count)
    trade_ns.sort()
    price = bid + rng.integers(-1, 13, count)
    size = rng.integers(1, 500, count).astype(np.float64)
    return Trades(trade_ns, price, size, 0.01, False), Quotes(quote_ns, bid, ask, 0.01)


def run(count: int = TRADES) -> list[BenchRow]:
    """Measure every rule, and the whole way from trades and quotes to sides.

    Args:
        count: How many trades.
    """
    trades, quotes = seeded_tape(count)
    held = prevailing_quotes(trades, quotes)
    starts = np.zeros(count, dtype=np.bool_)
    rows = []
    for rule in Rule:
        ours = best_seconds(partial(classify, trades, held, rule))
        peer = best_seconds(
            partial(reference.classify, rule, trades.price, held.bid, held.ask, starts), repeats=3
        )
        name = f"classify {count:,} trades, {rule.name.lower().replace('_', '-')}"
        rows.append(_row(name, count, ours, peer, TRADES_PER_S))
    ours = best_seconds(lambda: classify(trades, prevailing_quotes(trades, quotes)))
    peer = best_seconds(lambda: _join_and_classify(trades, quotes), repeats=3)
    rows.append(_row(f"join to quotes and classify {count:,} trades", count, ours, peer, None))
    return rows


def _join_and_classify(trades: Trades, quotes: Quotes) -> None:
    row: Int64s = reference.join(
        trades.time_ns, quotes.time_ns, lag_ns=0, window_ns=None, strict=True
    )
    # Row -1, before the first quote, reads the last one: a peer may save that care.
    bid, ask = quotes.bid[row], quotes.ask[row]
    reference.classify(
        Rule.LEE_READY, trades.price, bid, ask, np.zeros(len(trades), dtype=np.bool_)
    )


def _row(name: str, count: int, ours_s: float, peer_s: float, budget: float | None) -> BenchRow:
    return BenchRow(
        name=name,
        unit="trades/s",
        ours=count / ours_s,
        direction="at least",
        budget=budget,
        peer_name="the same in NumPy",
        peer=count / peer_s,
    )
