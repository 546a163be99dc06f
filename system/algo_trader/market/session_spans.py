"""The hours in which bars may lie, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

RTH: Final = 0
EXT: Final = 1


@dataclass(frozen=True, slots=True)
class SessionSpans:
    """Hold spans of trading in the order of time; every array has shape (m,).

    Attributes:
        start: First instant of each span, int64 nanoseconds UTC.
        end: The instant after its last.
        kind: `RTH` or `EXT`.
        day_start: The stamp of the daily bar of the span's trading date.
        day_end: The instant at which that daily bar is over.
    """

    start: Int64s
    end: Int64s
    kind: Int64s
    day_start: Int64s
    day_end: Int64s

    def __post_init__(self) -> None:
        if (self.start[1:] < self.end[:-1]).any() or (self.end <= self.start).any():
            raise ValueError("spans of trading must rise and may not overlap")

    def row_of(self, instants: Int64s) -> Int64s:
        """Return the span in which each instant of shape (n,) lies, -1 where none does."""
        if not len(self.start):
            return np.full(len(instants), -1, dtype=np.int64)
        row = np.searchsorted(self.start, instants, side="right") - 1
        inside = (row >= 0) & (instants < self.end[np.clip(row, 0, None)])
        found: Int64s = np.where(inside, row, -1).astype(np.int64)
        return found
