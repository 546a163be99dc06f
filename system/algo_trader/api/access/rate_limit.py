"""How often somebody may ask: a bucket of tokens for each."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from infrastructure.clock import Clock

MOST_BUCKETS: Final = 10_000
_BURST_SHARE: Final = 0.1
_LEAST_BURST: Final = 10
_NS_PER_MINUTE: Final = 60e9


class Allowance(NamedTuple):
    """Say whether a request may go on.

    Attributes:
        is_allowed: Whether.
        limit: Requests a minute.
        remaining: How many may follow at once.
        retry_after_s: Seconds until the next one may; 0 where one may now.
    """

    is_allowed: bool
    limit: int
    remaining: int
    retry_after_s: float


class RateLimits:
    """Count by name. Whoever asks from several threads brings the lock.

    A bucket holds a tenth of its minute's requests, ten at least: so many may come at once.

    Args:
        clock: Tells the time.
        most: How many names are remembered; the ones that asked longest ago are forgotten.
    """

    def __init__(self, clock: Clock, most: int = MOST_BUCKETS) -> None:
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str, per_minute: int, cost: float = 1.0) -> Allowance:
        """Take tokens out of a bucket, if it has as many."""
        now_ns = self._clock.monotonic_ns()
        burst = max(_LEAST_BURST, per_minute * _BURST_SHARE)
        tokens, then_ns = self._buckets.pop(name, (burst, now_ns))
        per_ns = per_minute / _NS_PER_MINUTE
        tokens = min(burst, tokens + (now_ns - then_ns) * per_ns)
        is_allowed = tokens >= cost
        if is_allowed:
            tokens -= cost
        self._buckets[name] = (tokens, now_ns)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        wait_s = 0.0 if is_allowed else (cost - tokens) / per_ns / 1e9
        return Allowance(is_allowed, per_minute, int(tokens), wait_s)
