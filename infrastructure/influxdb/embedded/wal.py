"""The write-ahead log: records with length and checksum, on the disk before they are acknowledged.

A segment is a file `{number:012d}.wal`: a magic, then records of
`mark | u32 length | u32 crc32(payload) | u32 crc32(length, crc32) | payload`. A bad record at the
end of the last segment is a torn write that was never acknowledged: it is cut off. A bad record
with a sound one behind it is corruption, and is reported.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from infrastructure.errors import CorruptStore
from infrastructure.influxdb.embedded.faults import reach
from infrastructure.logging import get_logger

MAGIC = b"ATWAL\x00\x00\x01"
_MARK = b"\xa7REC"
_HEAD = struct.Struct("<4sIII")
_log = get_logger(__name__)


class LogBroken(OSError):
    """Report that the log could not be brought back to a known end; a restart is needed."""


class WriteAheadLog:
    """The log's segments in one folder, one of them open for appending.

    Args:
        folder: Where the segments lie.
        first: The oldest segment that is still needed; older files are leftovers.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        self.drop_before(first)
        self._next = max([first, *(number + 1 for number in self.segments())])
        self._file: int | None = None
        self._end = 0
        self._broken: OSError | None = None

    def segments(self) -> list[int]:
        """Return the numbers of the segments on disk, ascending."""
        return sorted(int(path.stem) for path in self._folder.glob("*.wal"))

    @property
    def size(self) -> int:
        """Return the bytes of the open segment."""
        return self._end

    def replay(self) -> Iterator[memoryview]:
        """Yield every acknowledged record's payload, oldest first; cut a torn tail.

        Raises:
            CorruptStore: If a record that is not the torn tail does not match its checksum.
        """
        numbers = self.segments()
        for number in numbers:
            path = self._path(number)
            data = memoryview(path.read_bytes())
            end = yield from _records(data, path, is_last=number == numbers[-1])
            if end < max(len(data), len(MAGIC)):
                _log.warning("cut %d torn bytes off %s", len(data) - end, path.name)
                _shorten(path, end)

    def rotate(self) -> int:
        """Open a new segment for appending and return its number."""
        number = self._next
        file = os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(file, MAGIC)
            os.fsync(file)
            _sync_folder(self._folder)
        except OSError:
            os.close(file)
            self._path(number).unlink()
            raise
        reach("log.segment_made")
        self.close()
        self._file, self._end, self._next = file, len(MAGIC), number + 1
        return number

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write records and wait until they are on the disk; all of them or none.

        Raises:
            OSError: If they could not be written; the log is as before.
            LogBroken: If its end is unknown after that; nothing is appended any more.
        """
        if self._broken is not None:
            raise LogBroken(
                self._broken.errno, f"the write-ahead log failed before: {self._broken.strerror}"
            )
        if self._file is None:
            self.rotate()
        file = self._file
        assert file is not None
        text = memoryview(b"".join(map(_record, payloads)))
        try:
            reach("log.before_write")
            half = len(text) // 2
            _write(file, text[:half])
            reach("log.half_written")
            _write(file, text[half:])
        except OSError:
            self._cut(file)
            raise
        try:
            reach("log.before_sync")
            _sync(file)
            reach("log.synced")
        except OSError as error:
            self._cut(file)
            self._broken = error
            raise
        self._end += len(text)

    def drop_before(self, number: int) -> None:
        """Delete the segments older than this one."""
        for old in self.segments():
            if old < number:
                self._path(old).unlink()
                reach("log.segments_dropped")

    def close(self) -> None:
        """Close the open segment."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _cut(self, file: int) -> None:
        try:
            os.ftruncate(file, self._end)
            os.lseek(file, self._end, os.SEEK_SET)
        except OSError as error:
            self._broken = error

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.wal"


def _records(data: memoryview, path: Path, *, is_last: bool) -> Generator[memoryview, None, int]:
    """Yield the payloads of a segment and return where its good records end."""
    at = len(MAGIC)
    if data[:at] != MAGIC:
        if is_last and MAGIC.startswith(bytes(data)):
            return 0
        raise _corrupt(path, 0)
    while at < len(data):
        payload = _payload(data, at)
        if payload is None:
            if is_last and _is_torn(data, at):
                return at
            raise _corrupt(path, at)
        yield payload
        at += _HEAD.size + len(payload)
    return at


def _payload(data: memoryview, at: int) -> memoryview | None:
    """Return the payload of the record at this place, None if it is not whole and sound."""
    if at + _HEAD.size > len(data):
        return None
    mark, length, payload_sum, head_sum = _HEAD.unpack_from(data, at)
    if mark != _MARK or head_sum != _head_sum(length, payload_sum):
        return None
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    return payload if len(payload) == length and zlib.crc32(payload) == payload_sum else None


def _is_torn(data: memoryview, at: int) -> bool:
    """Tell whether the bad record is the last one: no sound record begins after it."""
    rest = bytes(data[at + 1 :])
    found = rest.find(_MARK)
    while found >= 0:
        if _payload(data, at + 1 + found) is not None:
            return False
        found = rest.find(_MARK, found + 1)
    return True


def _record(payload: bytes) -> bytes:
    payload_sum = zlib.crc32(payload)
    head_sum = _head_sum(len(payload), payload_sum)
    return _HEAD.pack(_MARK, len(payload), payload_sum, head_sum) + payload


def _head_sum(length: int, payload_sum: int) -> int:
    return zlib.crc32(struct.pack("<II", length, payload_sum))


def _corrupt(path: Path, at: int) -> CorruptStore:
    return CorruptStore(
        f"{path} holds a record at byte {at} that does not match its checksum",
        next_step="Restore the data folder from a backup, or move it away and write its rows anew: "
        "what an archive was projected into is rebuilt by the next run.",
    )


def _write(file: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _shorten(path: Path, end: int) -> None:
    if end < len(MAGIC):
        path.unlink()
        return
    with path.open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())


def _sync(file: int) -> None:
    getattr(os, "fdatasync", os.fsync)(file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
