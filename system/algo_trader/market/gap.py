"""A run of missing bars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Name a run of missing bars of one series.

    Attributes:
        first_ns: Start of the first missing bar, nanoseconds UTC.
        last_ns: Start of the last missing bar.
        count: How many are missing.
    """

    first_ns: int
    last_ns: int
    count: int
