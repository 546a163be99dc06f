"""Scratch memory in which one level-one frame after the other is read."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from infrastructure.schwab.streamer.board_kernels import spread_columns
from infrastructure.schwab.streamer.scan_kernels import scan_frame
from infrastructure.schwab.streamer.scan_layout import (
    ENTRIES,
    ENTRIES_AT,
    ENTRY,
    NUMBERED,
    READ,
    REPORT,
    WIDTH,
)
from infrastructure.schwab.streamer.updates import Columns

LARGEST_FRAME = 4 * 1024 * 1024
"""Bytes; larger frames are left to the reference."""
_FIRST_ROOM = 64 * 1024


class Scanner:
    """Read frames into arrays that the next frame overwrites; for one thread at a time.

    `scan_layout` describes the arrays.
    """

    def __init__(self) -> None:
        self.report = np.zeros(REPORT, np.int64)
        self.counts = memoryview(self.report)  # type: ignore[arg-type]
        self._make_room(_FIRST_ROOM)

    def _make_room(self, size: int) -> None:
        self._room = size
        self.text = np.zeros(size + 1, np.uint8)
        self._writer = memoryview(self.text)  # type: ignore[arg-type]
        self.cells = np.empty((size // 4, 2), np.int64)
        self.bits = self.cells.view(np.float64)
        self.marks = np.empty((size // 8, 4), np.int64)
        self.left = np.empty((size // 8, 4), np.int64)

    def scan(self, payload: memoryview | bytes) -> bool:
        """Note what a frame holds and return whether it is plain."""
        length = self._load(payload)
        if length < 0:
            return False
        status = scan_frame(self.text, length, self.cells, self.bits, self.marks, self.report)
        return status == READ

    def _load(self, payload: memoryview | bytes) -> int:
        """Copy a frame in and return its length, -1 if it is too large."""
        length = len(payload)
        if length > self._room:
            if length > LARGEST_FRAME:
                return -1
            self._make_room(1 << (length - 1).bit_length())
        writer = self._writer
        writer[:length] = payload
        writer[length] = 0
        return length

    def columns(self, payload: memoryview | bytes, entry: int, numbers: Sequence[int]) -> Columns:
        """Return the numbers of an entry's updates.

        Raises:
            ValueError: If the frame is unusual, or has a number that only the reference can read.
        """
        if not self.scan(payload) or entry >= self.counts[ENTRIES]:
            raise ValueError("not a plain frame")
        at = ENTRIES_AT + ENTRY * entry
        first, count = self.counts[at + 2], self.counts[at + 3]
        wanted = np.full(WIDTH, -1, np.int64)
        wanted[list(numbers)] = np.arange(len(numbers))
        values = np.full((count, len(numbers)), np.nan)
        if spread_columns(self.cells, self.bits, self.marks, first, wanted, values):
            raise ValueError("a number has more digits than a double")
        keys = tuple(
            str(payload[start : start + size], "ascii")
            for start, size in self.marks[first : first + count, 1:3].tolist()
        )
        return Columns(keys, tuple(numbers), values)


_own = threading.local()


def frame_columns(frame: bytes, entry: int, numbers: Sequence[int]) -> Columns | None:
    """Return the numbers of an entry of a frame, None where the reference has to read it.

    Args:
        frame: The whole frame.
        entry: Which entry, from 0.
        numbers: Field numbers, each once.
    """
    if len(set(numbers)) != len(numbers) or not all(0 <= number < NUMBERED for number in numbers):
        return None
    scanner = getattr(_own, "scanner", None)
    if scanner is None:
        scanner = _own.scanner = Scanner()
    try:
        found: Columns = scanner.columns(frame, entry, numbers)
    except ValueError:
        return None
    return found
