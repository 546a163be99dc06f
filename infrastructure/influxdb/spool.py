"""A durable queue of line-protocol blocks on disk: what it has acknowledged survives kill -9."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from infrastructure.errors import CorruptStore, DiskFull, StoreLocked
from infrastructure.influxdb.lines import count_lines
from infrastructure.influxdb.spool_segment import (
    HEAD,
    SUFFIX,
    Block,
    note_done,
    pack_block,
    read_done,
    read_segment,
    remove_segment,
    remove_strays,
)
from infrastructure.logging import get_logger
from infrastructure.supervision.files import make_private_folder, told_in_a_sentence
from infrastructure.supervision.locks import FileLock

__all__ = ["SEGMENT_BYTES", "Block", "Spool", "Waiting", "no_step"]

SEGMENT_BYTES: Final = 16 * 1024 * 1024
_log = get_logger(__name__)


class Waiting(NamedTuple):
    """What has been acknowledged and not delivered.

    Attributes:
        blocks: Blocks.
        points: Their lines.
        bytes: Their bytes on disk.
    """

    blocks: int
    points: int
    bytes: int


class _Place(NamedTuple):
    path: Path
    offset: int
    length: int
    points: int


def no_announcement(number: int, points: int) -> None:
    """Tell nobody of a block."""


def no_step(step: str) -> None:
    """Do nothing at a named step; tests kill the process there."""


class Spool:
    """Keep blocks until they are delivered; each is on disk when `put` returns.

    A segment is a file of blocks with checksums; it goes when all its blocks are delivered.
    Delivered ones are noted beside it, so that a restart sends few blocks again. A line with its
    time is the same row however often it comes. A torn tail was never acknowledged and is cut
    off. Damage before the tail is refused.

    Args:
        folder: The spool's folder; one process at a time.
        limit_bytes: The most that it may hold.
        on_step: Called with `written`, `synced`, `delivered` and `removed`.
        count: Tells how many points a block has.

    Raises:
        StoreLocked: If another process has it open.
        CorruptStore: If an acknowledged block does not match its checksum.
        OperatorError: If the file system refuses.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        *,
        on_step: Callable[[str], None] = no_step,
        count: Callable[[bytes], int] = count_lines,
    ) -> None:
        self._folder = make_private_folder(folder)
        self._limit = limit_bytes
        self._on_step = on_step
        self._count = count
        self._room = threading.Condition()
        self._lock = FileLock(folder / "lock")
        if not self._lock.try_lock():
            raise StoreLocked(f"another process has the spool {folder} open")
        self._waiting: dict[int, _Place] = {}
        self._left: Counter[Path] = Counter()
        self._last = 0
        self._bytes = 0
        self._points = 0
        self._file: Path | None = None
        try:
            with told_in_a_sentence(folder, "read the spool"):
                segments = sorted(folder.glob(f"*{SUFFIX}"))
                for path in segments:
                    self._load(path, is_last=path == segments[-1])
                remove_strays(folder)
        except BaseException:
            self._lock.unlock()
            raise

    def __len__(self) -> int:
        with self._room:
            return len(self._waiting)

    def waiting(self) -> Waiting:
        """Return what has not been delivered."""
        with self._room:
            return Waiting(len(self._waiting), self._points, self._bytes)

    def close(self) -> None:
        """Give the folder to the next process."""
        self._lock.unlock()

    def put(
        self,
        lines: bytes,
        *,
        wait_s: float = 0.0,
        announce: Callable[[int, int], None] = no_announcement,
    ) -> int:
        """Keep a block and return its number: it is acknowledged then.

        Args:
            lines: Whole lines, each with its time.
            wait_s: How long to wait for room: this is the backpressure.
            announce: Told the block's number and its lines before any other thread can have it.

        Raises:
            DiskFull: If there is no room in time, or none on the disk; nothing is kept then.
        """
        size = HEAD.size + len(lines)
        points = self._count(lines)
        with self._room:
            if not self._room.wait_for(lambda: self._bytes + size <= self._limit, wait_s):
                raise DiskFull(
                    f"the spool {self._folder} is full: {self._bytes:,} of {self._limit:,} bytes "
                    "wait for their server",
                    next_step="Bring it back; the spool empties by itself.",
                )
            number = self._last + 1
            path = self._segment(number)
            with told_in_a_sentence(path):
                offset = self._append(path, pack_block(number, lines))
            self._last = number
            announce(number, points)
            self._keep(number, _Place(path, offset + HEAD.size, len(lines), points))
            self._room.notify_all()
            return number

    def oldest(self, count: int, after: int = 0) -> list[Block]:
        """Return up to `count` undelivered blocks with numbers above `after`, the oldest first."""
        with self._room:
            numbers = islice((number for number in self._waiting if number > after), count)
            return [Block(number, self._read(number)) for number in list(numbers)]

    def next_batch(self, limit_bytes: int, skip: Collection[int] = ()) -> list[Block]:
        """Return the oldest undelivered blocks that together stay below a size.

        Args:
            limit_bytes: The most that their lines may hold; one block may hold more.
            skip: Numbers to leave out, as those that are under way.
        """
        with self._room:
            batch: list[Block] = []
            size = 0
            for number, place in self._waiting.items():
                if number in skip:
                    continue
                size += place.length
                if batch and size > limit_bytes:
                    break
                batch.append(Block(number, self._read(number)))
            return batch

    def delivered(self, *numbers: int) -> None:
        """Forget blocks that have arrived; once a segment's blocks all have, its file goes."""
        with self._room:
            places = {number: self._waiting.pop(number) for number in numbers}
            for place in places.values():
                self._bytes -= HEAD.size + place.length
                self._points -= place.points
                self._left[place.path] -= 1
            for path in {place.path for place in places.values()}:
                mine = [number for number, place in places.items() if place.path == path]
                self._settle(path, mine)
            self._room.notify_all()

    def _settle(self, path: Path, numbers: Iterable[int]) -> None:
        """Write down that blocks of a segment are delivered, or remove it after its last one."""
        if self._left[path]:
            try:
                note_done(path, list(numbers))
            except OSError as error:
                _log.info("delivered blocks of %s may be sent again: %s", path, error)
            self._on_step("delivered")
            return
        self._on_step("delivered")
        del self._left[path]
        try:
            self._remove(path)
        except OSError as error:
            _log.info("%s stays, though all of it is delivered: %s", path, error)
            return
        self._on_step("removed")

    def _remove(self, path: Path) -> None:
        if path == self._file:
            # An empty segment's name keeps the numbers rising after a restart.
            fresh = self._folder / f"{self._last + 1:020d}{SUFFIX}"
            fresh.touch(mode=0o600)
            self._sync_folder()
            self._file = fresh
        remove_segment(path)

    def _keep(self, number: int, place: _Place) -> None:
        self._waiting[number] = place
        self._left[place.path] += 1
        self._bytes += HEAD.size + place.length
        self._points += place.points

    def _segment(self, number: int) -> Path:
        path = self._file
        if path is None or (path.exists() and path.stat().st_size >= SEGMENT_BYTES):
            path = self._folder / f"{number:020d}{SUFFIX}"
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
        path, offset, length, _ = self._waiting[number]
        with told_in_a_sentence(path, "read"), path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _load(self, path: Path, *, is_last: bool) -> None:
        segment = read_segment(path)
        if segment.end < segment.size:
            if not (is_last and segment.is_torn):
                raise CorruptStore(
                    f"the spool's file {path} is damaged at byte {segment.end}",
                    next_step="Move the file away to go on without its blocks.",
                )
            os.truncate(path, segment.end)
        done = read_done(path)
        for block, offset in segment.blocks:
            self._last = max(self._last, block.number)
            if block.number not in done:
                points = self._count(block.lines)
                self._keep(block.number, _Place(path, offset, len(block.lines), points))
        self._last = max(self._last, int(path.stem) - 1)
        if is_last:
            self._file = path
        elif not self._left[path]:
            remove_segment(path)
