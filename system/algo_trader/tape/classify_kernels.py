"""Compiled loops of the tape. Import this module late: it brings the compiler with it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from system.algo_trader.tape.sides import MISSING, Confidence, Rule

_MISSING: Final = MISSING
_QUOTE: Final = int(Rule.QUOTE)
_TICK: Final = int(Rule.TICK)
_LEE_READY: Final = int(Rule.LEE_READY)
_EMO: Final = int(Rule.EMO)
_NONE: Final = int(Confidence.NONE)
_BY_CARRY: Final = int(Confidence.CARRIED)
_BY_TICK: Final = int(Confidence.TICK)
_OUTSIDE: Final = int(Confidence.OUTSIDE)
_INSIDE: Final = int(Confidence.INSIDE)
_TOUCH: Final = int(Confidence.TOUCH)


@kernel
def join_kernel(
    trade_ns: npt.NDArray[np.int64],
    quote_ns: npt.NDArray[np.int64],
    quote_bid: npt.NDArray[np.int64],
    quote_ask: npt.NDArray[np.int64],
    lag_ns: int,
    window_ns: int,
    strict: bool,
    row: npt.NDArray[np.int64],
    bid: npt.NDArray[np.int64],
    ask: npt.NDArray[np.int64],
) -> None:
    """Write the quote in force at each trade; `reference.join` says the same in NumPy.

    Args:
        trade_ns: Sorted, (n,).
        quote_ns: Sorted, (m,).
        quote_bid: In ticks, (m,).
        quote_ask: In ticks, (m,).
        lag_ns: How much older than the trade a quote must be.
        window_ns: How old it may be; negative for any age.
        strict: Whether a quote of exactly that age is too young.
        row: Written: the quote's row or -1, (n,).
        bid: Written: its bid or `MISSING`, (n,).
        ask: Written: its ask or `MISSING`, (n,).
    """
    count = quote_ns.size
    last = -1
    for i in range(trade_ns.size):
        # Before the limit in both cases: at most one nanosecond later when not strict.
        limit = trade_ns[i] - lag_ns if strict else trade_ns[i] - lag_ns + 1
        while last + 1 < count and quote_ns[last + 1] < limit:
            last += 1
        if last < 0 or (window_ns >= 0 and trade_ns[i] - quote_ns[last] > window_ns):
            row[i] = -1
            bid[i] = _MISSING
            ask[i] = _MISSING
        else:
            row[i] = last
            bid[i] = quote_bid[last]
            ask[i] = quote_ask[last]


@kernel
def classify_kernel(
    rule: int,
    price: npt.NDArray[np.int64],
    bid: npt.NDArray[np.int64],
    ask: npt.NDArray[np.int64],
    starts: npt.NDArray[np.bool_],
    side: npt.NDArray[np.int8],
    confidence: npt.NDArray[np.uint8],
) -> None:
    """Write side and confidence of each trade; `reference.classify` says the same in NumPy.

    Args:
        rule: A `Rule`.
        price: In ticks, (n,).
        bid: In force at the trade, in ticks, (n,).
        ask: Likewise, (n,).
        starts: Where the memory of prices begins anew, (n,), or empty for nowhere.
        side: Written, (n,).
        confidence: Written, (n,).
    """
    resets = starts.size > 0
    last = _MISSING
    direction = 0
    for i in range(price.size):
        if resets and starts[i]:
            last = _MISSING
            direction = 0
        now = price[i]
        if now == _MISSING:
            side[i] = 0
            confidence[i] = _NONE
            continue
        by_tick = _BY_CARRY
        if last != _MISSING and now != last:
            direction = 1 if now > last else -1
            by_tick = _BY_TICK
        last = now
        low = bid[i]
        high = ask[i]
        found = 0
        kind = _NONE
        if rule != _TICK and low != _MISSING and high != _MISSING and low <= high:
            if rule in (_QUOTE, _LEE_READY):
                if 2 * now > low + high:
                    found = 1
                elif 2 * now < low + high:
                    found = -1
            elif rule == _EMO:
                if now == high and now != low:
                    found = 1
                elif now == low and now != high:
                    found = -1
            elif low <= now <= high and low < high:
                if 10 * (high - now) <= 3 * (high - low):
                    found = 1
                elif 10 * (now - low) <= 3 * (high - low):
                    found = -1
            if found != 0:
                if now in (low, high):
                    kind = _TOUCH
                elif low < now < high:
                    kind = _INSIDE
                else:
                    kind = _OUTSIDE
        if found == 0 and rule != _QUOTE and direction != 0:
            found = direction
            kind = by_tick
        side[i] = found
        confidence[i] = kind
