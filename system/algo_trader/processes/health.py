"""How a long-running process is, in a word and reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from infrastructure.clock import Clock


class State(StrEnum):
    """Name a state."""

    OK = "ok"
    DEGRADED = "degraded"
    """It works, and something is missing or late."""
    DOWN = "down"
    """It does not work any more: starting it anew may help."""


@dataclass(frozen=True, slots=True)
class Health:
    """Say how a process is.

    Attributes:
        state: The word.
        reasons: One sentence for each thing that is not as it should be.
    """

    state: State
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, degraded: tuple[str, ...] = (), down: tuple[str, ...] = ()) -> Health:
        """Return the state that reasons make."""
        state = State.DOWN if down else State.DEGRADED if degraded else State.OK
        return cls(state, (*down, *degraded))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON output."""
        return asdict(self)


HealthCheck = Callable[[], Health]


class Pulse:
    """Know when a job that goes round last did something.

    Args:
        clock: Measures.
        longest_s: Seconds after which silence is degraded; None where it may wait for hours.
    """

    def __init__(self, clock: Clock, longest_s: float | None = None) -> None:
        self._clock = clock
        self._longest_s = longest_s
        self._last_ns = clock.monotonic_ns()
        self.rounds = 0

    @property
    def silent_s(self) -> float:
        """Return the seconds since the last beat."""
        return (self._clock.monotonic_ns() - self._last_ns) / 1e9

    def beat(self) -> None:
        """Note that a round is done."""
        self._last_ns = self._clock.monotonic_ns()
        self.rounds += 1

    def health(self) -> Health:
        """Return how the job is."""
        if self._longest_s is None or self.silent_s <= self._longest_s:
            return Health.of()
        return Health.of((f"its last round was {self.silent_s:.0f} s ago",))
