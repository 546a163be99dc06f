"""The audit where the disk does not do as it is told: no line twice, none lost in silence."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import VirtualClock
from system.algo_trader.api.access import audit as room
from system.algo_trader.api.access.audit import Audit

NEVER_S = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api_audit.jsonl"


def made(path: Path, largest: int = 10**6) -> Audit:
    return Audit(path, VirtualClock(0), largest=largest, every_s=NEVER_S)


def note(audit: Audit, number: int) -> None:
    audit.note("key", "GET", "/candles", 200, number, 1.0, "127.0.0.1")


def rows(path: Path) -> list[Any]:
    return [json.loads(line)["rows"] for line in path.read_text().splitlines()]


def test_a_file_that_cannot_be_put_aside_grows_and_holds_each_line_once(path: Path) -> None:
    audit = made(path, largest=1)
    path.with_suffix(".4.jsonl").write_text("")
    path.with_suffix(".5.jsonl").mkdir()
    for number in range(4):
        note(audit, number)
        audit.close()
    assert rows(path) == [0, 1, 2, 3]


def test_what_came_to_a_full_disk_in_part_comes_again_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = made(path)
    note(audit, 0)
    audit.close()

    def half(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(room, "write_all", half)
        note(audit, 1)
        audit.close()
    note(audit, 2)
    audit.close()
    assert rows(path) == [0, 1, 2]


def test_of_many_threads_requests_none_is_lost_uncounted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_WAITING", 100)
    audit = Audit(path, VirtualClock(0), every_s=0.001)
    audit.start()

    def ask() -> None:
        for number in range(2000):
            note(audit, number)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    audit.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    dropped = sum(line.get("dropped", 0) for line in lines)
    written = sum("rows" in line for line in lines)
    assert written + dropped >= 8000
    assert written > 0
