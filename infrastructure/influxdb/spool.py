"""A durable queue of line-protocol blocks on disk: what it has acknowledged survives kill -9."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from infrastructure.errors import CorruptStore, DiskFull, StoreLocked
from infrastructure.supervision.files import make_private_folder, told_in_a_sentence
from infrastructure.supervision.locks import FileLock

_HEAD: Final = struct.Struct("<4sIIQ")
_MAGIC: Final = b"SPL1"
SEGMENT_BYTES: Final = 16 * 1024 * 1024


class Block(NamedTuple):
    """One acknowledged block.

    Attributes:
        number: Its number, rising from 1.
        lines: Whole lines.
    """

    number: int
    lines: bytes


def no_step(step: str) -> None:
    """Do nothing at a named step; tests kill the process there."""


class Spool:
    """Keep blocks until they are delivered; each is on disk when `put` returns.

    A segment is a file of blocks with checksums; it goes when all its blocks are delivered, so a
    restart may deliver blocks again. A line with its time is the same row however often it comes.
    A torn tail was never acknowledged and is cut off. Damage before the tail is refused.

    Args:
        folder: The spool's folder; one process at a time.
        limit_bytes: The most that it may hold.
        on_step: Called with `written`, `synced`, `delivered` and `removed`.

    Raises:
        StoreLocked: If another process has it open.
        CorruptStore: If an acknowledged block does not match its checksum.
    """

    def __init__(
        self, folder: Path, limit_bytes: int, *, on_step: Callable[[str], None] = no_step
    ) -> None:
        self._folder = make_private_folder(folder)
        self._limit = limit_bytes
        self._on_step = on_step
        self._room = threading.Condition()
        self._lock = FileLock(folder / "lock")
        if not self._lock.try_lock():
            raise StoreLocked(f"another process has the spool {folder} open")
        self._waiting: dict[int, tuple[Path, int, int]] = {}
        self._last = 0
        self._bytes = 0
        self._file: Path | None = None
        segments = sorted(folder.glob("*.spool"))
        for path in segments:
            self._load(path, is_last=path == segments[-1])

    def __len__(self) -> int:
        with self._room:
            return len(self._waiting)

    def close(self) -> None:
        """Give the folder to the next process."""
        self._lock.unlock()

    def put(self, lines: bytes, *, wait_s: float = 0.0) -> int:
        """Keep a block and return its number: it is acknowledged then.

        Args:
            lines: Whole lines, each with its time.
            wait_s: How long to wait for room: this is the backpressure.

        Raises:
            DiskFull: If there is no room in time, or none on the disk; nothing is kept then.
        """
        size = _HEAD.size + len(lines)
        with self._room:
            if not self._room.wait_for(lambda: self._bytes + size <= self._limit, wait_s):
                raise DiskFull(
                    f"the spool {self._folder} is full: {self._bytes:,} of {self._limit:,} bytes "
                    "wait for InfluxDB",
                    next_step="Bring InfluxDB back; the spool empties by itself.",
                )
            number = self._last + 1
            path = self._segment(number)
            head = _HEAD.pack(_MAGIC, len(lines), zlib.crc32(lines), number)
            with told_in_a_sentence(path):
                offset = self._append(path, head + lines)
            self._last = number
            self._waiting[number] = (path, offset + _HEAD.size, len(lines))
            self._bytes += size
            self._room.notify_all()
            return number

    def oldest(self, count: int, after: int = 0) -> list[Block]:
        """Return up to `count` undelivered blocks with numbers above `after`, the oldest first."""
        with self._room:
            numbers = sorted(number for number in self._waiting if number > after)[:count]
            return [Block(number, self._read(number)) for number in numbers]

    def delivered(self, number: int) -> None:
        """Forget a block that has arrived; once a segment's blocks all have, its file goes."""
        with self._room:
            path, _, length = self._waiting.pop(number)
            self._on_step("delivered")
            self._bytes -= _HEAD.size + length
            if not any(other == path for other, _, _ in self._waiting.values()):
                if path == self._file:
                    # An empty segment's name keeps the numbers rising after a restart.
                    self._file = self._folder / f"{self._last + 1:020d}.spool"
                    self._file.touch(mode=0o600)
                    self._sync_folder()
                path.unlink(missing_ok=True)
                self._on_step("removed")
            self._room.notify_all()

    def _segment(self, number: int) -> Path:
        path = self._file
        if path is None or (path.exists() and path.stat().st_size >= SEGMENT_BYTES):
            path = self._folder / f"{number:020d}.spool"
            self._file = path
        return path

    def _append(self, path: Path, content: bytes) -> int:
        is_new = not path.exists()
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            offset = os.lseek(number, 0, os.SEEK_END)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(number, view) :]
                self._on_step("written")
                os.fsync(number)
            except OSError:
                os.ftruncate(number, offset)
                raise
        finally:
            os.close(number)
        if is_new:
            self._sync_folder()
        self._on_step("synced")
        return offset

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self, number: int) -> bytes:
        path, offset, length = self._waiting[number]
        with told_in_a_sentence(path, "read"), path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _load(self, path: Path, *, is_last: bool) -> None:
        content = path.read_bytes()
        place = 0
        while place < len(content):
            block = _block_at(content, place)
            if block is None:
                if not is_last or content.find(_MAGIC, place + 1) >= 0:
                    raise CorruptStore(
                        f"the spool's file {path} is damaged at byte {place}",
                        next_step="Move the file away to go on without its blocks.",
                    )
                os.truncate(path, place)
                break
            self._waiting[block.number] = (path, place + _HEAD.size, len(block.lines))
            self._last = max(self._last, block.number)
            size = _HEAD.size + len(block.lines)
            self._bytes += size
            place += size
        self._last = max(self._last, int(path.stem) - 1)
        if is_last:
            self._file = path
        elif place == 0:
            path.unlink()


def _block_at(content: bytes, place: int) -> Block | None:
    if len(content) - place < _HEAD.size:
        return None
    magic, length, checksum, number = _HEAD.unpack_from(content, place)
    lines = content[place + _HEAD.size : place + _HEAD.size + length]
    if magic != _MAGIC or len(lines) != length or zlib.crc32(lines) != checksum:
        return None
    return Block(number, lines)
