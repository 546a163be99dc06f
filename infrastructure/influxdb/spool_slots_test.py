from __future__ import annotations

from pathlib import Path

import pytest

from infrastructure.errors import CorruptStore, StoreLocked
from infrastructure.influxdb import spool_slots
from infrastructure.influxdb.spool import Spool
from infrastructure.influxdb.spool_slots import open_slot, waiting_in

LIMIT = 10**6


def test_each_process_has_a_spool_and_what_a_dead_one_left_is_taken_over(tmp_path: Path) -> None:
    first, second = open_slot(tmp_path, LIMIT), open_slot(tmp_path, LIMIT)
    first.put(b"a 1\n")
    second.put(b"b 2\nc 3\n")
    assert waiting_in(tmp_path)[:2] == (2, 3)
    first.close()
    second.close()
    heir = open_slot(tmp_path, LIMIT)
    assert [block.lines for block in heir.oldest(9)] == [b"a 1\n", b"b 2\nc 3\n"]
    assert waiting_in(tmp_path)[:2] == (2, 3)
    heir.delivered(*(block.number for block in heir.oldest(9)))
    assert waiting_in(tmp_path) == (0, 0, 0)


def test_a_living_process_keeps_what_is_its_own(tmp_path: Path) -> None:
    living = open_slot(tmp_path, LIMIT)
    living.put(b"a 1\n")
    assert len(open_slot(tmp_path, LIMIT)) == 0
    assert len(living) == 1


def test_what_does_not_fit_stays_with_the_dead_one(tmp_path: Path) -> None:
    first, second = open_slot(tmp_path, LIMIT), open_slot(tmp_path, LIMIT)
    second.put(b"x" * 500)
    second.put(b"y" * 500)
    first.close()
    second.close()
    heir = open_slot(tmp_path, 600)
    assert [block.lines for block in heir.oldest(9)] == [b"x" * 500]
    assert waiting_in(tmp_path).blocks == 2


def test_delivered_blocks_are_counted_no_more_though_their_file_is_still_there(
    tmp_path: Path,
) -> None:
    spool = open_slot(tmp_path, LIMIT)
    for number in range(3):
        spool.put(b"m v=%d 1\nm v=%d 2\n" % (number, number))
    spool.delivered(1, 3)
    spool.close()
    assert waiting_in(tmp_path)[:2] == (1, 2)
    assert [block.number for block in Spool(tmp_path / "00", LIMIT).oldest(9)] == [2]


def test_a_note_that_a_power_cut_tore_sends_its_block_again(tmp_path: Path) -> None:
    spool = open_slot(tmp_path, LIMIT)
    for _ in range(3):
        spool.put(b"a 1\n")
    spool.delivered(1)
    spool.delivered(2)
    spool.close()
    [notes] = tmp_path.glob("*/*.done")
    notes.write_bytes(notes.read_bytes()[:-3])
    again = open_slot(tmp_path, LIMIT)
    assert [block.number for block in again.oldest(9)] == [2, 3]
    again.delivered(2)
    again.close()
    assert [block.number for block in open_slot(tmp_path, LIMIT).oldest(9)] == [3]


def test_too_many_processes_and_a_damaged_spool_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_slot(tmp_path, LIMIT)
    monkeypatch.setattr(spool_slots, "MOST_PROCESSES", 1)
    with pytest.raises(StoreLocked, match="1 processes"):
        open_slot(tmp_path, LIMIT)
    spool.put(b"a 1\n")
    spool.put(b"b 2\n")
    spool.delivered(2)
    spool.close()
    [path] = tmp_path.glob("*/*.spool")
    content = bytearray(path.read_bytes())
    content[22] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptStore, match=r"damaged at byte 0.*Move the file away"):
        open_slot(tmp_path, LIMIT)
    path.rename(tmp_path / "kept")
    fresh = open_slot(tmp_path, LIMIT)
    assert (fresh.put(b"c 3\n"), fresh.put(b"d 4\n")) == (1, 2)
    fresh.close()
    assert len(open_slot(tmp_path, LIMIT)) == 2
