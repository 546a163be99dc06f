"""How long to wait before the next restart, and when to give up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits between restarts.

    Attributes:
        first_s: Seconds before the first restart.
        factor: Growth from one wait to the next.
        longest_s: The longest wait, seconds.
        quick_failures: How many failures in a row are borne.
        healthy_after_s: A run of so many seconds ends the row.
    """

    first_s: float = 0.1
    factor: float = 2.0
    longest_s: float = 30.0
    quick_failures: int = 6
    healthy_after_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """Return the wait after so many failures in a row, from 1."""
        exponent = min(max(failures, 1) - 1, 64)
        return float(min(self.first_s * self.factor**exponent, self.longest_s))

    def gives_up(self, failures: int) -> bool:
        """Whether so many failures in a row are too many."""
        return failures > self.quick_failures
