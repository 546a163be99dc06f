"""One budget of requests for all threads, and by way of a shared store for all processes.

A token bucket of `burst` tokens that refills at `per_minute - burst` a minute: whatever the
pattern, no 60 seconds hold more than `per_minute` requests (Schwab's window is not documented, §8).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from infrastructure.clock import Clock

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Bound a number of requests.

    Attributes:
        per_minute: Most in any 60 seconds, 2 or more.
        burst: Most at once, below `per_minute`.
    """

    per_minute: int = 120
    burst: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.burst < self.per_minute:
            raise ValueError(f"burst={self.burst} is not between 0 and {self.per_minute}")

    @property
    def per_s(self) -> float:
        """Tokens that come back each second."""
        return (self.per_minute - self.burst) / 60.0


class Budget(Protocol):
    """Hand out requests."""

    def take(self) -> float:
        """Take one request and return the seconds to wait before it is sent."""


class LocalBudget:
    """Share a budget among the threads of this process.

    Args:
        clock: Refills the bucket.
        rate: The bounds.
    """

    def __init__(self, clock: Clock, rate: Rate | None = None) -> None:
        self.rate = rate if rate is not None else Rate()
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(self.rate.burst)
        self._at_ns = clock.monotonic_ns()

    def take(self) -> float:
        """Take one request and return the seconds to wait; waits queue up behind each other."""
        with self._lock:
            now = self._clock.monotonic_ns()
            refilled = (now - self._at_ns) / NS_PER_S * self.rate.per_s
            self._tokens = min(float(self.rate.burst), self._tokens + refilled) - 1.0
            self._at_ns = now
            return max(0.0, -self._tokens / self.rate.per_s)


class PartOfBudget:
    """Take from a shared budget, and never more than a part of it: the rest is for others.

    Args:
        part: The bounds of this part.
        whole: The budget that all share; None where nobody else asks.
        clock: Refills the part.
    """

    def __init__(self, part: Rate, whole: Budget | None, clock: Clock) -> None:
        self._part = LocalBudget(clock, part)
        self._whole = whole
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Requests that were taken so far."""
        return self._taken

    def take(self) -> float:
        """Take one request of both and return the seconds to wait before it is sent."""
        with self._lock:
            self._taken += 1
        whole_s = 0.0 if self._whole is None else self._whole.take()
        return max(self._part.take(), whole_s)
