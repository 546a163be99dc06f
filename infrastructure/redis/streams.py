"""Streams: bounded logs that several readers and consumer groups read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from infrastructure.errors import UsageError
from infrastructure.redis.session import RedisSession, Value


class StreamEntry(NamedTuple):
    """One entry of a stream.

    Attributes:
        id: Its id, `milliseconds-sequence`.
        fields: Its fields as stored; empty for a pending entry that was deleted since.
    """

    id: str
    fields: dict[str, bytes]


class Streams(RedisSession):
    """Append to streams and read them."""

    def xadd(
        self,
        stream: str,
        fields: Mapping[str, Value],
        *,
        max_length: int | None = None,
        exact: bool = False,
        entry_id: str = "*",
    ) -> str:
        """Append an entry and return its id.

        Args:
            stream: The stream's name.
            fields: At least one field.
            max_length: Drop the oldest entries beyond so many.
            exact: Drop them at once; otherwise Redis keeps a few more, which is far cheaper.
            entry_id: The id, "*" for the server's next.
        """
        with self.asking(f"XADD {stream}") as server:
            added = server.xadd(
                self.key(stream),
                dict(fields),
                id=entry_id,
                maxlen=max_length,
                approximate=not exact,
            )
        return _id(added)

    def xlen(self, stream: str) -> int:
        """Return how many entries a stream has."""
        with self.asking(f"XLEN {stream}") as server:
            return int(server.xlen(self.key(stream)))

    def xrange(
        self, stream: str, start: str = "-", end: str = "+", count: int | None = None
    ) -> list[StreamEntry]:
        """Return the entries from one id to another, both included."""
        with self.asking(f"XRANGE {stream}") as server:
            return _entries(server.xrange(self.key(stream), start, end, count=count))

    def page_of(
        self, stream: str, after: str, count: int
    ) -> tuple[str | None, str | None, list[StreamEntry]]:
        """Return what a stream holds at one moment.

        Args:
            stream: Its name.
            after: The id behind which entries are wanted.
            count: The most of them.

        Returns:
            The ids of its first and its last entry, None where it has none; the wanted entries.
        """
        key = self.key(stream)
        with self.asking(f"XRANGE {stream}") as server:
            pipe = server.pipeline(transaction=True)
            pipe.xrange(key, count=1)
            pipe.xrevrange(key, count=1)
            pipe.xrange(key, f"({after}", "+", count=count)
            first, last, found = (_entries(each) for each in pipe.execute())
        return (first[0].id if first else None), (last[0].id if last else None), found

    def last_id(self, stream: str) -> str:
        """Return the id of the newest entry of a stream, "0" when there is none."""
        with self.asking(f"XREVRANGE {stream}") as server:
            found = _entries(server.xrevrange(self.key(stream), count=1))
        return found[0].id if found else "0"

    def xdel(self, stream: str, *ids: str) -> int:
        """Delete entries and return how many were there."""
        with self.asking(f"XDEL {stream}") as server:
            return int(server.xdel(self.key(stream), *ids))

    def xread(
        self, after: Mapping[str, str], *, count: int | None = None, block_ms: int | None = None
    ) -> dict[str, list[StreamEntry]]:
        """Return new entries by stream; a stream without any is left out.

        Args:
            after: The last id seen by stream; "0" for all, "$" for those from now on.
            count: How many of each stream at most.
            block_ms: Wait so long for the first, None not at all.

        Raises:
            UsageError: If the wait reaches the client's time-out.
        """
        self._check_wait(block_ms)
        with self.asking(f"XREAD {' '.join(after)}") as server:
            answer = server.xread(
                {self.key(stream): last for stream, last in after.items()},
                count=count,
                block=block_ms,
            )
        return self._by_stream(answer)

    def xgroup_create(self, stream: str, group: str, *, after: str = "$") -> bool:
        """Make a consumer group, and the stream with it; False when the group is there.

        Args:
            stream: The stream's name.
            group: The group's name.
            after: The group gets what follows this id; "0" for all there is.
        """
        with self.asking(f"XGROUP CREATE {stream}") as server:
            try:
                server.xgroup_create(self.key(stream), group, id=after, mkstream=True)
            except ResponseError as error:
                if not str(error).upper().startswith("BUSYGROUP"):
                    raise
                return False
            return True

    def xgroup_destroy(self, stream: str, group: str) -> bool:
        """Remove a consumer group; whether it was there."""
        with self.asking(f"XGROUP DESTROY {stream}") as server:
            return bool(server.xgroup_destroy(self.key(stream), group))

    def xreadgroup(
        self,
        group: str,
        consumer: str,
        after: Mapping[str, str],
        *,
        count: int | None = None,
        block_ms: int | None = None,
    ) -> dict[str, list[StreamEntry]]:
        """Return entries for one consumer of a group; each has to be acknowledged by `xack`.

        Args:
            group: The group's name.
            consumer: This reader's name; ids other than ">" repeat what it has not acknowledged.
            after: ">" for new entries, by stream.
            count: How many of each stream at most.
            block_ms: Wait so long for the first, None not at all.

        Raises:
            InputError: If there is no such group.
            UsageError: If the wait reaches the client's time-out.
        """
        self._check_wait(block_ms)
        with self.asking(f"XREADGROUP {' '.join(after)}") as server:
            answer = server.xreadgroup(
                group,
                consumer,
                {self.key(stream): last for stream, last in after.items()},
                count=count,
                block=block_ms,
            )
        return self._by_stream(answer)

    def xack(self, stream: str, group: str, *ids: str) -> int:
        """Acknowledge entries and return how many were pending."""
        with self.asking(f"XACK {stream}") as server:
            return int(server.xack(self.key(stream), group, *ids))

    def xclaim(
        self, stream: str, group: str, consumer: str, *ids: str, idle_ms: int
    ) -> list[StreamEntry]:
        """Take pending entries over from a consumer that has let them lie.

        Args:
            stream: The stream's name.
            group: The group's name.
            consumer: Who takes them.
            *ids: Which.
            idle_ms: Only those that lay so long.
        """
        with self.asking(f"XCLAIM {stream}") as server:
            return _entries(server.xclaim(self.key(stream), group, consumer, idle_ms, list(ids)))

    def xautoclaim(
        self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int | None = None
    ) -> list[StreamEntry]:
        """Take over the oldest entries that any consumer has let lie; deleted ones are left out.

        Args:
            stream: The stream's name.
            group: The group's name.
            consumer: Who takes them.
            idle_ms: Only those that lay so long.
            count: How many at most.

        Raises:
            InputError: If there is no such group.
        """
        with self.asking(f"XAUTOCLAIM {stream}") as server:
            answer = server.xautoclaim(
                self.key(stream), group, consumer, min_idle_time=idle_ms, count=count
            )
        return _entries(answer[1])

    def _check_wait(self, block_ms: int | None) -> None:
        if block_ms is not None and not 0 < block_ms < self.timeout_s * 1000:
            raise UsageError(
                f"a read waits {block_ms} ms, expected more than 0 and less than the time-out of "
                f"{self.timeout_s:g} s"
            )

    def _by_stream(self, answer: Any) -> dict[str, list[StreamEntry]]:
        pairs = answer.items() if isinstance(answer, dict) else answer or []
        return {self.name(key): _entries(entries) for key, entries in pairs}


def _entries(entries: Any) -> list[StreamEntry]:
    return [
        StreamEntry(
            _id(entry_id),
            {name.decode(errors="backslashreplace"): value for name, value in fields.items()}
            if fields
            else {},
        )
        for entry_id, fields in entries or []
    ]


def _id(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def entry_key(entry_id: str) -> tuple[int, int]:
    """Return an entry's id as numbers that sort as entries do."""
    time, _, number = entry_id.partition("-")
    return int(time), int(number or 0)
