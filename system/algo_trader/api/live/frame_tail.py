"""Read a stream of Redis along, from its end or from a known entry, through every outage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import pyarrow as pa

from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore, StackError
from infrastructure.logging import get_logger
from infrastructure.redis.frames import decode_frame
from infrastructure.redis.streams import StreamEntry, entry_key
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient

RETRY_S: Final = 0.5
_BLOCK_MS: Final = 200
_ENTRIES: Final = 256
_log = get_logger("api.frame_tail")

Take = Callable[[pa.Table, str], None]


class FrameTail:
    """Hand every frame of a stream on, by a thread of its own.

    Args:
        redis: Of the realm; a client that nobody else uses, since reading blocks.
        stream: Name of the stream.
        take: Called with the rows of an entry and its id.
        away: Called with the moment of the first failure of an outage, nanoseconds UTC.
        back: Called once Redis answers, with whether entries were lost meanwhile, and when the
            stream turns out to have been faster than the reading.
        lost: Called with the ids between which entries left the stream unread.
        clock: Tells the time.
        begin: How many of the newest entries are read first.
    """

    def __init__(
        self,
        redis: AlgoTraderRedisClient,
        stream: str,
        take: Take,
        *,
        away: Callable[[int], None],
        back: Callable[[bool], None],
        lost: Callable[[str, str], None],
        clock: Clock,
        begin: int = 0,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._take = take
        self._away = away
        self._back = back
        self._lost = lost
        self._clock = clock
        self._begin = begin
        self._after: str | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tail-{stream}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        is_away = True
        while not self._ending.is_set():
            try:
                if is_away:
                    lost = self._resume()
                    self._back(lost)
                    is_away = False
                self._read()
            except StackError as error:
                if not is_away:
                    _log.warning("%s is not read: %s", self._stream, error)
                is_away = True
                self._away(self._clock.now_ns())
                self._ending.wait(RETRY_S)

    def _resume(self) -> bool:
        """Find where to go on; say whether entries are gone that were not read."""
        if self._after is None:
            newest = self._newest(self._begin)
            for entry, rows in newest:
                self._hand_on(rows, entry)
            self._after = newest[-1][0] if newest else self._redis.last_id(self._stream)
            return False
        first = self._redis.xrange(self._stream, count=1)
        last = self._redis.last_id(self._stream)
        if not first or entry_key(last) < entry_key(self._after):
            # Redis came back without the stream, or with an older one: ids begin anew.
            before, self._after = self._after, "0"
            if before != "0":
                self._lost(before, first[0].id if first else "0")
            return before != "0"
        return self._has_lost(first)

    def _has_lost(self, first: list[StreamEntry]) -> bool:
        """Say whether entries behind the last one are gone, and tell of them."""
        after = self._after or "0"
        if after == "0" or not first or entry_key(first[0].id) <= entry_key(after):
            return False
        self._lost(after, first[0].id)
        return True

    def _newest(self, count: int) -> list[tuple[str, pa.Table]]:
        if not count:
            return []
        with self._redis.asking(f"XREVRANGE {self._stream}") as server:
            found = server.xrevrange(self._redis.key(self._stream), count=count)
        rows = []
        for entry, fields in reversed(found):
            decoded = {name.decode(): value for name, value in fields.items()}
            rows += self._decoded(entry.decode(), decoded)
        return rows

    def _read(self) -> None:
        after = self._after or "0"
        found = self._redis.xread({self._stream: after}, count=_ENTRIES, block_ms=_BLOCK_MS)
        entries = found.get(self._stream, ())
        if len(entries) == _ENTRIES and self._has_lost(self._redis.xrange(self._stream, count=1)):
            # Only who is behind can have been overtaken.
            self._back(True)
        for each in entries:
            for entry, rows in self._decoded(each.id, each.fields):
                self._hand_on(rows, entry)
            self._after = each.id

    def _hand_on(self, rows: pa.Table, entry: str) -> None:
        try:
            self._take(rows, entry)
        except Exception:
            # One entry of another make must not end the reading of all that follow.
            _log.exception("the entry %s of %s is passed over", entry, self._stream)

    def _decoded(self, entry: str, fields: dict[str, bytes]) -> list[tuple[str, pa.Table]]:
        try:
            return [(entry, decode_frame(StreamEntry(entry, fields)))]
        except CorruptStore as error:
            _log.warning("%s", error)
            return []
