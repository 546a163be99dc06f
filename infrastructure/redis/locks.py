"""Locks that expire, and whose tokens only ever grow.

A lock in Redis can end while its holder sleeps. Whatever the holder writes should therefore
carry the lock's token, and be refused where a higher one has been seen (Kleppmann, "How to do
distributed locking", 2016). Tokens are counted by the server that holds the lock; if it loses
the last second of its journal in a power cut, it may count that second's tokens again.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from infrastructure.errors import RetryableError, UsageError
from infrastructure.logging import get_logger
from infrastructure.redis.session import RedisSession, milliseconds

_ACQUIRE = """
if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return redis.call('incr', KEYS[2])
end
return 0
"""
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
_EXTEND = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('pexpire', KEYS[1], ARGV[2])
end
return 0
"""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock as it was taken.

    Attributes:
        name: Its name.
        token: Higher than that of every earlier holder.
        owner: Proves the ownership to the server.
    """

    name: str
    token: int
    owner: str


class Locks(RedisSession):
    """Take locks across processes and machines."""

    def acquire_lock(
        self,
        name: str,
        ttl: float = 30.0,
        retry_interval: float = 0.1,
        max_retries: int = 0,
    ) -> HeldLock:
        """Take a lock.

        Args:
            name: Its name.
            ttl: Seconds until it ends by itself.
            retry_interval: Seconds between two tries.
            max_retries: Tries after the first.

        Raises:
            RetryableError: If another holds it after the last try.
        """
        lifetime = milliseconds(ttl, "the lock's time to live")
        owner = secrets.token_hex(16)
        for attempt in range(max_retries + 1):
            if attempt:
                self.clock.sleep(retry_interval)
            with self.asking(f"lock {name}") as server:
                token = int(
                    server.register_script(_ACQUIRE)(self._lock_keys(name), [owner, lifetime])
                )
            if token:
                return HeldLock(name, token, owner)
        raise RetryableError(
            f"the lock {name!r} is held by another process",
            next_step="Wait for it to end; it ends by itself if it was killed.",
        )

    def release_lock(self, lock: HeldLock) -> bool:
        """Give a lock back; False when it had ended before, and may be another's now."""
        with self.asking(f"unlock {lock.name}") as server:
            script = server.register_script(_RELEASE)
            return bool(script(self._lock_keys(lock.name)[:1], [lock.owner]))

    def extend_lock(self, lock: HeldLock, ttl: float = 30.0) -> bool:
        """Let a lock live so many seconds from now; False when it has ended before."""
        lifetime = milliseconds(ttl, "the lock's time to live")
        with self.asking(f"extend lock {lock.name}") as server:
            script = server.register_script(_EXTEND)
            return bool(script(self._lock_keys(lock.name)[:1], [lock.owner, lifetime]))

    @contextlib.contextmanager
    def lock(
        self, name: str, *, ttl: float = 30.0, wait_s: float = 10.0, retry_interval: float = 0.05
    ) -> Iterator[HeldLock]:
        """Hold a lock for the length of a block.

        Args:
            name: Its name.
            ttl: Seconds until it ends by itself; longer than the block, or extended in it.
            wait_s: Seconds to wait for it.
            retry_interval: Seconds between two tries.

        Raises:
            RetryableError: If another holds it for so long.
        """
        if not retry_interval > 0:
            raise UsageError(f"the retry interval is {retry_interval}, expected more than 0 s")
        held = self.acquire_lock(name, ttl, retry_interval, int(wait_s / retry_interval))
        try:
            yield held
        finally:
            if not self.release_lock(held):
                _log.warning("the lock %s ended after %g s, before its block did", name, ttl)

    def _lock_keys(self, name: str) -> list[str]:
        """Return the keys of a lock and of its counter, on the same node of a cluster."""
        return [self.key(f"lock:{{{name}}}"), self.key(f"lock:{{{name}}}:fence")]
