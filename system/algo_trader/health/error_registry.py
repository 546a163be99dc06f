"""The errors of all processes of a realm, in Redis: open, acknowledged or resolved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore, ServiceUnavailable, UsageError
from system.algo_trader.health.error_entry import STATES, ErrorEntry, ErrorState
from system.algo_trader.health.occurrence import Occurrence
from system.algo_trader.storage.hot_keys import ERRORS

if TYPE_CHECKING:
    from system.algo_trader.clients.redis_client import AlgoTraderRedisClient

MOST_ENTRIES: Final = 1000
CLAIM_NS: Final = 120_000_000_000
"""How long an escalation is left to the process that began it, which may have died meanwhile."""
_MOST_TRIES: Final = 200

_SWAP: Final = """
local held = redis.call('hget', KEYS[1], ARGV[1])
if (held or '') ~= ARGV[2] then return 'changed' end
if ARGV[3] == '' then
  redis.call('hdel', KEYS[1], ARGV[1])
  return 'done'
end
if not held and redis.call('hlen', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
redis.call('hset', KEYS[1], ARGV[1], ARGV[3])
return 'done'
"""
"""Put one value of the hash in place of another, if nobody has meanwhile. What the new value is
is said in Python: numbers of Lua are too short for nanoseconds."""


class ErrorRegistry:
    """Keep one entry for each error, whichever process it happens in.

    Entries change one at a time and as a whole, so that processes lose nothing of each other's.

    Args:
        redis: Where they are; its namespace is the realm's.
        clock: Stamps what a person does.
        most: Entries that are kept: for a new one the resolved one goes that was seen longest ago,
            and where none is resolved any other.
    """

    def __init__(
        self, redis: AlgoTraderRedisClient, clock: Clock, *, most: int = MOST_ENTRIES
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._most = most

    def record(self, seen: Occurrence) -> ErrorEntry:
        """Count an error, open or reopen its entry, and return it.

        Where Redis did the work and its answer is lost, a second call counts once too often.

        Raises:
            StackError: If Redis does not answer.
        """
        return self._changed(
            seen.id, lambda held: ErrorEntry.of(seen) if held is None else held.seen(seen)
        )

    def entries(
        self, state: ErrorState | None = None, limit: int = MOST_ENTRIES
    ) -> list[ErrorEntry]:
        """Return entries, those that were seen last first.

        Args:
            state: Only those in it; None for all.
            limit: At most so many.

        Raises:
            StackError: If Redis does not answer, or holds what is no entry.
        """
        found = [each for each in self._all() if state in (None, each.state)]
        found.sort(key=lambda each: (-each.last_seen_ns, each.id))
        return found[:limit]

    def entry(self, id: str) -> ErrorEntry:
        """Return one entry.

        Raises:
            UsageError: If there is none of that id.
        """
        _, held = self._held(id)
        return _there(id, held)

    def acknowledge(self, id: str, note: str | None = None) -> ErrorEntry:
        """Say that a person knows of an error, and return its entry; it is not escalated then.

        Raises:
            UsageError: If there is none of that id, or it is resolved.
        """
        now_ns = self._clock.now_ns()
        return self._changed(id, lambda held: _there(id, held).acknowledged(note, now_ns))

    def resolve(self, id: str, note: str | None = None) -> ErrorEntry:
        """Say that an error's cause is mended, and return its entry; it may come again.

        Raises:
            UsageError: If there is none of that id.
        """
        now_ns = self._clock.now_ns()
        return self._changed(id, lambda held: _there(id, held).resolved(note, now_ns))

    def counts(self) -> dict[ErrorState, int]:
        """Return how many entries are in which state."""
        found = [each.state for each in self._all()]
        return {state: found.count(state) for state in STATES}

    def claim_escalation(self, id: str, after_s: float) -> ErrorEntry | None:
        """Take it upon this process to escalate an error; None if it is not due any more.

        Of processes that try at the same time one gets the entry. One that dies before it calls
        `escalated` has its claim taken over after two minutes.

        Args:
            id: Of the entry.
            after_s: How long an error is open before it is escalated, seconds.
        """
        now_ns = self._clock.now_ns()

        def claimed(held: ErrorEntry | None) -> ErrorEntry | None:
            if held is None or not held.is_due(now_ns, round(after_s * 1e9)):
                return None
            begun_ns = held.escalation_begun_ns
            if begun_ns is not None and now_ns - begun_ns < CLAIM_NS:
                return None
            return msgspec.structs.replace(held, escalation_begun_ns=now_ns)

        return self._changed_if(id, claimed)

    def escalated(self, id: str, note: str | None = None) -> ErrorEntry | None:
        """Mark an error as escalated in this opening, and return its entry; None if it is gone.

        Args:
            id: Of the entry.
            note: What is to be said about it.
        """
        now_ns = self._clock.now_ns()

        def marked(held: ErrorEntry | None) -> ErrorEntry | None:
            if held is None:
                return None
            made = msgspec.structs.replace(held, escalated_at_ns=now_ns)
            return made if note is None else made.noted(note, now_ns)

        return self._changed_if(id, marked)

    def _changed(self, id: str, change: Callable[[ErrorEntry | None], ErrorEntry]) -> ErrorEntry:
        made = self._changed_if(id, change)
        assert made is not None
        return made

    def _changed_if(
        self, id: str, change: Callable[[ErrorEntry | None], ErrorEntry | None]
    ) -> ErrorEntry | None:
        for _ in range(_MOST_TRIES):
            held, entry = self._held(id)
            made = change(entry)
            if made is None:
                return None
            answer = self._swap(id, held, msgspec.json.encode(made))
            if answer == b"done":
                return made
            if answer == b"full":
                self._make_room()
        raise ServiceUnavailable(f"the error {id} is being changed by too many processes at once")

    def _make_room(self) -> None:
        """Remove the entry that is missed least, unless somebody has changed it meanwhile."""
        kept = sorted(
            self._all(), key=lambda each: (each.state != "resolved", each.last_seen_ns, each.id)
        )
        for entry in kept[: len(kept) - self._most + 1]:
            held, same = self._held(entry.id)
            if same == entry:
                self._swap(entry.id, held, b"")

    def _swap(self, id: str, held: bytes, made: bytes) -> bytes:
        with self._redis.asking(f"change {ERRORS.pattern}") as server:
            swap = server.register_script(_SWAP)
            answer: bytes = swap([self._redis.key(ERRORS.of())], [id, held, made, self._most])
            return answer

    def _held(self, id: str) -> tuple[bytes, ErrorEntry | None]:
        with self._redis.asking(f"HGET {ERRORS.pattern}") as server:
            held: bytes | None = server.hget(self._redis.key(ERRORS.of()), id)
        return (b"", None) if held is None else (held, _decoded(held))

    def _all(self) -> list[ErrorEntry]:
        with self._redis.asking(f"HVALS {ERRORS.pattern}") as server:
            values: Any = server.hvals(self._redis.key(ERRORS.of()))
        return [_decoded(value) for value in values]


def _there(id: str, held: ErrorEntry | None) -> ErrorEntry:
    if held is None:
        raise UsageError(
            f"there is no error {id!r}", next_step="`errors list --state all` names them."
        )
    return held


def _decoded(value: bytes) -> ErrorEntry:
    try:
        return msgspec.json.decode(value, type=ErrorEntry)
    except msgspec.DecodeError as error:
        raise CorruptStore(
            f"an entry of the errors in Redis cannot be read: {error}",
            next_step=f"Remove the key {ERRORS.pattern!r} of the realm's namespace.",
        ) from error
