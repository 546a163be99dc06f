"""Time-and-sales statistics: one row of `tape_metrics` for each stretch of time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified, Prevailing
from system.algo_trader.tape.columns import Floats, Int64s, Trades
from system.algo_trader.tape.marks import BLOCK_SIZE, BLOCK_VALUE, block_marks, find_sweeps
from system.algo_trader.tape.sides import MISSING, Basis, Side
from system.algo_trader.tape.volume import QuoteShares, basis, cumulative_delta, quote_shares

METRICS_VERSION: Final = "tape.v1"


class SizeClass(StrEnum):
    """Name how large a trade is, in shares."""

    ODD_LOT = "odd_lot"
    ROUND_LOT = "round_lot"
    LARGE = "large"
    BLOCK = "block"
    LARGE_BLOCK = "large_block"
    INSTITUTIONAL = "institutional"


SIZE_LIMITS: Final = (100.0, 1_000.0, 10_000.0, 50_000.0, 100_000.0)
"""Where each class but the first begins, in shares."""


@dataclass(frozen=True, slots=True)
class TapeStatistics:
    """Describe the trades of one stretch of time; None means that it cannot be said.

    Attributes:
        start_ns: Beginning of the stretch, nanoseconds UTC.
        end_ns: End of it, exclusive.
        trades: How many.
        volume: Shares or contracts.
        vwap: Their average price; None without volume at a price.
        bought: Volume of buys.
        sold: Volume of sells.
        unknown: Volume of unknown side.
        buy_sell_ratio: Bought by sold; None when nothing was sold.
        delta: Bought minus sold.
        delta_high: The most that bought minus sold reached inside, at least 0.
        delta_low: The least, at most 0.
        at_quote: Shares at bid, between, and at ask.
        basis: What the sides rest on.
        largest: Size of the largest trade.
        blocks: How many blocks.
        block_share: Part of the volume in blocks; None without volume.
        sweeps: How many sweeps began and ended inside.
        sweep_share: Part of the volume in them; None without volume.
        by_size: Trades in each `SizeClass`.
        sampled: Whether the feed left trades out: then all of this is of the sample.
        version: Of these definitions.
    """

    start_ns: int
    end_ns: int
    trades: int
    volume: float
    vwap: float | None
    bought: float
    sold: float
    unknown: float
    buy_sell_ratio: float | None
    delta: float
    delta_high: float
    delta_low: float
    at_quote: QuoteShares
    basis: Basis
    largest: float | None
    blocks: int
    block_share: float | None
    sweeps: int
    sweep_share: float | None
    by_size: dict[SizeClass, int]
    sampled: bool
    version: str = METRICS_VERSION


def size_classes(size: Floats) -> Int64s:
    """Return the position of each trade's class in `SizeClass`, int64 (n,)."""
    return np.searchsorted(np.array(SIZE_LIMITS), size, side="right").astype(np.int64)


def tape_statistics(
    tape: Classified,
    start_ns: int,
    end_ns: int,
    *,
    block_size: float = BLOCK_SIZE,
    block_value: float | None = BLOCK_VALUE,
) -> TapeStatistics:
    """Return the statistics of the trades in [start_ns, end_ns).

    Args:
        tape: Classified trades.
        start_ns: Beginning, nanoseconds UTC.
        end_ns: End, exclusive.
        block_size: As in `block_marks`.
        block_value: As in `block_marks`.

    Raises:
        InputError: If the end does not lie after the start.
    """
    if end_ns <= start_ns:
        raise InputError(f"the end {end_ns} does not lie after the start {start_ns}")
    low, high = np.searchsorted(tape.trades.time_ns, [start_ns, end_ns], side="left")
    part = _part(tape, int(low), int(high))
    size, side = part.trades.size, part.side
    volume = float(size.sum())
    bought, sold = (float(size[side == each].sum()) for each in (Side.BUY, Side.SELL))
    running = np.concatenate([[0.0], cumulative_delta(part).values])
    blocks = block_marks(part.trades, min_size=block_size, min_value=block_value)
    sweeps = find_sweeps(part)
    counts = np.bincount(size_classes(size), minlength=len(SizeClass))
    return TapeStatistics(
        start_ns=start_ns,
        end_ns=end_ns,
        trades=len(part.trades),
        volume=volume,
        vwap=_vwap(part.trades),
        bought=bought,
        sold=sold,
        unknown=volume - bought - sold,
        buy_sell_ratio=bought / sold if sold > 0 else None,
        delta=float(running[-1]),
        delta_high=float(running.max()),
        delta_low=float(running.min()),
        at_quote=quote_shares(part),
        basis=basis(part),
        largest=float(size.max()) if size.size else None,
        blocks=int(blocks.sum()),
        block_share=float(size[blocks].sum()) / volume if volume > 0 else None,
        sweeps=len(sweeps),
        sweep_share=float(size[sweeps.member].sum()) / volume if volume > 0 else None,
        by_size={name: int(n) for name, n in zip(SizeClass, counts, strict=True)},
        sampled=part.sampled,
    )


def statistics_by_interval(tape: Classified, interval_ns: int) -> list[TapeStatistics]:
    """Return the statistics of every interval that holds a trade.

    Args:
        tape: Classified trades.
        interval_ns: Length of an interval; intervals begin at multiples of it since 1970.

    Raises:
        InputError: If the interval is not positive.
    """
    if interval_ns <= 0:
        raise InputError(f"an interval is above 0 ns, not {interval_ns}")
    if not len(tape.trades):
        return []
    numbers = np.unique(tape.trades.time_ns // interval_ns).tolist()
    return [
        tape_statistics(tape, number * interval_ns, (number + 1) * interval_ns)
        for number in numbers
    ]


def _part(tape: Classified, low: int, high: int) -> Classified:
    rows = slice(low, high)
    trades, quotes = tape.trades, tape.quotes
    return Classified(
        Trades(
            trades.time_ns[rows],
            trades.price[rows],
            trades.size[rows],
            trades.tick_size,
            trades.sampled,
        ),
        Prevailing(quotes.row[rows], quotes.bid[rows], quotes.ask[rows]),
        tape.rule,
        tape.side[rows],
        tape.confidence[rows],
    )


def _vwap(trades: Trades) -> float | None:
    priced = trades.price != MISSING
    weight = trades.size[priced]
    if weight.sum() == 0:
        return None
    return float(np.average(trades.price[priced], weights=weight)) * trades.tick_size
