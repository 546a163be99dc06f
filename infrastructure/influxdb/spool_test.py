from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest

from infrastructure.errors import CorruptStore, DiskFull, OperatorError, StoreLocked
from infrastructure.influxdb.spool import Spool

LIMIT = 10**6


class Killed(BaseException):
    """Stand for kill -9: nothing of the spool runs after it."""


def test_blocks_come_in_order_and_survive_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LIMIT)
    assert [spool.put(b"a 1\n"), spool.put(b"b 2\n"), spool.put(b"c 3\n")] == [1, 2, 3]
    spool.close()
    again = Spool(tmp_path, LIMIT)
    assert [block.lines for block in again.oldest(10)] == [b"a 1\n", b"b 2\n", b"c 3\n"]
    assert again.put(b"d 4\n") == 4
    for number in (1, 2, 3, 4):
        again.delivered(number)
    assert len(again) == 0
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) == 0


def test_numbers_never_repeat_though_the_spool_empties_and_restarts(tmp_path: Path) -> None:
    numbers = []
    for _ in range(4):
        spool = Spool(tmp_path, LIMIT)
        numbers += [spool.put(b"a 1\n"), spool.put(b"b 2\n")]
        for block in spool.oldest(10):
            spool.delivered(block.number)
        spool.close()
    assert numbers == list(range(1, 9))


def test_a_disk_that_was_full_at_the_first_block_is_used_once_it_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, LIMIT)
    real = os.open

    def full(path: Any, flags: int, *rest: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        with pytest.raises(DiskFull):
            spool.put(b"a 1\n")
    assert spool.put(b"b 2\n") == 1
    assert [block.lines for block in spool.oldest(9)] == [b"b 2\n"]


def test_a_disk_that_is_full_or_read_only_refuses_a_block_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, LIMIT)
    spool.put(b"a 1\n")
    for number, kind, words in (
        (errno.ENOSPC, DiskFull, "no space left"),
        (errno.EROFS, OperatorError, "Read-only file system"),
    ):

        def refuse(*_: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", refuse)
            with pytest.raises(kind, match=words):
                spool.put(b"b 2\n")
    assert spool.put(b"c 3\n") == 2
    spool.close()
    assert [block.lines for block in Spool(tmp_path, LIMIT).oldest(9)] == [b"a 1\n", b"c 3\n"]


def test_blocks_are_delivered_though_their_notes_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, LIMIT)
    spool.put(b"a 1\n")
    spool.put(b"b 2\n")

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        spool.delivered(1)
    assert [block.number for block in spool.oldest(9)] == [2]
    spool.close()
    # It comes again after a restart: the same rows.
    assert [block.number for block in Spool(tmp_path, LIMIT).oldest(9)] == [1, 2]


@pytest.mark.parametrize("cut", [1, 10, 20, 23])
def test_a_torn_tail_is_cut_off(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path, LIMIT)
    spool.put(b"a 1\n")
    spool.put(b"b 2\n")
    spool.close()
    [path] = tmp_path.glob("*.spool")
    path.write_bytes(path.read_bytes()[:-cut])
    again = Spool(tmp_path, LIMIT)
    assert [block.lines for block in again.oldest(10)] == [b"a 1\n"]
    again.put(b"c 3\n")
    again.close()
    assert [block.lines for block in Spool(tmp_path, LIMIT).oldest(10)] == [b"a 1\n", b"c 3\n"]


def test_a_flipped_bit_in_an_acknowledged_block_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LIMIT)
    spool.put(b"a 1\n")
    spool.put(b"b 2\n")
    spool.close()
    [path] = tmp_path.glob("*.spool")
    content = bytearray(path.read_bytes())
    content[21] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptStore, match="damaged at byte 0"):
        Spool(tmp_path, LIMIT)


def test_a_full_spool_refuses_until_a_block_is_delivered(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 60)
    spool.put(b"x" * 30)
    with pytest.raises(DiskFull, match="wait for their server"):
        spool.put(b"y" * 30)
    spool.delivered(1)
    assert spool.put(b"y" * 30) == 2


def test_two_processes_cannot_open_one_spool(tmp_path: Path) -> None:
    Spool(tmp_path, LIMIT)
    with pytest.raises(StoreLocked):
        Spool(tmp_path, LIMIT)


@pytest.mark.parametrize("seed", range(30))
def test_no_acknowledged_block_is_lost_whichever_step_ends_the_process(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    acknowledged: set[bytes] = set()
    arrived: set[bytes] = set()
    steps_left = 0

    def step(name: str) -> None:
        nonlocal steps_left
        steps_left -= 1
        if steps_left == 0:
            raise Killed(name)

    for life in range(8):
        steps_left = rng.randrange(1, 12)
        spool = None
        try:
            spool = Spool(tmp_path, LIMIT, on_step=step)
            for number in range(6):
                lines = f"m,k={life}-{number} v=1 {life}\n".encode()
                spool.put(lines)
                acknowledged.add(lines)
                if rng.random() < 0.5:
                    for block in spool.oldest(2):
                        arrived.add(block.lines)
                        spool.delivered(block.number)
        except Killed:
            pass
        finally:
            if spool is not None:
                spool.close()
    steps_left = 10**9
    spool = Spool(tmp_path, LIMIT)
    arrived.update(block.lines for block in spool.oldest(10**6))
    assert acknowledged <= arrived, f"seed {seed}"
