"""Answers as bytes, kept in this process in front of every store."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from system.algo_trader.api.operations.rendering import Rendered

MOST_BYTES: Final = 256 * 1024 * 1024
LARGEST: Final = 8 * 1024 * 1024
_OVERHEAD: Final = 1024
CHECK_S: Final = 0.5
"""How long an answer is given out before somebody looks whether there is something new."""

Key = tuple[str, bytes, str]


@dataclass(slots=True)
class Kept:
    """Hold an answer.

    Attributes:
        rendered: The answer.
        etag: Of it, as in the header.
        made_s: When it was made, seconds of the loop's clock.
        checked_s: When its version was looked at last.
    """

    rendered: Rendered
    etag: bytes
    made_s: float
    checked_s: float


class AnswerCache:
    """Keep answers up to a number of bytes; the ones that were not asked for longest go first.

    Used by one event loop only. Of many that ask the same at once, one finds out.

    Args:
        most_bytes: What all questions and answers may take together.

    Attributes:
        hits: How many got an answer that was there, or that another had asked for just before.
        misses: How many answers were made.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._finding: dict[Key, asyncio.Task[Kept]] = {}
        self.hits = 0
        self.misses = 0

    def fresh(self, key: Key, now_s: float, for_s: float) -> Kept | None:
        """Return an answer that was looked at within so many seconds, None without one."""
        kept = self._kept.get(key)
        if kept is None or now_s - kept.checked_s >= for_s:
            return None
        self._kept.move_to_end(key)
        self.hits += 1
        return kept

    def known(self, key: Key) -> Kept | None:
        """Return an answer whatever its age, None without one."""
        return self._kept.get(key)

    async def find(self, key: Key, make: Callable[[], Awaitable[Kept]]) -> Kept:
        """Return what `make` finds; of many callers one makes it, and all get its answer or error.

        A caller that goes away takes nothing from the others.
        """
        task = self._finding.get(key)
        is_joined = task is not None
        if task is None:
            task = asyncio.ensure_future(self._make(key, make))
            self._finding[key] = task
            task.add_done_callback(lambda _: self._finding.pop(key, None))
        kept = await asyncio.shield(task)
        self.hits += is_joined
        return kept

    async def _make(self, key: Key, make: Callable[[], Awaitable[Kept]]) -> Kept:
        known, kept = self._kept.get(key), await make()
        if known is not None and known.rendered is kept.rendered:
            # Its version was looked at: nothing was made.
            self.hits += 1
        else:
            self.misses += 1
        self._put(key, kept)
        return kept

    def _put(self, key: Key, kept: Kept) -> None:
        old = self._kept.pop(key, None)
        if old is not None:
            self._bytes -= _size(key, old)
        if len(kept.rendered.body) > LARGEST:
            return
        self._kept[key] = kept
        self._bytes += _size(key, kept)
        while self._bytes > self._most:
            self._bytes -= _size(*self._kept.popitem(last=False))


def _size(key: Key, kept: Kept) -> int:
    """Return what an answer takes: of small ones the question and the rest weigh more."""
    return len(kept.rendered.body) + len(key[0]) + len(key[1]) + _OVERHEAD
