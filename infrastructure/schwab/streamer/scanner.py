"""Scratch memory in which one level-one frame after the other is read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from infrastructure.schwab.streamer.board_kernels import spread_columns
from infrastructure.schwab.streamer.scan_kernels import scan_frame
from infrastructure.schwab.streamer.scan_layout import (
    CELLS_AT,
    ENTRIES,
    ENTRIES_AT,
    ENTRY,
    LEFT_AT,
    MARKS_AT,
    NUMBERED,
    READ,
    REPORT,
    TEXT_AT,
    WIDTH,
)
from infrastructure.schwab.streamer.updates import Columns

LARGEST_FRAME = 4 * 1024 * 1024
"""Bytes; larger frames are left to the reference."""
_FIRST_ROOM = 64 * 1024


class Scanner:
    """Read frames into memory that the next frame overwrites; for one thread at a time.

    `scan_layout` describes the memory.
    """

    def __init__(self) -> None:
        self._make_room(_FIRST_ROOM)

    def _make_room(self, size: int) -> None:
        self._room = size
        text_at = REPORT
        cells_at = text_at + size // 8 + 1
        marks_at = cells_at + 2 * (size // 4)
        left_at = marks_at + 4 * (size // 8 + 1)
        self.memory = memory = np.zeros(left_at + 4 * (size // 8), np.int64)
        memory[[TEXT_AT, CELLS_AT, MARKS_AT, LEFT_AT]] = text_at, cells_at, marks_at, left_at
        self.report = memoryview(memory)  # type: ignore[arg-type]
        self._text = memoryview(memory[text_at:cells_at].view(np.uint8))  # type: ignore[arg-type]
        self.left = memory[left_at:].reshape(-1, 4)
        self._marks = memory[marks_at:left_at].reshape(-1, 4)

    def scan(self, payload: memoryview | bytes) -> bool:
        """Note what a frame holds and return whether it is plain."""
        length = self._load(payload)
        if length < 0:
            return False
        return scan_frame(self.memory, length) == READ

    def _load(self, payload: memoryview | bytes) -> int:
        """Copy a frame in and return its length, -1 if it is too large."""
        length = len(payload)
        if length > self._room:
            if length > LARGEST_FRAME:
                return -1
            self._make_room(1 << (length - 1).bit_length())
        writer = self._text
        writer[:length] = payload
        writer[length] = 0
        return length

    def columns(self, frame: bytes, entry: int, numbers: tuple[int, ...]) -> Columns | None:
        """Return the numbers of an entry's updates, None where the reference has to read them.

        Args:
            frame: The whole frame.
            entry: Which entry, from 0.
            numbers: Field numbers.
        """
        wanted = _places(numbers)
        if wanted is None or not self.scan(frame) or entry >= self.report[ENTRIES]:
            return None
        at = ENTRIES_AT + ENTRY * entry
        first, count = self.report[at + 2], self.report[at + 3]
        values = np.empty((count, len(numbers)))
        if spread_columns(self.memory, first, wanted, values):
            return None
        marks = self._marks[first : first + count].tolist()
        keys = tuple([frame[start : start + size].decode() for _, start, size, _ in marks])
        return Columns(keys, numbers, values)


@lru_cache(maxsize=256)
def _places(numbers: tuple[int, ...]) -> npt.NDArray[np.int64] | None:
    """Return the place of each column among the numbers, -1 elsewhere; None if none can be told."""
    if len(set(numbers)) != len(numbers) or not all(0 <= one < NUMBERED for one in numbers):
        return None
    wanted = np.full(WIDTH, -1, np.int64)
    wanted[list(numbers)] = np.arange(len(numbers))
    return wanted


_own = threading.local()


def frame_columns(frame: bytes, entry: int, numbers: Sequence[int]) -> Columns | None:
    """Return the numbers of an entry of a frame, in any thread. As `Scanner.columns`."""
    scanner = getattr(_own, "scanner", None)
    if scanner is None:
        scanner = _own.scanner = Scanner()
    found: Columns | None = scanner.columns(frame, entry, tuple(numbers))
    return found
