"""Compare freshly fetched bars with the stored ones: equal, split, or not to be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from infrastructure.clock import rfc3339
from system.algo_trader.market.bars import Bars, Floats, Int64s, Mask
from system.algo_trader.market.quarantine import Rejected
from system.algo_trader.market.splits import FEWEST_BARS, PRICE_TICK, ratio_text, split_factor
from system.algo_trader.quality.rules import Rule

OVERLAP_BARS: Final = 20
"""How many stored bars every fetch reads again (design: the canonical bar)."""

SETTLING_NS: Final = 12 * 3_600_000_000_000
"""For so long after its end a bar may still be corrected: sources go on consolidating volumes and
closing prices until the night."""

SETTLING_CHANGE: Final = 0.02
"""The largest change of a price that passes for such a correction, as a fraction."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found.

    Attributes:
        accepted: Fetched bars that may be stored.
        rejected: Fetched bars that contradict the stored ones.
        split: The factor of a split since the stored bars were fetched; None without one.
        restated: Stored bars in today's shares, which nothing fetched replaces.
        overlap: How many bars were compared.
    """

    accepted: Bars
    rejected: Rejected
    split: Fraction | None
    restated: Bars
    overlap: int


def compare(
    stored: Bars,
    fetched: Bars,
    *,
    stored_ends: Int64s,
    restated_before_ns: int = 0,
    tick: float = PRICE_TICK,
) -> Compared:
    """Compare fetched bars of one series with the stored bars of the same series.

    Args:
        stored: All stored bars, by rising start, each start once.
        fetched: Checked bars, likewise.
        stored_ends: When each stored bar was over, nanoseconds UTC, shape (len(stored),).
        restated_before_ns: Stored bars that start before this were computed from a split factor,
            and may differ from the source's own numbers by rounding.
        tick: The step to which prices are rounded.
    """
    _, mine, theirs = np.intersect1d(
        stored.start, fetched.start, assume_unique=True, return_indices=True
    )
    if not len(mine):
        return Compared(fetched, Rejected.none(), None, Bars.empty(), 0)
    before, after = stored.take(mine), fetched.take(theirs)
    factor = split_factor(
        before.last(OVERLAP_BARS).prices(), after.last(OVERLAP_BARS).prices(), tick=tick
    )
    if factor is None:
        fits = (
            _equal(before, after)
            | _settling(before, after, stored_ends[mine])
            | ((before.start < restated_before_ns) & _within(before.prices(), after.prices(), tick))
        )
    else:
        fits = _within(before.prices() / float(factor), after.prices(), tick)
    refused = np.zeros(len(fetched), dtype=np.bool_)
    refused[theirs[~fits]] = True
    # Where nothing agrees, the source has changed its scale in a way that is no split: bars that
    # were not stored before would continue the series on another scale.
    strangers = np.ones(len(fetched), dtype=np.bool_)
    strangers[theirs] = False
    strangers &= bool(len(mine) >= FEWEST_BARS and not fits.any())
    accepted = fetched.where(~refused & ~strangers)
    restated = Bars.empty()
    if factor is not None:
        restated = restate(stored.where(~np.isin(stored.start, accepted.start)), factor)
    reasons = _reasons(before.where(~fits), after.where(~fits), factor)
    rejected = Rejected.of(after.where(~fits), Rule.DIFFERS_FROM_STORED, reasons)
    if strangers.any():
        alone = fetched.where(strangers)
        reason = f"none of the {len(mine)} bars that were fetched again agrees with the stored ones"
        rejected = rejected + Rejected.of(alone, Rule.OF_ANOTHER_SCALE, [reason] * len(alone))
    return Compared(accepted, rejected, factor, restated, len(mine))


def restate(bars: Bars, factor: Fraction) -> Bars:
    """Return bars in the shares after a split: prices divided, volumes multiplied by the factor.

    Args:
        bars: Bars before the split.
        factor: New shares for one old share, such as 4 for 4:1.
    """
    ratio = float(factor)
    prices = {name: bars.floats(name) / ratio for name in ("open", "high", "low", "close")}
    volume = [
        None if shares is None else round(shares * factor)
        for shares in bars.table.column("volume").to_pylist()
    ]
    return bars.replace(**prices, volume=volume)


def _equal(before: Bars, after: Bars) -> Mask:
    same_volume = _same(before.floats("volume"), after.floats("volume"))
    return _same(before.prices(), after.prices()).all(axis=1) & same_volume


def _same(left: Floats, right: Floats) -> Mask:
    return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))


def _within(left: Floats, right: Floats, tick: float) -> Mask:
    # Both sides are rounded to the tick at worst, which leaves one tick between them.
    near: Mask = np.abs(left - right) <= tick * (1 + 1e-9)
    return np.asarray(near.all(axis=1))


def _settling(before: Bars, after: Bars, ends: Int64s) -> Mask:
    fresh = before.integers("fetched_at") - ends < SETTLING_NS
    small = np.abs(after.prices() / before.prices() - 1) <= SETTLING_CHANGE
    return np.asarray(fresh & small.all(axis=1))


def _reasons(before: Bars, after: Bars, factor: Fraction | None) -> list[str]:
    ending = "" if factor is None else f" and the split {ratio_text(factor)} does not explain it"
    return [
        f"stored as {_values(old)}, now {_values(new)} for {rfc3339(old['start'])}{ending}"
        for old, new in zip(before.table.to_pylist(), after.table.to_pylist(), strict=True)
    ]


def _values(bar: dict[str, object]) -> str:
    names = ("open", "high", "low", "close", "volume")
    return "/".join("-" if bar[name] is None else f"{bar[name]}" for name in names)
