"""Count latencies in buckets that grow by a constant factor: little memory, known error."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

_LEAST_NS: Final = 1_000
_STEPS_PER_DOUBLING: Final = 8
_BUCKETS: Final = 40 * _STEPS_PER_DOUBLING
ERROR: Final = 2 ** (1 / _STEPS_PER_DOUBLING) - 1
"""A quantile is right to this share of itself."""


class Latencies:
    """Count durations from a microsecond to twelve days."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, dtype=np.int64)
        self.largest_ns = 0
        self.sum_ns = 0

    def add(self, duration_ns: int, count: int = 1) -> None:
        """Count a duration; one below a microsecond counts as one, negative ones too."""
        steps = math.log2(max(duration_ns, _LEAST_NS) / _LEAST_NS) * _STEPS_PER_DOUBLING
        self._counts[min(int(steps), _BUCKETS - 1)] += count
        self.largest_ns = max(self.largest_ns, duration_ns)
        self.sum_ns += max(duration_ns, 0) * count

    def __len__(self) -> int:
        """Return how many durations were counted."""
        return int(self._counts.sum())

    def at_most(self, bound_ns: int) -> int:
        """Return how many durations lie below a bound; exact for powers of two microseconds."""
        steps = math.log2(max(bound_ns, _LEAST_NS) / _LEAST_NS) * _STEPS_PER_DOUBLING
        return int(self._counts[: round(steps)].sum())

    def quantile_ms(self, share: float) -> float | None:
        """Return the duration that this share of all do not exceed, ms; None without any."""
        total = len(self)
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), math.ceil(share * total)))
        upper: float = _LEAST_NS * 2 ** ((place + 1) / _STEPS_PER_DOUBLING)
        return min(upper, max(self.largest_ns, _LEAST_NS)) / 1e6
