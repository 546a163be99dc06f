"""The log: every flipped bit is found, every cut is a prefix, time never falls."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_test import bars
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.manifest import Manifest

PART = Part(dataset="bars_1d", symbol="A", path="p", sha256="0" * 64, bytes=1, rows=1,
            first_ns=1, last_ns=2)  # fmt: skip


def log_of_three(folder: Path) -> Path:
    path = folder / "manifest.log"
    for number in range(3):
        Manifest(path).append(number, f"r{number}", (PART,))
    return path


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_of_any_byte_of_the_log_is_found(tmp_path: Path, bit: int) -> None:
    whole = log_of_three(tmp_path).read_bytes()
    silent = []
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << bit
        try:
            Manifest.commits_in(bytes(content), "log")
        except CorruptStore:
            continue
        silent.append(place)
    assert silent == []


def test_a_log_cut_anywhere_holds_the_commits_of_its_whole_lines(tmp_path: Path) -> None:
    whole = log_of_three(tmp_path).read_bytes()
    for length in range(len(whole)):
        found = Manifest.commits_in(whole[:length], "log")
        assert [commit.sequence for commit in found] == [*range(1, len(found) + 1)]
        assert len(found) == whole[:length].count(b"\n")


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_that_lost_commits_under_a_running_process_is_refused(
    tmp_path: Path, kept: int
) -> None:
    path = log_of_three(tmp_path)
    running = Manifest(path)
    assert len(running.commits()) == 3
    shorter = b"".join(path.read_bytes().splitlines(keepends=True)[:kept])
    if kept:
        path.write_bytes(shorter)
    else:
        path.unlink()
    with pytest.raises(CorruptStore, match="has lost commits"):
        running.append(9, "r9", (PART,))
    assert not path.exists() or path.read_bytes() == shorter


def test_a_clock_that_was_set_back_is_told_and_times_do_not_fall(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hour = 3_600_000_000_000
    Archive(tmp_path, clock=VirtualClock(5 * hour)).append(bars([10.0]), "r1")
    with caplog.at_level(logging.WARNING):
        Archive(tmp_path, clock=VirtualClock(2 * hour)).append(bars([11.0], first=1), "r2")
    assert "stands 10800.0 s before the archive's last commit" in caplog.text
    Archive(tmp_path, clock=VirtualClock(6 * hour)).append(bars([12.0], first=2), "r3")
    times = [commit.committed_at_ns for commit in Archive(tmp_path).commits()]
    assert times == [5 * hour, 5 * hour, 6 * hour]


def test_threads_that_share_a_log_never_see_it_shrink(tmp_path: Path) -> None:
    log = Manifest(tmp_path / "manifest.log")
    over = threading.Event()
    seen: list[int] = []

    def read() -> int:
        last = 0
        while not over.is_set():
            last = len(log.commits())
        return last

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        seen += [log.append(number, f"r{number}", ()).sequence for number in range(150)]
        over.set()
        assert all(reader.result() <= 150 for reader in readers)
    assert seen == list(range(1, 151))
    assert len(Manifest(log.path).commits()) == 150
