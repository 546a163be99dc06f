"""Where a record came from, and whom to believe when two sources differ."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Source(StrEnum):
    """Name the origin of a record."""

    SCHWAB = "schwab"
    SCHWAB_SIM = "schwab-sim"
    FILE = "file"

    @property
    def rank(self) -> int:
        """Return how much the source is believed; the higher wins."""
        return _RANKS[self]

    @property
    def is_simulated(self) -> bool:
        """Say whether the source is a simulator."""
        return self is Source.SCHWAB_SIM


_RANKS: Final[dict[Source, int]] = {
    Source.SCHWAB: 100,
    Source.FILE: 50,
    Source.SCHWAB_SIM: 0,
}
