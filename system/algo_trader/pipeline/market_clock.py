"""A clock that tells the market's time: a replay's in a simulated run, else the machine's."""

from __future__ import annotations

from collections.abc import Callable

from infrastructure.clock import Clock


class MarketClock:
    """Tell the market's time of day, and measure and wait by the machine.

    Args:
        now_ns: Tells the market's time, nanoseconds UTC.
        machine: Measures and waits.
    """

    def __init__(self, now_ns: Callable[[], int], machine: Clock) -> None:
        self._now_ns = now_ns
        self._machine = machine

    def now_ns(self) -> int:
        """Return the market's time, nanoseconds UTC."""
        return self._now_ns()

    def monotonic_ns(self) -> int:
        """Return the machine's nanoseconds, which never run backwards."""
        return self._machine.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Wait for seconds of the machine."""
        self._machine.sleep(seconds)
