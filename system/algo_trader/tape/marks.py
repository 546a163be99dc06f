"""Trades that stand out: blocks, and sweeps through several prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified
from system.algo_trader.tape.columns import Flags, Floats, Int64s, Trades
from system.algo_trader.tape.reference import Sides

BLOCK_SIZE: Final = 10_000.0
BLOCK_VALUE: Final = 200_000.0
"""Regulation NMS, 17 CFR 242.600, "block size": at least 10,000 shares, or 200,000 dollars of
market value. Liquid stocks and futures want larger figures of one's own."""

SWEEP_GAP_NS: Final = 1_000_000
SWEEP_LEVELS: Final = 3


def block_marks(
    trades: Trades, *, min_size: float = BLOCK_SIZE, min_value: float | None = BLOCK_VALUE
) -> Flags:
    """Return which trades are blocks, bool (n,).

    Args:
        trades: The trades.
        min_size: Shares or contracts that make a block.
        min_value: Price times size that does as well, in the instrument's currency; None to count
            the size alone.
    """
    marks = trades.size >= min_size
    if min_value is not None:
        value = np.nan_to_num(trades.prices(), nan=0.0) * trades.size
        marks |= value >= min_value
    return np.asarray(marks, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Hold sweeps: orders that took several price levels at once, each column (k,).

    Attributes:
        first: Row of the first trade.
        last: Row of the last one.
        side: `Side`, int8.
        levels: Different prices taken.
        size: Shares or contracts taken.
        member: Which trades belong to a sweep, bool (n,).
        sampled: Whether the feed left trades out; sweeps are then hardly ever whole.
    """

    first: Int64s
    last: Int64s
    side: Sides
    levels: Int64s
    size: Floats
    member: Flags
    sampled: bool

    def __len__(self) -> int:
        return len(self.first)


def find_sweeps(
    tape: Classified, *, gap_ns: int = SWEEP_GAP_NS, min_levels: int = SWEEP_LEVELS
) -> Sweeps:
    """Return the runs of trades of one side whose prices only worsen through several levels.

    A buyer's sweep is a run of buys, each at most `gap_ns` after the one before it and never
    below it, over at least `min_levels` different prices; a seller's is its mirror image.

    Args:
        tape: Classified trades.
        gap_ns: The longest pause inside a sweep.
        min_levels: The fewest prices that make one, at least 2.

    Raises:
        InputError: If a limit makes no sense.
    """
    if gap_ns < 0 or min_levels < 2:
        raise InputError(
            f"a sweep has a pause of 0 ns or more and at least 2 levels, "
            f"not {gap_ns} ns and {min_levels}"
        )
    count = len(tape.trades)
    rows = np.arange(count)
    if count == 0:
        nothing = np.empty(0, dtype=np.int64)
        return Sweeps(
            nothing,
            nothing,
            nothing.astype(np.int8),
            nothing,
            nothing.astype(np.float64),
            nothing.astype(np.bool_),
            tape.sampled,
        )
    side, price = tape.side, tape.trades.price
    # Without a price there is no side either, so that no step counts beside a missing one.
    step = np.diff(price) * side[1:]
    goes_on = (
        (side[1:] == side[:-1])
        & (side[1:] != 0)
        & (np.diff(tape.trades.time_ns) <= gap_ns)
        & (step >= 0)
    )
    begins = np.concatenate([[True], ~goes_on])
    first = np.flatnonzero(begins)
    last = np.concatenate([first[1:] - 1, [count - 1]])
    moved = np.concatenate([[0], goes_on & (step > 0)])
    levels = np.add.reduceat(moved, first) + 1
    size = np.add.reduceat(tape.trades.size, first)
    kept = levels >= min_levels
    run = np.cumsum(begins) - 1
    return Sweeps(
        first[kept],
        last[kept],
        side[first[kept]],
        levels[kept].astype(np.int64),
        size[kept],
        np.asarray(kept[run[rows]], dtype=np.bool_),
        tape.sampled,
    )
