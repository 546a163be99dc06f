"""Check a batch of bars of one series by itself and against the exchange's calendar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from infrastructure.exchange.timeframes import schwab_bar_starts, trading_dates
from system.algo_trader.market.bars import PRICES, Bars, Int64s, Mask, Series
from system.algo_trader.market.quarantine import Rejected
from system.algo_trader.quality.closing import BarCalendar, bar_ends, kind_of
from system.algo_trader.quality.rules import Rule, Sieve


@dataclass(frozen=True, slots=True)
class Checked:
    """What a batch holds after its checks.

    Attributes:
        accepted: Bars that may be stored, by rising start, each start once, all closed.
        rejected: Bars that broke a rule.
        still_open: Bars that were left out because they were not over yet.
        reordered: Bars that came before their predecessor; they are accepted in order.
    """

    accepted: Bars
    rejected: Rejected
    still_open: int
    reordered: int


def check(bars: Bars, *, calendar: BarCalendar, now_ns: int) -> Checked:
    """Sort the bars of one series into accepted, rejected and not yet closed ones.

    A price that moves far is no reason to refuse a bar: AAPL really lost 51.9 % on 2000-09-29.

    Args:
        bars: Bars of one series in the order in which they came.
        calendar: The exchange's calendar.
        now_ns: The market's time, nanoseconds UTC.

    Raises:
        ValueError: If the bars belong to more than one series.
    """
    if not len(bars):
        return Checked(Bars.empty(), Rejected.none(), 0, 0)
    series = bars.only_series()
    reordered = int((np.diff(bars.start) < 0).sum())
    sieve = Sieve(bars.sorted())
    _check_values(sieve)
    _check_times(sieve, series, calendar, now_ns)
    _check_duplicates(sieve)
    closed = bar_ends(sieve.bars.start, series.timeframe, series.session, calendar) <= now_ns
    return Checked(sieve.bars.where(closed), sieve.rejected, int((~closed).sum()), reordered)


def _check_values(sieve: Sieve) -> None:
    missing = np.zeros(len(sieve.bars), dtype=np.bool_)
    for name in PRICES:
        missing |= pc.is_null(sieve.bars.table.column(name)).to_numpy()
    sieve.refuse(missing, Rule.MISSING_PRICE)
    prices = sieve.bars.prices()
    usable: Mask = np.isfinite(prices) & (prices > 0)
    sieve.refuse(np.asarray(~usable.all(axis=1)), Rule.NON_POSITIVE_PRICE)
    opened, high, low, close = sieve.bars.prices().T
    crossed = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close)) | (high < low)
    sieve.refuse(crossed, Rule.OHLC_INCONSISTENT)
    sieve.refuse(sieve.bars.floats("volume") < 0, Rule.NEGATIVE_VOLUME)


def _check_times(sieve: Sieve, series: Series, calendar: BarCalendar, now_ns: int) -> None:
    sieve.refuse(sieve.bars.start > now_ns, Rule.IN_THE_FUTURE)
    starts = sieve.bars.start
    if not len(starts):
        return
    expected = calendar.expected_bar_starts(
        series.timeframe, int(starts[0]), int(starts[-1]) + 1, kind_of(series.session)
    )
    unknown = ~np.isin(starts, expected)
    misaligned = unknown & ~_on_grid(starts, series, calendar)
    sieve.refuse(misaligned, Rule.MISALIGNED_START)
    sieve.refuse(~np.isin(sieve.bars.start, expected), Rule.OUTSIDE_SESSION)


def _on_grid(starts: Int64s, series: Series, calendar: BarCalendar) -> Mask:
    """Say which starts could be a bar's if the exchange were open then."""
    step = series.timeframe.duration_ns
    if step is None:
        stamps = schwab_bar_starts(trading_dates(starts), series.timeframe)
        return np.asarray(stamps == starts)
    spans = calendar.spans(int(starts[0]), int(starts[-1]) + 1, kind_of(series.session))
    if not len(spans):
        return np.asarray(starts % step == 0)
    row = np.clip(np.searchsorted(spans[:, 0], starts, side="right") - 1, 0, None)
    inside = (spans[row, 0] <= starts) & (starts < spans[row, 1])
    origin = np.where(inside, spans[row, 0], 0)
    return np.asarray((starts - origin) % step == 0)


def _check_duplicates(sieve: Sieve) -> None:
    starts = sieve.bars.start
    if len(np.unique(starts)) == len(starts):
        return
    values = np.column_stack([sieve.bars.prices(), sieve.bars.floats("volume")])
    conflict = np.zeros(len(starts), dtype=np.bool_)
    repeated = np.zeros(len(starts), dtype=np.bool_)
    _, first, counts = np.unique(starts, return_index=True, return_counts=True)
    for begin, count in zip(first[counts > 1], counts[counts > 1], strict=True):
        rows = slice(begin, begin + count)
        same = np.array_equal(
            values[rows], np.broadcast_to(values[begin], (count, 5)), equal_nan=True
        )
        conflict[rows] = not same
        repeated[begin + 1 : begin + count] = same
    sieve.refuse(conflict, Rule.CONFLICTING_DUPLICATE)
    sieve.refuse(repeated[~conflict], Rule.DUPLICATE)
