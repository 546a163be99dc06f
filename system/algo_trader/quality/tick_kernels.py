"""The compiled loop of the checks of level one. Import this module late: it brings the compiler."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel

_MAD_TO_SIGMA: Final = 1.4826
"""The standard deviation of normal values is so many times their median absolute deviation."""

NO_RULE: Final = -1


NO_PRICE: Final = 1 << 0
PRICE_RANGE: Final = 1 << 1
SIZE_RANGE: Final = 1 << 2
CROSSED: Final = 1 << 3
LOCKED: Final = 1 << 4
FUTURE_TIME: Final = 1 << 5
STALE_TIME: Final = 1 << 6
DUPLICATE: Final = 1 << 7
"""What a row has broken, in the order of the rules."""

_NO_TIME: Final = -1


@kernel
def row_kernel(
    symbol: npt.NDArray[np.int64],
    prices: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]],
    sizes: tuple[
        npt.NDArray[np.int64],
        npt.NDArray[np.int64],
        npt.NDArray[np.int64],
        npt.NDArray[np.int64],
    ],
    total: npt.NDArray[np.int64],
    times: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]],
    is_quote: npt.NDArray[np.bool_],
    is_trade: npt.NDArray[np.bool_],
    largest_price: float,
    largest_size: int,
    future_ns: int,
    stale_ns: int,
    said_prices: npt.NDArray[np.float64],
    said_counts: npt.NDArray[np.int64],
    has_said: npt.NDArray[np.bool_],
    broken: npt.NDArray[np.int64],
) -> int:
    """Judge each row by itself and by the row of its symbol before it.

    Args:
        symbol: Of each row, (n,), as are all arrays but the `said_` ones.
        prices: Bid, offer, last; NaN where nothing is known.
        sizes: At the bid, at the offer, of the last trade, traded since the row before.
        total: The running total.
        times: Of the quote, of the trade, of arrival, nanoseconds UTC.
        is_quote: Whether it brings a quote.
        is_trade: Whether it shows a trade.
        largest_price: Prices beyond it are refused.
        largest_size: Sizes beyond it are refused.
        future_ns: How far the exchange's clock may be ahead of ours.
        stale_ns: How old a row may be when it arrives.
        said_prices: What each symbol said last, (m, 3).
        said_counts: Likewise sizes, total and times, (m, 6).
        has_said: Whether it has said anything, (m,).
        broken: The rules that each row breaks, out.

    Returns:
        The rules that any row breaks.
    """
    bid, ask, last = prices
    bid_size, ask_size, last_size, volume = sizes
    ts_quote, ts_trade, ts_recv = times
    every = 0
    for row in range(len(symbol)):
        key, found = symbol[row], 0
        if np.isnan(bid[row]) and np.isnan(ask[row]) and np.isnan(last[row]):
            found |= NO_PRICE
        if (
            abs(bid[row]) > largest_price
            or abs(ask[row]) > largest_price
            or abs(last[row]) > largest_price
        ):
            found |= PRICE_RANGE
        if max(bid_size[row], ask_size[row], last_size[row], volume[row]) > largest_size:
            found |= SIZE_RANGE
        if is_quote[row] and bid[row] > ask[row]:
            found |= CROSSED
        if is_quote[row] and bid[row] == ask[row]:
            found |= LOCKED
        newest = ts_quote[row] if is_quote[row] else _NO_TIME
        if is_trade[row]:
            newest = max(newest, ts_trade[row])
        if newest != _NO_TIME:
            if newest > ts_recv[row] + future_ns:
                found |= FUTURE_TIME
            elif newest < ts_recv[row] - stale_ns:
                found |= STALE_TIME
        same = has_said[key]
        has_said[key] = True
        for place in range(3):
            price, before = prices[place][row], said_prices[key, place]
            same &= price == before or (np.isnan(price) and np.isnan(before))
            said_prices[key, place] = price
        counts = (
            bid_size[row],
            ask_size[row],
            last_size[row],
            total[row],
            ts_quote[row],
            ts_trade[row],
        )
        for place in range(6):
            same &= counts[place] == said_counts[key, place]
            said_counts[key, place] = counts[place]
        if same and (is_quote[row] or is_trade[row]):
            found |= DUPLICATE
        broken[row] = found
        every |= found
    return every


@kernel
def recent_kernel(
    symbol: npt.NDArray[np.int64],
    price: npt.NDArray[np.float64],
    is_trade: npt.NDArray[np.bool_],
    refused: npt.NDArray[np.int64],
    spike: int,
    judges: bool,
    least: int,
    sigmas: float,
    floor: float,
    confirmations: int,
    constant: int,
    recent: npt.NDArray[np.float64],
    seen: npt.NDArray[np.int64],
    band: npt.NDArray[np.float64],
    outside: npt.NDArray[np.int64],
    same: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Judge trades by the symbol's recent ones, and remember those that are believed.

    Args:
        symbol: Of each row, (n,).
        price: Of its trade, (n,).
        is_trade: Whether it shows one, (n,).
        refused: The number of the rule that refuses a row, `NO_RULE` for none, (n,); spikes are
            written into it.
        spike: The number of that rule.
        judges: Whether spikes are looked for.
        least: Trades after which the band is drawn, and then anew.
        sigmas: Half the band's width in robust standard deviations.
        floor: Half its width at least, as a share of the median.
        confirmations: Trades in a row outside of the band after which the price is believed.
        constant: Trades in a row at one price that are counted.
        recent: The last trades of each symbol as a ring, (m, w).
        seen: Trades since the band was forgotten, (m,).
        band: The lowest and highest price that is believed, NaN for any, (m, 2).
        outside: Trades in a row outside of it, (m,).
        same: Trades in a row at the price of the one before, (m,).

    Returns:
        How many spikes there were, and how many runs of one price reached `constant`.
    """
    window = recent.shape[1]
    spikes = constants = 0
    for row in range(len(symbol)):
        if not is_trade[row] or refused[row] != NO_RULE:
            continue
        key, value = symbol[row], price[row]
        if judges and not np.isnan(band[key, 0]) and not band[key, 0] <= value <= band[key, 1]:
            outside[key] += 1
            if outside[key] < confirmations:
                spikes += 1
                refused[row] = spike
                continue
            # The market has moved: the old prices say nothing about the new ones.
            before = recent[key, (seen[key] - 1) % window]
            seen[key] = 0
            recent[key, window - 1] = before
            band[key, :] = np.nan
        outside[key] = 0
        before = recent[key, (seen[key] - 1) % window]
        recent[key, seen[key] % window] = value
        seen[key] += 1
        if seen[key] % least == 0:
            prices = recent[key, : min(seen[key], window)]
            median = np.median(prices)
            spread = _MAD_TO_SIGMA * np.median(np.abs(prices - median))
            half = max(sigmas * spread, floor * abs(median))
            band[key, 0], band[key, 1] = median - half, median + half
        same[key] = same[key] + 1 if value == before else 0
        constants += same[key] == constant
    return spikes, constants
