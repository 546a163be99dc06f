"""Hashes of last values that live here and in Redis, and outlast an outage of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from infrastructure.errors import OperatorError, RetryableError, StackError
from infrastructure.logging import get_logger
from infrastructure.redis.pipelines import Pipelines
from infrastructure.redis.session import Value

WHOLE_NS: Final = 30_000_000_000
"""How often everything known is sent again: a Redis that lost its data has it back within it."""
_log = get_logger(__name__)


class HotHashes:
    """Merge fields into hashes; Redis gets what changed, and once it is back what it missed.

    Only the last value of a field counts, so that sending one again changes nothing.

    Args:
        redis: Where others read them.
    """

    def __init__(self, redis: Pipelines) -> None:
        self._redis = redis
        self._whole_due_ns = redis.clock.monotonic_ns() + WHOLE_NS
        self._known: dict[str, dict[str, Value]] = {}
        self._changed: dict[str, dict[str, Value | None]] = {}
        self._lock = threading.Lock()
        self.failure: StackError | None = None

    def update(self, name: str, fields: Mapping[str, Value | None]) -> None:
        """Merge fields into a hash; None removes one. Nothing is sent before `flush`."""
        with self._lock:
            known = self._known.setdefault(name, {})
            changed = {field: value for field, value in fields.items() if known.get(field) != value}
            if not changed:
                return
            for field, value in changed.items():
                if value is None:
                    known.pop(field, None)
                else:
                    known[field] = value
            self._changed.setdefault(name, {}).update(changed)

    def get(self, name: str) -> dict[str, Value]:
        """Return a hash as this process merged it: the same while Redis is away."""
        with self._lock:
            return dict(self._known.get(name, {}))

    def flush(self) -> bool:
        """Send what changed in one round trip; return False while Redis takes nothing.

        Raises:
            StackError: If Redis refuses it for good.
        """
        now_ns = self._redis.clock.monotonic_ns()
        with self._lock:
            if self.failure is not None or now_ns >= self._whole_due_ns:
                for name, known in self._known.items():
                    self._changed[name] = {**known, **self._changed.get(name, {})}
                self._whole_due_ns = now_ns + WHOLE_NS
            changed, self._changed = self._changed, {}
        pipeline = self._redis.pipeline(transaction=False)
        for name, fields in changed.items():
            there = [each for each in fields.items() if each[1] is not None]
            gone = [field for field, value in fields.items() if value is None]
            if there:
                pipeline.add("hset", name, items=[part for each in there for part in each])
            if gone:
                pipeline.add("hdel", name, *gone)
        try:
            pipeline.execute()
        except (RetryableError, OperatorError) as error:
            if self.failure is None:
                _log.warning("last values stay in this process: %s", error)
            self.failure = error
            with self._lock:
                # What changed meanwhile is newer.
                for name, fields in changed.items():
                    self._changed[name] = {**fields, **self._changed.get(name, {})}
            return False
        self.failure = None
        return True
