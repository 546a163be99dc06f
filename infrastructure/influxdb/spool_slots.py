"""One folder of spools for many processes: each has one of its own, a dead one's is taken over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infrastructure.errors import DiskFull, StoreLocked
from infrastructure.influxdb.lines import count_lines
from infrastructure.influxdb.spool import Spool, Waiting
from infrastructure.influxdb.spool_segment import HEAD, SUFFIX, read_done, read_segment
from infrastructure.supervision.files import told_in_a_sentence

MOST_PROCESSES: Final = 64


def open_slot(
    folder: Path, limit_bytes: int, *, count: Callable[[bytes], int] = count_lines
) -> Spool:
    """Return the first spool that no living process holds, with what a dead one left in others.

    Args:
        folder: The folder of all spools.
        limit_bytes: The most that one process may keep waiting.
        count: Tells how many points a block has.

    Raises:
        StoreLocked: If all are held.
        CorruptStore: If one that is taken is damaged.
        OperatorError: If the file system refuses.
    """
    own: Spool | None = None
    for number in range(MOST_PROCESSES):
        place = folder / f"{number:02d}"
        if own is not None and not _holds_blocks(place):
            continue
        try:
            spool = Spool(place, limit_bytes, count=count)
        except StoreLocked:
            continue
        if own is None:
            own = spool
            continue
        with contextlib.closing(spool):
            _take_over(spool, own)
    if own is None:
        raise StoreLocked(
            f"{MOST_PROCESSES} processes have the spools below {folder} open",
            next_step="End one of them.",
        )
    return own


def _take_over(orphan: Spool, own: Spool) -> None:
    """Move blocks; one whose process dies between the two steps is in both, and the same rows."""
    for block in iter(lambda: next(iter(orphan.oldest(1)), None), None):
        try:
            own.put(block.lines)
        except DiskFull:
            return
        orphan.delivered(block.number)


def _holds_blocks(place: Path) -> bool:
    return any(path.stat().st_size for path in place.glob(f"*{SUFFIX}"))


def waiting_in(folder: Path) -> Waiting:
    """Return what waits in all spools of a folder, those of living processes too; takes no lock.

    Raises:
        OperatorError: If the file system refuses.
    """
    blocks = points = size = 0
    with told_in_a_sentence(folder, "read the spool"):
        for path in sorted(folder.glob(f"*/*{SUFFIX}")):
            with contextlib.suppress(FileNotFoundError):
                done = read_done(path)
                for block, _ in read_segment(path).blocks:
                    if block.number not in done:
                        blocks += 1
                        points += count_lines(block.lines)
                        size += HEAD.size + len(block.lines)
    return Waiting(blocks, points, size)
