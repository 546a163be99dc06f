"""How fast the streamed market's time runs: with a clock, some times as fast, or step by step."""

from __future__ import annotations

from typing import Final

from infrastructure.clock import Clock, VirtualClock
from infrastructure.errors import InputError

_NS_PER_S: Final = 1_000_000_000


class ScaledClock:
    """Run some times as fast as another clock, from the same start.

    Args:
        clock: The other clock.
        speed: How many seconds pass in one of its seconds, above 0.

    Raises:
        InputError: If the speed is not above 0.
    """

    def __init__(self, clock: Clock, speed: float) -> None:
        if not speed > 0:
            raise InputError(f"a clock's speed is above 0, not {speed}")
        self._clock = clock
        self._speed = speed
        self._now_ns = clock.now_ns()
        self._origin_ns = clock.monotonic_ns()

    def now_ns(self) -> int:
        """Return the scaled time of day, nanoseconds UTC."""
        return self._now_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return scaled nanoseconds since the start."""
        return round((self._clock.monotonic_ns() - self._origin_ns) * self._speed)

    def sleep(self, seconds: float) -> None:
        """Wait for scaled seconds."""
        self._clock.sleep(seconds / self._speed)


class SteppedClock(VirtualClock):
    """Stand still until `step` is called: for a market that runs as fast as clients take it.

    Args:
        start_ns: The first time of day, nanoseconds UTC.
        step_s: Seconds of one step.
    """

    def __init__(self, start_ns: int = 0, step_s: float = 1.0) -> None:
        super().__init__(start_ns)
        self._step_ns = round(step_s * _NS_PER_S)

    def step(self) -> None:
        """Move on by one step."""
        self.advance(self._step_ns)


class StartedTime:
    """Tell a market's time that starts at a moment of its own and moves with a clock.

    Args:
        start_ns: The moment, nanoseconds UTC.
        clock: What moves it.
    """

    def __init__(self, start_ns: int, clock: Clock) -> None:
        self._start_ns = start_ns
        self._clock = clock
        self._origin_ns = clock.monotonic_ns()

    @property
    def now_ns(self) -> int:
        """Return nanoseconds UTC."""
        return self._start_ns + self._clock.monotonic_ns() - self._origin_ns
