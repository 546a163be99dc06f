"""Frames in a stream: one entry an incoming frame, its rows as columns, acknowledged when written.

A frame is an Arrow record batch in one IPC message; nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, Protocol

import pyarrow as pa

from infrastructure.errors import CorruptStore, InputError
from infrastructure.logging import get_logger
from infrastructure.redis.pipelines import Pipeline
from infrastructure.redis.streams import StreamEntry

FIELD: Final = "arrow"
FRAMES_A_TRIP: Final = 64
REFUSED_KEPT: Final = 1_000
"""Entries that a side stream of refused ones keeps, about."""
TAKEOVER_MS: Final = 30_000
"""A frame that a consumer has held so long is another's: the consumer is dead or stuck."""
_log = get_logger(__name__)


class FrameRedis(Protocol):
    """What frames need of a Redis client; `BaseRedisClient` is one."""

    def pipeline(self, *, transaction: bool = True) -> Pipeline:
        """Begin a pipeline."""

    def xgroup_create(self, stream: str, group: str, *, after: str = "$") -> bool:
        """Make a consumer group."""

    def xreadgroup(
        self,
        group: str,
        consumer: str,
        after: Mapping[str, str],
        *,
        count: int | None = None,
        block_ms: int | None = None,
    ) -> dict[str, list[StreamEntry]]:
        """Return entries for one consumer."""

    def xautoclaim(
        self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int | None = None
    ) -> list[StreamEntry]:
        """Take over entries that any consumer has let lie."""

    def xack(self, stream: str, group: str, *ids: str) -> int:
        """Acknowledge entries."""


def refused_stream(stream: str) -> str:
    """Return the name of the side stream that keeps what was no frame in a stream."""
    return f"{stream}:refused"


def encode_frame(rows: pa.RecordBatch) -> bytes:
    """Return a batch with its schema as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode_frame(entry: StreamEntry) -> pa.Table:
    """Return the rows of an entry.

    Raises:
        CorruptStore: If it is no frame.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(entry.fields[FIELD])) as reader:
            return reader.read_all()
    except (KeyError, pa.ArrowException, OSError) as error:
        raise CorruptStore(f"the stream's entry {entry.id} is no frame: {error}") from error


class FrameWriter:
    """Append frames to one stream.

    Args:
        redis: Where.
        stream: The stream's name.
        max_length: Frames that the stream keeps, about.
    """

    def __init__(self, redis: FrameRedis, stream: str, max_length: int) -> None:
        self._redis = redis
        self._stream = stream
        self._max_length = max_length

    def write(self, frames: Iterable[pa.RecordBatch]) -> int:
        """Append frames, many in one round trip; return how many.

        Raises:
            StackError: If Redis does not take them; some of them may be in the stream.
        """
        waiting = list(frames)
        for first in range(0, len(waiting), FRAMES_A_TRIP):
            pipeline = self._redis.pipeline(transaction=False)
            for frame in waiting[first : first + FRAMES_A_TRIP]:
                pipeline.add(
                    "xadd",
                    self._stream,
                    {FIELD: encode_frame(frame)},
                    maxlen=self._max_length,
                    approximate=True,
                )
            pipeline.execute()
        return len(waiting)


class FrameReader:
    """Read frames as one consumer of a group; a frame is acknowledged once it has been written.

    What an earlier process of this name took and did not acknowledge comes first, then what
    another consumer of the group took and let lie, then what is new. A frame may so come twice:
    its rows are the same records, and the store that `write` fills keeps each once.

    An entry that is no frame stops nobody: it goes, as it is and with the reason, to a side stream
    of bounded length (`refused_stream`), and is acknowledged then.

    Args:
        redis: Where.
        stream: The stream's name.
        group: The group, made when absent; it begins with the oldest frame that is kept.
        consumer: This reader's name, the same after a restart.
        takeover_ms: How long another consumer's frame has lain before it is taken over.
    """

    def __init__(
        self,
        redis: FrameRedis,
        stream: str,
        group: str,
        consumer: str,
        *,
        takeover_ms: int = TAKEOVER_MS,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._takeover_ms = takeover_ms
        self._after = "0"
        redis.xgroup_create(stream, group, after="0")

    def drain(
        self, write: Callable[[pa.Table], object], *, count: int = 64, block_ms: int | None = None
    ) -> int:
        """Read frames, write their rows, acknowledge them; return how many entries that were.

        Args:
            write: Stores the rows, called once for all frames in a row that have the same columns;
                when it raises, nothing is acknowledged and they come again.
            count: How many frames at most.
            block_ms: Wait so long for the first; None not at all.

        Raises:
            StackError: As Redis or `write` does.
        """
        after = self._after
        self._after = "0"
        found = self._read(after, count, block_ms)
        if not found and after == "0":
            found = self._taken_over(count) or self._read(">", count, block_ms)
        frames, refused = _decoded([entry for entry in found if entry.fields])
        for _, alike in groupby(frames, key=lambda frame: frame.schema):
            write(pa.concat_tables(list(alike)))
        if refused:
            self._keep_refused(refused)
        if found:
            self._redis.xack(self._stream, self._group, *(entry.id for entry in found))
        # A read that found little leaves time to look for what others let lie.
        self._after = ">" if len(found) == count else "0"
        return len(frames) + len(refused)

    def _keep_refused(self, refused: Sequence[tuple[StreamEntry, CorruptStore]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for entry, reason in refused:
            _log.warning("%s: %s", self._stream, reason)
            raw = {f"field:{name}": value for name, value in entry.fields.items()}
            pipeline.add(
                "xadd",
                refused_stream(self._stream),
                {"entry": entry.id, "reason": str(reason), **raw},
                maxlen=REFUSED_KEPT,
                approximate=True,
            )
        pipeline.execute()

    def _taken_over(self, count: int) -> list[StreamEntry]:
        return self._redis.xautoclaim(
            self._stream, self._group, self._consumer, idle_ms=self._takeover_ms, count=count
        )

    def _read(self, after: str, count: int, block_ms: int | None) -> list[StreamEntry]:
        wait = block_ms if after == ">" else None
        try:
            answer = self._group_read(after, count, wait)
        except InputError as error:
            if "NOGROUP" not in str(error):
                raise
            # Redis lost its data; the group begins with the oldest frame that it has now.
            self._redis.xgroup_create(self._stream, self._group, after="0")
            answer = self._group_read(after, count, wait)
        return answer.get(self._stream, [])

    def _group_read(self, after: str, count: int, wait: int | None) -> dict[str, list[StreamEntry]]:
        return self._redis.xreadgroup(
            self._group, self._consumer, {self._stream: after}, count=count, block_ms=wait
        )


def _decoded(
    entries: Iterable[StreamEntry],
) -> tuple[list[pa.Table], list[tuple[StreamEntry, CorruptStore]]]:
    """Return the rows of those that are frames, and the others with the reason."""
    frames, refused = [], []
    for entry in entries:
        try:
            frames.append(decode_frame(entry))
        except CorruptStore as error:
            refused.append((entry, error))
    return frames, refused
