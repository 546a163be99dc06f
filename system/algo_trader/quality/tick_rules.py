"""The rules that an update of level one must keep, by name, and whether breaking one refuses it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TickRule(StrEnum):
    """Name one rule."""

    NO_PRICE = "no_price"
    PRICE_RANGE = "price_range"
    SIZE_RANGE = "size_range"
    CROSSED = "crossed"
    LOCKED = "locked"
    FUTURE_TIME = "future_time"
    STALE_TIME = "stale_time"
    DUPLICATE = "duplicate"
    SPIKE = "spike"
    CONSTANT = "constant"


REASONS: Final[dict[TickRule, str]] = {
    TickRule.NO_PRICE: "the update knows neither a bid, an offer nor a trade",
    TickRule.PRICE_RANGE: "a price is beyond the range that prices can have",
    TickRule.SIZE_RANGE: "a size is beyond the range that sizes can have",
    TickRule.CROSSED: "the bid is above the offer",
    TickRule.LOCKED: "the bid equals the offer",
    TickRule.FUTURE_TIME: "the exchange's time is later than ours by more than clocks differ",
    TickRule.STALE_TIME: "the exchange's time is far older than the moment of its arrival",
    TickRule.DUPLICATE: "the update repeats what the one before it said",
    TickRule.SPIKE: "the trade is far from the median of the symbol's recent trades",
    TickRule.CONSTANT: "the price has stayed the same over many trades",
}

REFUSING: Final = frozenset(
    {
        TickRule.NO_PRICE,
        TickRule.PRICE_RANGE,
        TickRule.SIZE_RANGE,
        TickRule.FUTURE_TIME,
        TickRule.DUPLICATE,
        TickRule.SPIKE,
    }
)
"""Rules that keep an update out of everything that is stored. The others are counted only: a
crossed quote is kept as it came, since fast markets do cross."""
