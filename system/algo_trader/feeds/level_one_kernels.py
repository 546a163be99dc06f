"""The compiled loop of the level-one reader. Import this module late: it brings the compiler."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel

BID: Final = 0
ASK: Final = 1
BID_SIZE: Final = 2
ASK_SIZE: Final = 3
LAST: Final = 4
LAST_SIZE: Final = 5
TOTAL: Final = 6
QUOTE_TIME: Final = 7
TRADE_TIME: Final = 8
FIELDS: Final = 9
"""Columns of what is known of a key."""

SYMBOL: Final = 0
TS_QUOTE: Final = 1
TS_TRADE: Final = 2
BID_SIZE_OUT: Final = 3
ASK_SIZE_OUT: Final = 4
LAST_SIZE_OUT: Final = 5
VOLUME: Final = 6
TOTAL_OUT: Final = 7
WHOLE: Final = 8
"""Columns of the whole numbers that come out."""

_UNKNOWN: Final = -1
_NS_PER_MS: Final = 1_000_000


@kernel
def level_one_kernel(
    symbol: npt.NDArray[np.int64],
    changed: npt.NDArray[np.float64],
    below_zero: bool,
    sent_ns: int,
    known: npt.NDArray[np.float64],
    is_known: npt.NDArray[np.bool_],
    image_due: npt.NDArray[np.bool_],
    unseen: npt.NDArray[np.int64],
    whole: npt.NDArray[np.int64],
    prices: npt.NDArray[np.float64],
    is_quote: npt.NDArray[np.bool_],
    is_trade: npt.NDArray[np.bool_],
) -> None:
    """Merge updates into what is known of their keys, and say what is known after each.

    Args:
        symbol: Of each update, (n,).
        changed: The fields that it brings, NaN where it brings none, (n, FIELDS).
        below_zero: Whether prices may be negative.
        sent_ns: When the server sent them, nanoseconds UTC.
        known: Of every symbol, NaN where nothing is known, (m, FIELDS).
        is_known: Whether an update of the symbol has come before, (m,).
        image_due: Whether the next update only tells what already was, (m,).
        unseen: Volume that was traded while nobody listened, (m,).
        whole: Whole numbers out, `_UNKNOWN` where nothing is known, (WHOLE, n).
        prices: Bid, offer, last out, (3, n).
        is_quote: Out, (n,).
        is_trade: Out, (n,).
    """
    for row in range(len(symbol)):
        key = symbol[row]
        is_image = image_due[key] or not is_known[key]
        is_known[key] = True
        image_due[key] = False
        total_before, traded_before = known[key, TOTAL], known[key, TRADE_TIME]
        quoted = False
        for field in range(FIELDS):
            value = changed[row, field]
            if np.isnan(value):
                continue
            quoted |= field < LAST
            if field in (BID, ASK, LAST):
                usable = value > 0 or (value < 0 and below_zero)
            else:
                usable = value >= 0 and not np.isinf(value)
                value = np.floor(value)
            known[key, field] = value if usable else np.nan
        total, traded, last = known[key, TOTAL], known[key, TRADE_TIME], known[key, LAST]
        size = known[key, LAST_SIZE]
        single = 0 if np.isnan(size) else int(size)
        same_time = traded == traded_before or (np.isnan(traded) and np.isnan(traded_before))
        both = not np.isnan(total) and not np.isnan(total_before)
        shown, volume = False, 0
        if is_image:
            if both and total > total_before:
                unseen[key] += int(total - total_before)
        elif not both:
            shown, volume = not same_time, single
        else:
            shown = total > total_before or not same_time
            # A total that falls is a correction, or begins a new day: the last trade alone is new.
            volume = int(total - total_before) if total >= total_before else single
        shown = shown and not np.isnan(last)
        prices[0, row], prices[1, row], prices[2, row] = known[key, BID], known[key, ASK], last
        is_quote[row], is_trade[row] = quoted, shown
        whole[SYMBOL, row] = key
        quote_time = known[key, QUOTE_TIME]
        whole[TS_QUOTE, row] = sent_ns if np.isnan(quote_time) else int(quote_time) * _NS_PER_MS
        if np.isnan(traded):
            whole[TS_TRADE, row] = sent_ns if shown else _UNKNOWN
        else:
            whole[TS_TRADE, row] = int(traded) * _NS_PER_MS
        whole[BID_SIZE_OUT, row] = _whole(known[key, BID_SIZE])
        whole[ASK_SIZE_OUT, row] = _whole(known[key, ASK_SIZE])
        whole[LAST_SIZE_OUT, row] = _whole(size)
        whole[VOLUME, row] = volume if shown else 0
        whole[TOTAL_OUT, row] = _whole(total)


@kernel
def _whole(value: float) -> int:
    return _UNKNOWN if np.isnan(value) else int(value)
