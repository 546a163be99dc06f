"""Text frames with the time at which each came, in a gzip file that a crash cannot spoil.

`zcat FILE` shows it: one JSON value a line. A recording begins with an object, its header::

    {"format": "schwab-frames", "version": 1, "started_at": "...", "is_simulated": false}

and each frame is a list of two, nanoseconds UTC and the text: `[1362148200000000000, "{...}"]`.

Every frame is flushed to the operating system by itself (a deflate sync flush, RFC 1951 §3.2.4), so
that a process that is killed has lost nothing that it wrote. A gzip member (RFC 1952) ends after
some megabytes; a file may have any number of them, and several recordings. What a killed process
leaves is a last member without its end: it is read up to its last whole line, and ended in good
order before more is appended.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from infrastructure.errors import CorruptStore, InputError, StoreLocked, UsageError
from infrastructure.supervision.files import told_in_a_sentence

FORMAT: Final = "schwab-frames"
VERSION: Final = 1

_GZIP: Final = 31
_SYNC: Final = b"\x00\x00\xff\xff"
_LAST_BLOCK: Final = b"\x03\x00"
_CHUNK: Final = 1 << 16
_MEMBER_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """One frame.

    Attributes:
        received_ns: When it came, nanoseconds UTC.
        text: As it came, or redacted.
    """

    received_ns: int
    text: str


class FrameWriter:
    """Append frames to a file.

    Args:
        path: A new file, or with `append` one that may be there.
        header: What the recording's header says beside format and version.
        append: Add a recording to a file that is there; its unfinished end is finished first.

    Raises:
        UsageError: If the file exists and nothing is to be appended.
        StoreLocked: If another process records into it.
        CorruptStore: If the file to append to is no such file.
        OperatorError: If the file system refuses.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, append: bool = False) -> None:
        if path.exists() and not append:
            raise UsageError(
                f"{path} exists", next_step="Name another file, or add to it with --append."
            )
        self.path = path
        self.frames = 0
        with told_in_a_sentence(path):
            flags = os.O_RDWR | os.O_CREAT | (0 if append else os.O_EXCL)
            self._file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
        try:
            self._lock()
            if append:
                _finish(self._file, path)
            with told_in_a_sentence(path):
                self._file.seek(0, os.SEEK_END)
        except BaseException:
            self._file.close()
            raise
        self._begin()
        self._put(json.dumps({"format": FORMAT, "version": VERSION, **header}))

    def write(self, received_ns: int, text: str) -> None:
        """Add one frame; when this returns, killing the process does not lose it.

        Raises:
            DiskFull: If there is no space left.
            OperatorError: If the file system refuses otherwise.
        """
        self._put(json.dumps([received_ns, text], ensure_ascii=False))
        self.frames += 1
        if self._bytes >= _MEMBER_BYTES:
            self._append(self._deflate.flush(zlib.Z_FINISH))
            self._begin()

    def close(self) -> None:
        """End the file in good order, on the disk."""
        if self._file.closed:
            return
        try:
            self._append(self._deflate.flush(zlib.Z_FINISH))
            with told_in_a_sentence(self.path):
                os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreLocked(f"another process records into {self.path}") from error

    def _begin(self) -> None:
        self._deflate = zlib.compressobj(wbits=_GZIP)
        self._bytes = 0

    def _put(self, line: str) -> None:
        data = line.encode() + b"\n"
        self._bytes += len(data)
        self._append(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    def _append(self, data: bytes) -> None:
        with told_in_a_sentence(self.path):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]


def read_frames(path: Path) -> Iterator[RecordedFrame]:
    """Yield the frames of a file in their order; an unfinished last line is left out.

    Raises:
        InputError: If there is no such file, or a newer version wrote it.
        CorruptStore: If it is no such file, or its bytes were changed.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        rest = b""
        has_header = False
        for text in _inflated(file, path):
            *lines, rest = (rest + text).split(b"\n")
            for line in lines:
                value = _value(line, path)
                if isinstance(value, dict):
                    _check_header(value, path)
                    has_header = True
                elif has_header:
                    yield _frame(value, path)
                else:
                    raise _not_ours(path)
        if not has_header:
            raise _not_ours(path)


def _inflated(file: BinaryIO, path: Path) -> Iterator[bytes]:
    inflate = zlib.decompressobj(_GZIP)
    data = file.read(_CHUNK)
    while data:
        try:
            yield inflate.decompress(data)
        except zlib.error as error:
            raise _not_ours(path) from error
        data = inflate.unused_data
        if inflate.eof:
            inflate = zlib.decompressobj(_GZIP)
        data = data or file.read(_CHUNK)


def _value(line: bytes, path: Path) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise _not_ours(path) from error


def _check_header(header: dict[str, Any], path: Path) -> None:
    if header.get("format") != FORMAT:
        raise _not_ours(path)
    if header.get("version") != VERSION:
        raise InputError(
            f"{path} has version {header.get('version')} of its format, this program knows "
            f"{VERSION}",
            next_step="Update this program.",
        )


def _frame(value: Any, path: Path) -> RecordedFrame:
    match value:
        case [int(received_ns), str(text)]:
            return RecordedFrame(received_ns, text)
    raise _not_ours(path)


def _not_ours(path: Path) -> CorruptStore:
    return CorruptStore(
        f"{path} is no recording of frames, or its bytes were changed",
        next_step="Record anew with `algo-trader schwab record`.",
    )


def _finish(file: BinaryIO, path: Path) -> None:
    """End the last member of a file whose writer was killed, after its last whole frame."""
    start, end = _unfinished(file, path)
    if start == end:
        return
    file.seek(start)
    member = file.read(end - start)
    place = len(member)
    while (place := member.rfind(_SYNC, 0, place)) >= 0:
        cut = place + len(_SYNC)
        tail = _trailer(member[:cut])
        if tail is not None:
            # Readable at every moment: shortening loses nothing whole, then the end is added.
            file.truncate(start + cut)
            file.seek(start + cut)
            file.write(tail)
            return
    file.truncate(start)


def _unfinished(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return where the member begins that has no end, and where the file ends."""
    file.seek(0)
    inflate = zlib.decompressobj(_GZIP)
    start = place = 0
    is_empty = True
    while data := file.read(_CHUNK):
        place += len(data)
        while data:
            try:
                text = inflate.decompress(data)
            except zlib.error as error:
                raise _not_ours(path) from error
            if is_empty and text:
                if not text.startswith(b'{"format": "' + FORMAT.encode()):
                    raise _not_ours(path)
                is_empty = False
            data = inflate.unused_data
            if inflate.eof:
                start = place - len(data)
                inflate = zlib.decompressobj(_GZIP)
    return start, place


def _trailer(member: bytes) -> bytes | None:
    """Return what ends a member that is cut here, None if it cannot be cut here."""
    inflate = zlib.decompressobj(_GZIP)
    try:
        text = inflate.decompress(member)
        if not text.endswith(b"\n"):
            return None
        size = (len(text) & 0xFFFFFFFF).to_bytes(4, "little")
        tail = _LAST_BLOCK + zlib.crc32(text).to_bytes(4, "little") + size
        inflate.decompress(tail)
    except zlib.error:
        return None
    return tail if inflate.eof else None
