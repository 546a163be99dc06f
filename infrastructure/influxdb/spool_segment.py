"""The files of a spool: segments of checksummed blocks, and beside each what has been delivered."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

HEAD: Final = struct.Struct("<4sIIQ")
MAGIC: Final = b"SPL1"
SUFFIX: Final = ".spool"
_DONE: Final = struct.Struct("<Q")


class Block(NamedTuple):
    """One acknowledged block.

    Attributes:
        number: Its number, rising from 1.
        lines: Whole lines.
    """

    number: int
    lines: bytes


class Segment(NamedTuple):
    """What a segment's file holds.

    Attributes:
        blocks: Each whole block and the place of its lines in the file.
        end: Where the whole blocks end.
        size: Where the file ends.
        is_torn: Whether nothing but a torn tail, which was never acknowledged, follows `end`.
    """

    blocks: list[tuple[Block, int]]
    end: int
    size: int
    is_torn: bool


def pack_block(number: int, lines: bytes) -> bytes:
    """Return a block as it stands in a segment."""
    return HEAD.pack(MAGIC, len(lines), zlib.crc32(lines), number) + lines


def read_segment(path: Path) -> Segment:
    """Return what a segment holds, up to its first damage."""
    content = path.read_bytes()
    blocks, place = [], 0
    while (block := _block_at(content, place)) is not None:
        blocks.append((block, place + HEAD.size))
        place += HEAD.size + len(block.lines)
    is_torn = place < len(content) and content.find(MAGIC, place + 1) < 0
    return Segment(blocks, place, len(content), is_torn)


def _block_at(content: bytes, place: int) -> Block | None:
    if len(content) - place < HEAD.size:
        return None
    magic, length, checksum, number = HEAD.unpack_from(content, place)
    lines = content[place + HEAD.size : place + HEAD.size + length]
    if magic != MAGIC or len(lines) != length or zlib.crc32(lines) != checksum:
        return None
    return Block(number, lines)


def done_path(segment: Path) -> Path:
    """Return the file that names the delivered blocks of a segment."""
    return segment.with_suffix(".done")


def read_done(segment: Path) -> set[int]:
    """Return the numbers of a segment's delivered blocks that are known."""
    with contextlib.suppress(FileNotFoundError):
        content = done_path(segment).read_bytes()
        whole = len(content) - len(content) % _DONE.size
        return {number for (number,) in _DONE.iter_unpack(content[:whole])}
    return set()


def note_done(segment: Path, numbers: list[int]) -> None:
    """Note delivered blocks.

    It is not synced: after a power cut a block may be sent again, and is the same rows then.
    """
    number = os.open(done_path(segment), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
                     0o600)  # fmt: skip
    try:
        end = os.lseek(number, 0, os.SEEK_END)
        if end % _DONE.size:
            os.ftruncate(number, end - end % _DONE.size)
        os.write(number, b"".join(map(_DONE.pack, numbers)))
    finally:
        os.close(number)


def remove_segment(path: Path) -> None:
    """Remove a segment whose blocks have all been delivered, and then its notes."""
    path.unlink(missing_ok=True)
    done_path(path).unlink(missing_ok=True)


def remove_strays(folder: Path) -> None:
    """Remove notes without a segment: a later segment of that name holds other blocks."""
    for notes in folder.glob("*.done"):
        if not notes.with_suffix(SUFFIX).exists():
            notes.unlink()
