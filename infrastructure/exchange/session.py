"""One trading session of a calendar, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

SessionKind = Literal["rth", "ext", "all"]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Session:
    """Describe one trading date's hours.

    All instants are int64 nanoseconds UTC; a span is half-open, [start, end).

    Attributes:
        date: The trading date (the date on the statement). A Globex session that opens on
            Sunday evening belongs to Monday.
        open_ns: The first instant of the calendar's own session (see `Calendar.main_kind`).
        close_ns: The instant at which that session ends.
        is_early_close: Whether it ends before the usual time.
        rth: Spans of regular trading hours; empty where an early close leaves none.
        ext: Spans outside regular trading hours in which the market trades.
        all: Spans of any trading, touching neighbours joined.
    """

    date: date
    open_ns: int
    close_ns: int
    is_early_close: bool
    rth: tuple[Span, ...]
    ext: tuple[Span, ...]
    all: tuple[Span, ...]

    def spans(self, kind: SessionKind) -> tuple[Span, ...]:
        """Return the spans of one kind of session."""
        return {"rth": self.rth, "ext": self.ext, "all": self.all}[kind]
