"""The log after a crash at any byte, a flipped bit, and a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infrastructure.errors import CorruptStore
from infrastructure.influxdb.embedded.wal import LogBroken, WriteAheadLog

RECORDS = [b"first", b"", b"third " * 3]


def replayed(folder: Path, first: int = 1) -> list[bytes]:
    log = WriteAheadLog(folder, first)
    return [bytes(payload) for payload in log.replay()]


def written(folder: Path, records: list[bytes]) -> Path:
    log = WriteAheadLog(folder, 1)
    log.append(records)
    log.close()
    (segment,) = folder.glob("*.wal")
    return segment


def test_what_was_appended_is_replayed_in_order(tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path, 1)
    log.append(RECORDS[:1])
    log.append(RECORDS[1:])
    log.rotate()
    log.append([b"in the next segment"])
    log.close()
    assert replayed(tmp_path) == [*RECORDS, b"in the next segment"]


def test_a_log_cut_at_any_byte_keeps_every_whole_record(tmp_path: Path) -> None:
    segment = written(tmp_path / "whole", RECORDS)
    data = segment.read_bytes()
    ends = [len(data) - sum(16 + len(record) for record in RECORDS[kept:]) for kept in range(4)]
    for cut in range(len(data)):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / segment.name).write_bytes(data[:cut])
        kept = sum(cut >= end for end in ends[1:])
        assert replayed(folder) == RECORDS[:kept]
        log = WriteAheadLog(folder, 1)
        log.append([b"after the crash"])
        log.close()
        assert replayed(folder) == [*RECORDS[:kept], b"after the crash"]


def test_garbage_behind_the_last_record_is_cut(tmp_path: Path) -> None:
    segment = written(tmp_path, RECORDS)
    size = segment.stat().st_size
    with segment.open("ab") as file:
        file.write(b"\0" * 100 + b"\xa7REC and more")
    assert replayed(tmp_path) == RECORDS
    assert segment.stat().st_size == size


def test_a_flipped_bit_before_a_sound_record_is_reported(tmp_path: Path) -> None:
    segment = written(tmp_path / "whole", RECORDS)
    data = segment.read_bytes()
    last = len(data) - 16 - len(RECORDS[-1])
    for place in range(last):
        folder = tmp_path / f"flip-{place}"
        folder.mkdir()
        (folder / segment.name).write_bytes(
            data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        )
        with pytest.raises(CorruptStore, match="does not match its checksum"):
            replayed(folder)


def test_a_bad_end_is_corruption_when_a_newer_segment_follows(tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path, 1)
    log.append(RECORDS)
    log.rotate()
    log.close()
    first = min(tmp_path.glob("*.wal"))
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(CorruptStore, match="at byte"):
        replayed(tmp_path)


def test_segments_that_are_not_needed_any_more_go(tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path, 1)
    log.append([b"old"])
    second = log.rotate()
    log.append([b"new"])
    log.drop_before(second)
    log.close()
    assert replayed(tmp_path) == [b"new"]
    assert replayed(tmp_path, first=second + 1) == []
    assert not list(tmp_path.glob("*.wal"))


def failing_after(limit: int, code: int) -> Callable[[int, bytes], int]:
    """Return an os.write that takes so many bytes in all, then fails."""
    real, left = os.write, limit

    def write(file: int, data: bytes) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(code, os.strerror(code))
        count = real(file, bytes(data)[:left])
        left -= count
        return count

    return write


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = WriteAheadLog(tmp_path, 1)
    log.append([b"kept"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing_after(30, errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            log.append([b"whole", b"x" * 100])
    log.append([b"after there is space again"])
    log.close()
    assert replayed(tmp_path) == [b"kept", b"after there is space again"]


def test_a_full_disk_at_rotation_keeps_the_old_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = WriteAheadLog(tmp_path, 1)
    log.append([b"kept"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing_after(0, errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            log.rotate()
    log.append([b"in the old segment"])
    log.close()
    assert replayed(tmp_path) == [b"kept", b"in the old segment"]


def test_after_a_failed_sync_nothing_more_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = WriteAheadLog(tmp_path, 1)
    log.append([b"kept"])

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail, raising=False)
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output error"):
            log.append([b"unknown"])
    with pytest.raises(LogBroken, match="failed before"):
        log.append([b"later"])
    log.close()
    assert replayed(tmp_path) == [b"kept"]
