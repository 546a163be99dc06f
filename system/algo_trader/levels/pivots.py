"""Pivot levels from the high, low and close of one session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infrastructure.errors import InputError


class PivotKind(StrEnum):
    """Name a formula for pivots."""

    CLASSIC = "classic"
    FIBONACCI = "fib"
    CAMARILLA = "camarilla"


FIBONACCI: Final = (0.382, 0.618, 1.0)
"""Parts of the range beside the pivot: 0.618 is the golden section, 0.382 its square."""

CAMARILLA: Final = (1.1 / 12, 1.1 / 6, 1.1 / 4, 1.1 / 2)
"""Parts of the range beside the close. Nick Scott's Camarilla equation (1989)."""


@dataclass(frozen=True, slots=True)
class Pivots:
    """Hold the levels around one pivot, in the prices' unit.

    Attributes:
        kind: The formula.
        pivot: (high + low + close) / 3 of the session, with every kind.
        resistances: R1, R2, R3 and, for Camarilla, R4; rising.
        supports: S1, S2, S3 and, for Camarilla, S4; falling.
    """

    kind: PivotKind
    pivot: float
    resistances: tuple[float, ...]
    supports: tuple[float, ...]


def pivots(kind: PivotKind, high: float, low: float, close: float) -> Pivots:
    """Return the pivot levels that follow from one session.

    Sources: classic, the floor traders' formula as in John L. Person, "A Complete Guide to
    Technical Trading Tactics" (2004); Fibonacci, the same pivot and parts of the range;
    Camarilla, parts of 1.1 times the range around the close.

    Args:
        kind: The formula.
        high: The session's highest price.
        low: Its lowest.
        close: Its last.

    Raises:
        InputError: If a price is not finite, or the close does not lie between low and high.
    """
    if not all(map(math.isfinite, (high, low, close))) or not low <= close <= high:
        raise InputError(
            f"no session has the high {high}, the low {low} and the close {close}",
            next_step="Check the bar that the levels are made of.",
        )
    pivot, span = (high + low + close) / 3, high - low
    if kind is PivotKind.CLASSIC:
        return Pivots(
            kind,
            pivot,
            (2 * pivot - low, pivot + span, high + 2 * (pivot - low)),
            (2 * pivot - high, pivot - span, low - 2 * (high - pivot)),
        )
    middle, parts = (pivot, FIBONACCI) if kind is PivotKind.FIBONACCI else (close, CAMARILLA)
    return Pivots(
        kind,
        pivot,
        tuple(middle + part * span for part in parts),
        tuple(middle - part * span for part in parts),
    )
