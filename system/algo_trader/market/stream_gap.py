"""A stretch of a stream of which updates are, or may be, missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SILENT: Final = "silent"
"""The reason of a gap that nobody but the usual cadence speaks for."""


class GapState(StrEnum):
    """Say what is known of a gap, and what was done about it."""

    OPEN = "open"
    """Its bars can be fetched afterwards and have not been yet."""
    BACKFILLED = "backfilled"
    """Its bars were fetched afterwards; its updates stay lost."""
    LOST = "lost"
    """Nothing of it can be fetched afterwards."""
    SUSPECTED = "suspected"
    """A silence longer than usual; perhaps nothing happened in it."""


@dataclass(frozen=True, slots=True)
class StreamGap:
    """Name a stretch of one service, as a run knew it.

    Attributes:
        service: The feed's name of the stream.
        source: The name under which the feed's history is stored.
        run_id: The run that missed it.
        reason: Why: what the feed says, or `SILENT`.
        start_ns: When the last update before it came, nanoseconds UTC.
        end_ns: When the first one after it came.
        missing: How many updates, None where nobody counts them.
        instruments: How many instruments the service carried.
        symbols: Those of which bars were lost that can be fetched; of a suspected gap, the silent
            ones.
        state: What is known of it now.
        filled: Bars that were fetched afterwards, None before that.
        absent: Bars that the calendar expects in it and the source does not have either, None
            before fetching.
        recorded_at: When this was known, nanoseconds UTC.
    """

    service: str
    source: str
    run_id: str
    reason: str
    start_ns: int
    end_ns: int
    missing: int | None
    instruments: int
    symbols: tuple[str, ...]
    state: GapState
    filled: int | None
    absent: int | None
    recorded_at: int

    @property
    def identity(self) -> tuple[str, str, str, int, int, tuple[str, ...]]:
        """Return what stays the same whatever becomes of it."""
        return (
            *(self.service, self.run_id, self.reason, self.start_ns, self.end_ns),
            self.symbols,
        )

    @property
    def name(self) -> str:
        """Return a short name, part of the requests that fill it."""
        return f"{self.service}/{self.start_ns}-{self.end_ns}"
