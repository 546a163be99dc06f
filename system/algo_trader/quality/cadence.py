"""Suspect silences: who has been quiet for longer than usual while its session is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
_NS_PER_S: Final = 1_000_000_000
_NEVER: Final = np.iinfo(np.int64).min
CLOSED: Final = np.iinfo(np.int64).max
"""Stands for the start of a session where none is open."""


@dataclass(frozen=True, slots=True)
class CadencePolicy:
    """Hold what counts as unusual.

    Attributes:
        floor_s: No silence shorter than this is suspected, seconds.
        factor: How many times the usual longest silence is unusual.
        learned: How many intervals must have been seen before anything is suspected.
        keep: What an interval leaves of the usual longest silence, so that a busy hour forgets a
            quiet one.
    """

    floor_s: float
    factor: float = 4.0
    learned: int = 20
    keep: float = 0.99


@dataclass(frozen=True, slots=True)
class Silence:
    """Name an unusual silence that is over.

    Attributes:
        place: Whose, a position.
        start_ns: When it was last heard, or its session's start, nanoseconds UTC.
        end_ns: When it was heard again, or its session ended.
    """

    place: int
    start_ns: int
    end_ns: int


class Cadence:
    """Learn how often each of some sources is heard, and suspect longer silences.

    Only time within a session counts: a night is no silence. That something is suspected proves
    nothing, since nothing may have happened.

    Args:
        size: How many sources there are.
        policy: What counts as unusual.
    """

    def __init__(self, size: int, policy: CadencePolicy) -> None:
        self._policy = policy
        self._last = np.full(size, _NEVER, dtype=np.int64)
        self._since = np.full(size, CLOSED, dtype=np.int64)
        self._usual = np.zeros(size, dtype=np.float64)
        self._seen = np.zeros(size, dtype=np.int64)
        self._suspected = np.zeros(size, dtype=np.bool_)

    @property
    def suspected(self) -> npt.NDArray[np.bool_]:
        """Return who is unusually silent now, shape (size,)."""
        return self._suspected.copy()

    def heard(self, places: Int64s, at_ns: int) -> list[Silence]:
        """Note who was heard; return the unusual silences that this ends.

        Args:
            places: Positions, in any order and as often as they were heard.
            at_ns: When, nanoseconds UTC.
        """
        ended = [
            Silence(int(place), self._quiet_since(int(place)), at_ns)
            for place in np.unique(places[self._suspected[places]])
        ]
        counted = places[
            ~self._suspected[places]
            & (self._since[places] != CLOSED)
            & (self._last[places] >= self._since[places])
        ]
        interval = (at_ns - self._last[counted]).astype(np.float64)
        # The later of equal places wins, with an interval of the same length.
        self._usual[counted] = np.maximum(interval, self._usual[counted] * self._policy.keep)
        self._seen[counted] += 1
        self._last[places] = at_ns
        self._suspected[places] = False
        return ended

    def look(self, now_ns: int, since_ns: Int64s) -> list[Silence]:
        """Suspect who is silent for too long; return silences that ended with their session.

        Args:
            now_ns: The time, nanoseconds UTC.
            since_ns: When the session of each source began that is open now, `CLOSED` where none
                is, shape (size,).
        """
        closing = self._suspected & ((since_ns == CLOSED) | (since_ns > self._since))
        ended = [
            Silence(int(place), self._quiet_since(int(place)), now_ns)
            for place in np.flatnonzero(closing)
        ]
        self._suspected[closing] = False
        self._since = since_ns.astype(np.int64)
        is_open = (self._since != CLOSED) & (self._seen >= self._policy.learned)
        quiet = now_ns - np.maximum(self._last, np.minimum(self._since, now_ns))
        limit = np.maximum(self._usual * self._policy.factor, self._policy.floor_s * _NS_PER_S)
        self._suspected |= is_open & (quiet > limit)
        return ended

    def excuse(self, places: Int64s, at_ns: int) -> None:
        """Begin anew with some: what they did not say until now is known or counted elsewhere."""
        self._suspected[places] = False
        heard = places[self._last[places] != _NEVER]
        self._last[heard] = np.maximum(self._last[heard], at_ns)

    def _quiet_since(self, place: int) -> int:
        return int(max(self._last[place], self._since[place]))
