"""Strings, JSON, hashes, sets and lists under one namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any, cast

from infrastructure.errors import CorruptStore, UsageError
from infrastructure.redis.session import SCAN_COUNT, RedisSession, Value, as_text, milliseconds


class Values(RedisSession):
    """Read and write values. A missing key or field is None; nothing else is."""

    def get(self, key: str) -> str | None:
        """Return a string, None when the key is missing."""
        return as_text(self.get_bytes(key), key)

    def get_bytes(self, key: str) -> bytes | None:
        """Return a value as bytes, None when the key is missing."""
        with self.asking(f"GET {key}") as server:
            return cast(bytes | None, server.get(self.key(key)))

    def set(
        self, key: str, value: Value, ttl: float | None = None, *, only_if_absent: bool = False
    ) -> bool:
        """Store a value; whether it was stored, which only `only_if_absent` can prevent.

        Args:
            key: Its name.
            value: Text, bytes or a number.
            ttl: Seconds to live, None for ever.
            only_if_absent: Leave a value that is there.
        """
        lifetime = milliseconds(ttl, "the time to live")
        with self.asking(f"SET {key}") as server:
            return bool(server.set(self.key(key), value, px=lifetime, nx=only_if_absent))

    def get_json(self, key: str) -> Any:
        """Return the value of a JSON text, None when the key is missing.

        Raises:
            CorruptStore: If the text is no JSON.
        """
        text = self.get(key)
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise CorruptStore(f"the Redis value of {key!r} is no JSON: {error}") from error

    def set_json(self, key: str, value: Any, ttl: float | None = None) -> bool:
        """Store a value as JSON text.

        Raises:
            UsageError: If JSON has no form for it, as for NaN.
        """
        try:
            text = json.dumps(value, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the value for {key!r} has no JSON form: {error}") from error
        return self.set(key, text, ttl)

    def increment(self, key: str, by: int = 1) -> int:
        """Add to a whole number that starts at 0, and return the sum."""
        with self.asking(f"INCRBY {key}") as server:
            return int(server.incrby(self.key(key), by))

    def exists(self, key: str) -> bool:
        """Whether a key is there."""
        with self.asking(f"EXISTS {key}") as server:
            return bool(server.exists(self.key(key)))

    def delete(self, *keys: str) -> int:
        """Delete keys and return how many were there."""
        with self.asking("DEL") as server:
            return sum(int(server.delete(self.key(key))) for key in keys)

    def expire(self, key: str, seconds: float) -> bool:
        """Let a key live so many seconds more; whether it is there."""
        lifetime = milliseconds(seconds, "the time to live")
        with self.asking(f"PEXPIRE {key}") as server:
            return bool(server.pexpire(self.key(key), lifetime))

    def ttl(self, key: str) -> float | None:
        """Return the seconds that a key has left; None when it lives for ever or is missing."""
        with self.asking(f"PTTL {key}") as server:
            left = int(server.pttl(self.key(key)))
        return left / 1000 if left >= 0 else None

    def keys(self, pattern: str = "*") -> list[str]:
        """Return the sorted names that match a pattern of KEYS, found by SCAN."""
        with self.asking("SCAN") as server:
            found = {
                self.name(key)
                for key in server.scan_iter(match=self.pattern(pattern), count=SCAN_COUNT)
            }
        return sorted(found)

    def flushdb(self) -> int:
        """Delete this namespace and no other, and return how many keys went."""
        removed = 0
        with self.asking("SCAN and UNLINK") as server:
            batch: list[bytes] = []
            for key in server.scan_iter(match=self.pattern("*"), count=SCAN_COUNT):
                batch.append(key)
                if len(batch) >= SCAN_COUNT:
                    removed += _unlink(server, batch)
                    batch = []
            return removed + _unlink(server, batch)

    def hget(self, key: str, field: str) -> str | None:
        """Return one field of a hash, None when it is missing."""
        with self.asking(f"HGET {key}") as server:
            value = server.hget(self.key(key), field)
        return as_text(value, key)

    def hset(self, key: str, field: str, value: Value, ttl: float | None = None) -> int:
        """Set one field of a hash; return 1 when it is new."""
        return self.hmset(key, {field: value}, ttl)

    def hmset(self, key: str, mapping: Mapping[str, Value], ttl: float | None = None) -> int:
        """Set fields of a hash, and its time to live in the same step; return how many are new.

        Raises:
            UsageError: If there is no field.
        """
        if not mapping:
            raise UsageError(f"the hash {key!r} was given no field to set")
        lifetime = milliseconds(ttl, "the time to live")
        with self.asking(f"HSET {key}") as server:
            if lifetime is None:
                return int(server.hset(self.key(key), mapping=dict(mapping)))
            with server.pipeline(transaction=True) as pipeline:
                pipeline.hset(self.key(key), mapping=dict(mapping))
                pipeline.pexpire(self.key(key), lifetime)
                return int(pipeline.execute()[0])

    def hgetall(self, key: str) -> dict[str, str]:
        """Return all fields of a hash, empty when it is missing."""
        with self.asking(f"HGETALL {key}") as server:
            fields = server.hgetall(self.key(key))
        return {
            cast(str, as_text(field, key)): cast(str, as_text(value, key))
            for field, value in fields.items()
        }

    def hdel(self, key: str, *fields: str) -> int:
        """Delete fields of a hash and return how many were there."""
        with self.asking(f"HDEL {key}") as server:
            return int(server.hdel(self.key(key), *fields))

    def sadd(self, key: str, *members: Value) -> int:
        """Add members to a set and return how many are new."""
        with self.asking(f"SADD {key}") as server:
            return int(server.sadd(self.key(key), *members))

    def smembers(self, key: str) -> Set[str]:
        """Return a set's members, empty when it is missing."""
        with self.asking(f"SMEMBERS {key}") as server:
            members = server.smembers(self.key(key))
        return {cast(str, as_text(member, key)) for member in members}

    def srem(self, key: str, *members: Value) -> int:
        """Remove members of a set and return how many were there."""
        with self.asking(f"SREM {key}") as server:
            return int(server.srem(self.key(key), *members))

    def sismember(self, key: str, member: Value) -> bool:
        """Whether a set has a member."""
        with self.asking(f"SISMEMBER {key}") as server:
            return bool(server.sismember(self.key(key), member))

    def scard(self, key: str) -> int:
        """Return how many members a set has."""
        with self.asking(f"SCARD {key}") as server:
            return int(server.scard(self.key(key)))

    def lpush(self, key: str, *values: Value) -> int:
        """Put values before a list, one after the other, and return its length."""
        with self.asking(f"LPUSH {key}") as server:
            return int(server.lpush(self.key(key), *values))

    def rpush(self, key: str, *values: Value) -> int:
        """Put values after a list and return its length."""
        with self.asking(f"RPUSH {key}") as server:
            return int(server.rpush(self.key(key), *values))

    def lpop(self, key: str) -> str | None:
        """Take a list's first value, None when it is empty."""
        with self.asking(f"LPOP {key}") as server:
            value = server.lpop(self.key(key))
        return as_text(value, key)

    def rpop(self, key: str) -> str | None:
        """Take a list's last value, None when it is empty."""
        with self.asking(f"RPOP {key}") as server:
            value = server.rpop(self.key(key))
        return as_text(value, key)

    def llen(self, key: str) -> int:
        """Return a list's length."""
        with self.asking(f"LLEN {key}") as server:
            return int(server.llen(self.key(key)))

    def lrange(self, key: str, start: int, end: int) -> list[str]:
        """Return the values from `start` to `end`, both included; -1 is the last."""
        with self.asking(f"LRANGE {key}") as server:
            values = server.lrange(self.key(key), start, end)
        return [cast(str, as_text(value, key)) for value in values]


def _unlink(server: Any, keys: list[bytes]) -> int:
    if not keys:
        return 0
    with server.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.unlink(key)
        return sum(int(gone) for gone in pipeline.execute())
