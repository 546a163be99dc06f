"""Frames to a stream and to viewers; an outage of Redis sends them to a spool, and once back.

A frame carries its producer and a rising number, and one script appends, publishes and notes the
number in a single step. So a frame whose answer was lost can be sent again: it is there once.
"""

from __future__ import annotations

import struct
import threading
import uuid
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa

from infrastructure.errors import OperatorError, RetryableError, StackError
from infrastructure.logging import get_logger
from infrastructure.redis.frames import FIELD, FRAMES_A_TRIP, encode_frame
from infrastructure.redis.session import RedisSession

RETRY_S: Final = 1.0
"""How often a Redis that is gone is asked: a recovery is noticed within it and one time-out."""
NUMBERS_LIVE_S: Final = 7 * 86_400
_HEAD: Final = struct.Struct("<16sQI")
_APPEND: Final = f"""
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '-1')
local added = 0
for place = 5, #ARGV, 2 do
  local number = tonumber(ARGV[place])
  if number > last then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', '{FIELD}', ARGV[place + 1])
    if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[3], ARGV[place + 1]) end
    last = number
    added = added + 1
  end
end
redis.call('HSET', KEYS[2], ARGV[1], last)
redis.call('EXPIRE', KEYS[2], ARGV[4])
return added
"""
_log = get_logger(__name__)


class Spooled(Protocol):
    """A block of a spool."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def lines(self) -> bytes:
        """Its content."""


class FrameSpool(Protocol):
    """Keep frames on disk: the part of a spool that the bus needs."""

    def __len__(self) -> int: ...

    def put(self, lines: bytes) -> int:
        """Keep one; it is on disk then."""

    def oldest(self, count: int) -> Sequence[Spooled]:
        """Return the oldest."""

    def delivered(self, *numbers: int) -> None:
        """Forget some."""


class NumberedFrame(NamedTuple):
    """A frame on its way.

    Attributes:
        producer: 16 bytes that no other process has.
        number: Rises within a producer.
        rows: How many rows it has.
        content: The frame.
    """

    producer: bytes
    number: int
    rows: int
    content: bytes

    def packed(self) -> bytes:
        """Return it as a block of a spool."""
        return _HEAD.pack(self.producer, self.number, self.rows) + self.content


def unpacked(block: bytes) -> NumberedFrame:
    """Return the frame of a spool's block."""
    producer, number, rows = _HEAD.unpack_from(block)
    return NumberedFrame(producer, number, rows, block[_HEAD.size :])


def row_count(block: bytes) -> int:
    """Return how many rows the frame of a spool's block has."""
    return unpacked(block).rows


class FrameBus:
    """Append frames to one stream and publish them, whatever Redis does meanwhile.

    While Redis does not answer, frames go to the spool, and a thread asks for it every second;
    once it is back, it sends what waits, in order, and then frames go straight again. What an
    earlier process left in the spool is sent first.

    Args:
        redis: Where.
        stream: The stream's name.
        max_length: Frames that the stream keeps, about.
        spool: Where frames wait; its size is the bound.
        channel: Where viewers listen; None for nowhere. It carries no namespace.
        retry_s: Seconds between two attempts of an outage.
    """

    def __init__(
        self,
        redis: RedisSession,
        stream: str,
        max_length: int,
        spool: FrameSpool,
        *,
        channel: str | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._max_length = max_length
        self._spool = spool
        self._channel = channel or ""
        self._retry_s = retry_s
        self._script: Any = None
        self._producer = uuid.uuid4().bytes
        self._number = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: StackError | None = None
        if len(spool):
            self._degrade(None)

    @property
    def is_degraded(self) -> bool:
        """Whether frames go to the spool now."""
        return self._thread is not None

    def write(self, frames: Iterable[pa.RecordBatch]) -> int:
        """Take frames; they are in Redis or in the spool when this returns. Return how many.

        Raises:
            DiskFull: If the spool has no room; the frames from that one on are not taken.
            StackError: If Redis refuses them for good.
        """
        with self._lock:
            waiting = [self._numbered(frame) for frame in frames]
            for first in range(0, len(waiting), FRAMES_A_TRIP):
                if self.is_degraded:
                    self._keep(waiting[first:])
                    break
                try:
                    self._send(waiting[first : first + FRAMES_A_TRIP])
                except (RetryableError, OperatorError) as error:
                    # Whether they arrived is not known; they keep their numbers.
                    self._degrade(error)
                    self._keep(waiting[first:])
                    break
            return len(waiting)

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing waits in the spool; say whether that is so."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return not self.is_degraded

    def close(self) -> None:
        """End the thread; what waits stays in the spool for the next process."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _numbered(self, frame: pa.RecordBatch) -> NumberedFrame:
        self._number += 1
        return NumberedFrame(self._producer, self._number, frame.num_rows, encode_frame(frame))

    def _keep(self, frames: Iterable[NumberedFrame]) -> None:
        for frame in frames:
            self._spool.put(frame.packed())

    def _send(self, frames: Sequence[NumberedFrame]) -> None:
        """Append frames of one producer in one step."""
        stream = self._redis.key(self._stream)
        # The tag puts both keys into one slot of a Cluster.
        numbers = self._redis.key(f"numbers:{{{stream}}}")
        arguments: list[Any] = [
            frames[0].producer, self._max_length, self._channel, NUMBERS_LIVE_S
        ]  # fmt: skip
        for frame in frames:
            arguments += [frame.number, frame.content]
        with self._redis.asking(f"append to {self._stream}") as server:
            if self._script is None:
                self._script = server.register_script(_APPEND)
            self._script(keys=[stream, numbers], args=arguments, client=server)

    def _degrade(self, error: StackError | None) -> None:
        self.failure = error
        if error is not None:
            _log.warning("frames of %s go to the spool: %s", self._stream, error)
        self._thread = threading.Thread(target=self._recover, name="frame-bus", daemon=True)
        self._thread.start()

    def _recover(self) -> None:
        """Send what waits, asking again and again, until nothing waits."""
        while not self._stop.is_set():
            try:
                if self._drained():
                    _log.info("frames of %s go straight to Redis again", self._stream)
                    return
            except StackError as error:
                self.failure = error
                self._stop.wait(self._retry_s)
        self._thread = None

    def _drained(self) -> bool:
        """Send what waits; return True once, under the lock, nothing does."""
        while True:
            blocks = list(self._spool.oldest(FRAMES_A_TRIP))
            if not blocks:
                with self._lock:
                    if len(self._spool):
                        continue
                    self.failure, self._thread = None, None
                    return True
            frames = [unpacked(block.lines) for block in blocks]
            # One step notes one producer's number.
            _, first = next(groupby(frames, key=lambda frame: frame.producer))
            mine = list(first)
            self._send(mine)
            self._spool.delivered(*(block.number for block in blocks[: len(mine)]))
            if self._stop.is_set():
                return False
