"""Clocks: the system's, and a virtual one that tests and the simulator move by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Tell the time and wait. Every function that needs either takes a clock."""

    def now_ns(self) -> int:
        """Return the time of day in nanoseconds since 1970-01-01T00:00:00Z."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds of a clock that never goes backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""


class SystemClock:
    """Read the machine's clocks."""

    def now_ns(self) -> int:
        """Return the time of day in nanoseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds of the machine's monotonic clock."""
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for so many seconds; nothing for zero or less."""
        if seconds > 0:
            time.sleep(seconds)


class VirtualClock:
    """Hold a time that moves only when told; `sleep` moves it and returns at once.

    Args:
        start_ns: The first time of day, nanoseconds UTC.
    """

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._monotonic_ns = 0
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Return the virtual time of day in nanoseconds UTC."""
        with self._lock:
            return self._now_ns

    def monotonic_ns(self) -> int:
        """Return the nanoseconds by which this clock has been advanced."""
        with self._lock:
            return self._monotonic_ns

    def advance(self, ns: int = 0, *, seconds: float = 0.0) -> None:
        """Move the clock forward.

        Args:
            ns: Nanoseconds, not negative.
            seconds: Seconds on top of them, not negative.

        Raises:
            ValueError: If the sum is negative.
        """
        step = ns + round(seconds * NS_PER_S)
        if step < 0:
            raise ValueError(f"a clock advances by zero or more nanoseconds, not by {step}")
        with self._lock:
            self._now_ns += step
            self._monotonic_ns += step

    def set(self, now_ns: int) -> None:
        """Set the time of day, even backwards, as a machine's clock can be set."""
        with self._lock:
            self._now_ns = now_ns

    def sleep(self, seconds: float) -> None:
        """Advance by so many seconds without blocking; nothing for zero or less."""
        if seconds > 0:
            self.advance(seconds=seconds)
