"""A clock that runs faster than the machine's, and that can be moved forward."""

from __future__ import annotations

import threading
from typing import Final

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import InputError

# "max": a day passes in a second.
FASTEST: Final = 86_400.0


class PacedClock:
    """Run at a multiple of another clock's pace.

    Args:
        speed: 1 for real time, up to `FASTEST`.
        base: The clock that it follows.

    Raises:
        InputError: If the speed is out of range.
    """

    def __init__(self, speed: float = 1.0, base: Clock | None = None) -> None:
        if not 1.0 <= speed <= FASTEST:
            raise InputError(f"the clock's speed is from 1 to {FASTEST:g}, not {speed:g}")
        self.speed = speed
        self._base = base or SystemClock()
        self._start_ns = self._base.now_ns()
        self._origin_ns = self._base.monotonic_ns()
        self._added_ns = 0
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Return the paced time of day in nanoseconds UTC."""
        return self._start_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return the paced nanoseconds since this clock was made."""
        passed = self._base.monotonic_ns() - self._origin_ns
        with self._lock:
            return round(passed * self.speed) + self._added_ns

    def advance(self, *, seconds: float) -> None:
        """Move forward at once.

        Raises:
            InputError: If the step is backwards.
        """
        if seconds < 0:
            raise InputError(f"a clock advances by zero or more seconds, not by {seconds:g}")
        with self._lock:
            self._added_ns += round(seconds * 1_000_000_000)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of this clock."""
        self._base.sleep(seconds / self.speed)
