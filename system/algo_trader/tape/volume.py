"""Where volume traded and which way: shares at bid and ask, cumulative delta, VWAP with bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified
from system.algo_trader.tape.columns import Flags, Floats, Trades, same_length
from system.algo_trader.tape.sides import MISSING, Basis, Confidence

MAJORITY: Final = 0.8
"""The part of the volume that decides what all sides rest on."""


@dataclass(frozen=True, slots=True)
class QuoteShares:
    """Say which part of the volume traded where in the spread.

    The three parts add up to one; volume without a usable quote is in none of them.

    Attributes:
        at_bid: Part at the bid or below, 0 to 1; None when `reason` says why.
        at_mid: Part between bid and ask.
        at_ask: Part at the ask or above.
        unquoted: Part of the whole volume that has no usable quote; None without volume.
        reason: Why there are no parts.
        sampled: Whether the feed left trades out.
    """

    at_bid: float | None
    at_mid: float | None
    at_ask: float | None
    unquoted: float | None
    reason: str | None
    sampled: bool


def quote_shares(tape: Classified, *, tolerance_ticks: int = 0) -> QuoteShares:
    """Return the size-weighted shares at bid, between, and at ask.

    A locked quote has no sides, a crossed one is wrong: both count as unquoted.

    Args:
        tape: Classified trades.
        tolerance_ticks: How far from bid or ask still counts as there; ties go to the nearer side,
            in the exact middle to neither.
    """
    price, bid, ask = tape.trades.price, tape.quotes.bid, tape.quotes.ask
    size = tape.trades.size
    total = float(size.sum())
    usable = (price != MISSING) & (bid != MISSING) & (ask != MISSING) & (bid < ask)
    quoted = float(size[usable].sum())
    if quoted == 0.0:
        reason = "no volume" if total == 0.0 else "no usable quote"
        missing = None if total == 0.0 else 1.0
        return QuoteShares(None, None, None, missing, reason, tape.sampled)
    now, low, high, weight = (column[usable] for column in (price, bid, ask, size))
    lean = 2 * now - low - high
    at_ask = (now >= high - tolerance_ticks) & (lean > 0)
    at_bid = (now <= low + tolerance_ticks) & (lean < 0)
    ask_volume, bid_volume = float(weight[at_ask].sum()), float(weight[at_bid].sum())
    return QuoteShares(
        at_bid=bid_volume / quoted,
        at_mid=(quoted - ask_volume - bid_volume) / quoted,
        at_ask=ask_volume / quoted,
        unquoted=1.0 - quoted / total,
        reason=None,
        sampled=tape.sampled,
    )


def basis(tape: Classified) -> Basis:
    """Return what the sides rest on: quotes or ticks when four fifths of the volume do."""
    size, kind = tape.trades.size, tape.confidence
    known = float(size[kind != Confidence.NONE].sum())
    if known == 0.0:
        return Basis.UNKNOWN
    by_quote = float(size[kind >= Confidence.OUTSIDE].sum())
    if by_quote >= MAJORITY * known:
        return Basis.NBBO
    return Basis.TICK if known - by_quote >= MAJORITY * known else Basis.MIXED


@dataclass(frozen=True, slots=True)
class CumulativeDelta:
    """Hold the running difference between bought and sold volume.

    Attributes:
        values: Bought minus sold up to and including each trade, float64 (n,).
        sampled: Whether the feed left trades out: a delta of a sample is none of the market.
    """

    values: Floats
    sampled: bool


def cumulative_delta(tape: Classified, *, starts: Flags | None = None) -> CumulativeDelta:
    """Return bought minus sold volume up to and including each trade.

    Args:
        tape: Classified trades; those of unknown side add nothing.
        starts: Marks of the trades at which the count begins at zero again, (n,).
    """
    return CumulativeDelta(_cumulated(tape.side * tape.trades.size, starts), tape.sampled)


@dataclass(frozen=True, slots=True)
class VwapBands:
    """Hold the running volume-weighted average price, each column float64 (n,).

    Attributes:
        vwap: The average, NaN before the first volume.
        deviation: The volume-weighted standard deviation of prices around it.
        upper: The average plus so many deviations.
        lower: The average minus as many.
        sampled: Whether the feed left trades out.
    """

    vwap: Floats
    deviation: Floats
    upper: Floats
    lower: Floats
    sampled: bool


def vwap_bands(
    trades: Trades, *, deviations: float = 2.0, starts: Flags | None = None
) -> VwapBands:
    """Return the running VWAP with its bands.

    The variance is sum(size (price - vwap)^2) / sum(size), of the volume so far.

    Args:
        trades: The trades, (n,); those without a price count nothing.
        deviations: How wide the bands are, in standard deviations.
        starts: Marks of the trades at which the average begins anew (a session, an anchor), (n,).

    Raises:
        InputError: If `deviations` is negative or not finite.
    """
    if not (np.isfinite(deviations) and deviations >= 0):
        raise InputError(f"the width of bands is not negative: {deviations} deviations")
    priced = trades.price != MISSING
    if not priced.any():
        nothing = np.full(len(trades), np.nan)
        return VwapBands(nothing, nothing.copy(), nothing.copy(), nothing.copy(), trades.sampled)
    # Ticks away from the first price are small whole numbers, so that their sums are exact.
    origin = int(trades.price[np.argmax(priced)])
    away = np.where(priced, trades.price - origin, 0).astype(np.float64)
    weight = np.where(priced, trades.size, 0.0)
    volume = _cumulated(weight, starts)
    volume[volume == 0.0] = np.nan
    mean = _cumulated(weight * away, starts) / volume
    square = _cumulated(weight * away * away, starts) / volume
    deviation = np.sqrt(np.maximum(square - mean * mean, 0.0)) * trades.tick_size
    vwap = (origin + mean) * trades.tick_size
    width = deviations * deviation
    return VwapBands(vwap, deviation, vwap + width, vwap - width, trades.sampled)


def _cumulated(values: Floats, starts: Flags | None) -> Floats:
    total = np.cumsum(values, dtype=np.float64)
    if starts is None:
        return total
    same_length(len(values), starts=starts)
    before = total - values
    rows = np.flatnonzero(starts)
    if not rows.size:
        return total
    segment = np.cumsum(starts)
    base = np.concatenate([[0.0], before[rows]])
    return np.asarray(total - base[segment], dtype=np.float64)
