"""The compiled loop of the checks of level one. Import this module late: it brings the compiler."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel

_MAD_TO_SIGMA: Final = 1.4826
"""The standard deviation of normal values is so many times their median absolute deviation."""

NO_RULE: Final = -1


@kernel
def repeats_kernel(
    symbol: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    said_numbers: npt.NDArray[np.float64],
    said_counts: npt.NDArray[np.int64],
    has_said: npt.NDArray[np.bool_],
    repeats: npt.NDArray[np.bool_],
) -> None:
    """Say which rows hold what the row of their symbol before them held, and remember each.

    Args:
        symbol: Of each row, (n,).
        numbers: Prices, NaN equal to itself, (p, n).
        counts: Sizes and times, (c, n).
        said_numbers: The last of each symbol, (m, p).
        said_counts: Likewise, (m, c).
        has_said: Whether there is a last one, (m,).
        repeats: Out, (n,).
    """
    for row in range(len(symbol)):
        key = symbol[row]
        same = has_said[key]
        for place in range(numbers.shape[0]):
            value, before = numbers[place, row], said_numbers[key, place]
            same &= value == before or (np.isnan(value) and np.isnan(before))
            said_numbers[key, place] = value
        for place in range(counts.shape[0]):
            same &= counts[place, row] == said_counts[key, place]
            said_counts[key, place] = counts[place, row]
        has_said[key] = True
        repeats[row] = same


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
