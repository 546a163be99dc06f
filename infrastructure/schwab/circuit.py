"""Stop asking a provider that failed many times in a row, and try it again after a while."""

from __future__ import annotations

import threading

from infrastructure.clock import Clock
from infrastructure.errors import CircuitOpen

FAILURES = 8
PAUSE_S = 30.0
_NS_PER_S = 1_000_000_000


class CircuitBreaker:
    """Count failures in a row; threads may share it.

    Args:
        clock: Counts the pause.
        failures: So many in a row open the circuit.
        pause_s: So long nothing is asked; then one request tries.
    """

    def __init__(self, clock: Clock, failures: int = FAILURES, pause_s: float = PAUSE_S) -> None:
        self._clock = clock
        self._most = failures
        self._pause_ns = round(pause_s * _NS_PER_S)
        self._failed = 0
        self._opened_ns = 0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Refuse while the circuit is open; let one request through after the pause.

        Raises:
            CircuitOpen: If it is open.
        """
        with self._lock:
            if self._failed < self._most:
                return
            now = self._clock.monotonic_ns()
            left_s = (self._opened_ns + self._pause_ns - now) / _NS_PER_S
            if left_s > 0:
                raise CircuitOpen(
                    f"Schwab failed {self._failed} times in a row, so nothing is asked for "
                    f"{left_s:.0f} s",
                    next_step="Wait; Schwab's maintenance is usual at nights and weekends.",
                )
            self._opened_ns = now

    def succeeded(self) -> None:
        """Close the circuit."""
        with self._lock:
            self._failed = 0

    def failed(self) -> None:
        """Count one failure."""
        with self._lock:
            self._failed += 1
            if self._failed >= self._most:
                self._opened_ns = self._clock.monotonic_ns()
