"""The codes that classification writes: side, rule and confidence."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

MISSING: Final = -(2**63)
"""The price in ticks of a trade or quote that has none; the smallest int64."""


class Side(IntEnum):
    """Name who wanted the trade: the value is the sign of its signed volume."""

    SELL = -1
    UNKNOWN = 0
    BUY = 1


class Rule(IntEnum):
    """Name a way to tell the side of a trade.

    Sources: quote and tick rule, Lee and Ready (1991), "Inferring Trade Direction from Intraday
    Data", Journal of Finance 46; EMO, Ellis, Michaely and O'Hara (2000), "The Accuracy of Trade
    Classification Rules", JFQA 35; CLNV, Chakrabarty, Li, Nguyen and Van Ness (2007), "Trade
    Classification Algorithms for Electronic Communications Network Trades", Journal of Banking
    and Finance 31.
    """

    QUOTE = 0
    TICK = 1
    LEE_READY = 2
    EMO = 3
    CLNV = 4


class Confidence(IntEnum):
    """Name what the side of one trade rests on.

    NONE: no rule applied, the side is unknown. CARRIED: tick rule, and the price did not move
    with this trade. TICK: tick rule on a move of the price. OUTSIDE: quote rule, but the price
    lies outside of the quote, which is therefore late. INSIDE: quote rule within the spread.
    TOUCH: the trade is at the bid or at the ask.
    """

    NONE = 0
    CARRIED = 1
    TICK = 2
    OUTSIDE = 3
    INSIDE = 4
    TOUCH = 5


class Basis(StrEnum):
    """Name what the sides of many trades rest on, by size: four fifths decide."""

    NBBO = "nbbo"
    TICK = "tick"
    MIXED = "mixed"
    UNKNOWN = "unknown"
