"""The tape's rules in plain NumPy: the reading of the definitions that the kernels must match."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from system.algo_trader.tape.columns import Flags, Int64s
from system.algo_trader.tape.sides import MISSING, Confidence, Rule

Sides = npt.NDArray[np.int8]
Confidences = npt.NDArray[np.uint8]


def join(
    trade_ns: Int64s, quote_ns: Int64s, *, lag_ns: int, window_ns: int | None, strict: bool
) -> Int64s:
    """Return the row of the quote in force at each trade, -1 where there is none.

    Args:
        trade_ns: Instants of trades, sorted, (n,).
        quote_ns: Instants of quotes, sorted, (m,).
        lag_ns: How much older than the trade a quote must be.
        window_ns: How old it may be; None for any age.
        strict: Whether a quote of exactly `lag_ns` is too young.
    """
    row = np.searchsorted(quote_ns, trade_ns - lag_ns, side="left" if strict else "right") - 1
    if window_ns is not None and quote_ns.size:
        row[trade_ns - quote_ns[np.maximum(row, 0)] > window_ns] = -1
    return row.astype(np.int64)


def tick_sides(price: Int64s, starts: Flags) -> tuple[Sides, Flags]:
    """Return the side by the tick rule, and whether the price moved with the trade itself.

    A trade above the last different price is a buy, below it a sell; trades without a price are
    passed over, and nothing is carried over a start.

    Args:
        price: In ticks, (n,).
        starts: Where the memory of prices begins anew, (n,).
    """
    valid = np.flatnonzero(price != MISSING)
    known = price[valid]
    segment = np.cumsum(starts)[valid]
    move = np.zeros(len(valid), dtype=np.int8)
    same = segment[1:] == segment[:-1]
    move[1:] = np.where(same, np.sign(known[1:] - known[:-1]), 0)
    last_move = np.maximum.accumulate(np.where(move != 0, np.arange(len(valid)), -1))
    usable = last_move >= 0
    usable[usable] = segment[last_move[usable]] == segment[usable]
    side = np.zeros(len(price), dtype=np.int8)
    moved = np.zeros(len(price), dtype=np.bool_)
    side[valid] = np.where(usable, move[np.maximum(last_move, 0)], 0)
    moved[valid] = move != 0
    return side, moved


def quote_sides(rule: Rule, price: Int64s, bid: Int64s, ask: Int64s) -> Sides:
    """Return the side by the quote part of a rule, 0 where that part says nothing.

    Crossed and one-sided quotes say nothing. A locked quote (bid equal to ask) has a midpoint but
    no touch, so it says nothing to EMO and CLNV.

    Args:
        rule: The rule.
        price: In ticks, (n,).
        bid: In force, in ticks, (n,).
        ask: Likewise, (n,).
    """
    usable = (price != MISSING) & (bid != MISSING) & (ask != MISSING) & (bid <= ask)
    now, low, high = (np.where(usable, column, 0) for column in (price, bid, ask))
    if rule in (Rule.QUOTE, Rule.LEE_READY):
        found = np.sign(2 * now - low - high)
    elif rule is Rule.EMO:
        found = np.where(low < high, 1 * (now == high) - 1 * (now == low), 0)
    elif rule is Rule.CLNV:
        inside = (low < high) & (low <= now) & (now <= high)
        upper = 10 * (high - now) <= 3 * (high - low)
        lower = 10 * (now - low) <= 3 * (high - low)
        found = np.where(inside, 1 * upper - 1 * lower, 0)
    else:
        found = np.zeros_like(now)
    return np.where(usable, found, 0).astype(np.int8)


def classify(
    rule: Rule, price: Int64s, bid: Int64s, ask: Int64s, starts: Flags
) -> tuple[Sides, Confidences]:
    """Return side and confidence of each trade.

    Args:
        rule: The rule.
        price: In ticks, (n,).
        bid: In force at the trade, in ticks, (n,).
        ask: Likewise, (n,).
        starts: Where the memory of prices begins anew, (n,).
    """
    by_quote = quote_sides(rule, price, bid, ask)
    by_tick, moved = tick_sides(price, starts)
    if rule is Rule.QUOTE:
        by_tick = np.zeros_like(by_tick)
    kinds = np.select(
        [
            (by_quote != 0) & ((price == bid) | (price == ask)),
            (by_quote != 0) & (bid < price) & (price < ask),
            by_quote != 0,
            (by_tick != 0) & moved,
            by_tick != 0,
        ],
        [
            Confidence.TOUCH,
            Confidence.INSIDE,
            Confidence.OUTSIDE,
            Confidence.TICK,
            Confidence.CARRIED,
        ],
        Confidence.NONE,
    )
    side = np.where(by_quote != 0, by_quote, by_tick)
    return side.astype(np.int8), kinds.astype(np.uint8)
