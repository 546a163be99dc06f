"""The rules that a bar must keep, by name, and what happens to one that breaks a rule."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from system.algo_trader.market.bars import Bars, Mask
from system.algo_trader.market.quarantine import Rejected


class Rule(StrEnum):
    """Name one rule."""

    MISSING_PRICE = "missing_price"
    NON_POSITIVE_PRICE = "non_positive_price"
    OHLC_INCONSISTENT = "ohlc_inconsistent"
    NEGATIVE_VOLUME = "negative_volume"
    IN_THE_FUTURE = "in_the_future"
    MISALIGNED_START = "misaligned_start"
    OUTSIDE_SESSION = "outside_session"
    DUPLICATE = "duplicate"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    DIFFERS_FROM_STORED = "differs_from_stored"
    OF_ANOTHER_SCALE = "of_another_scale"


REASONS: Final[dict[Rule, str]] = {
    Rule.MISSING_PRICE: "a price is missing",
    Rule.NON_POSITIVE_PRICE: "a price is zero or less, or no finite number",
    Rule.OHLC_INCONSISTENT: "the high is below, or the low above, another price of the bar",
    Rule.NEGATIVE_VOLUME: "the volume is negative",
    Rule.IN_THE_FUTURE: "the bar starts in the future",
    Rule.MISALIGNED_START: "no bar of this timeframe starts at that instant",
    Rule.OUTSIDE_SESSION: "the exchange was closed",
    Rule.DUPLICATE: "the same bar came twice",
    Rule.CONFLICTING_DUPLICATE: "two different bars came for one start; neither can be trusted",
    Rule.DIFFERS_FROM_STORED: "the source now reports other values than it did, and no split",
    Rule.OF_ANOTHER_SCALE: "no bar that was fetched with it agrees with the stored ones",
}


class Sieve:
    """Take bars out by rule, keeping the rest.

    Args:
        bars: The bars to check.
    """

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.rejected = Rejected.none()

    def refuse(self, broken: Mask, rule: Rule) -> None:
        """Move the bars for which the mask of shape (n,) is true to the rejected ones."""
        if broken.any():
            refused = self.bars.where(broken)
            reasons = [REASONS[rule]] * len(refused)
            self.rejected = self.rejected + Rejected.of(refused, rule, reasons)
            self.bars = self.bars.where(~broken)
