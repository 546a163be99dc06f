"""The audit: who asked what, through full disks and too many requests at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import VirtualClock
from system.algo_trader.api.access import audit as room
from system.algo_trader.api.access.audit import KEPT_FILES, Audit

NEVER_S = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api_audit.jsonl"


def made(path: Path, largest: int = 10**6) -> Audit:
    return Audit(path, VirtualClock(0), largest=largest, every_s=NEVER_S)


def note(audit: Audit, number: int) -> None:
    audit.note(f"key{number}", "GET", "/candles", 200, number, 1.234, "127.0.0.1")


def lines(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_every_request_is_one_line_without_its_question(path: Path) -> None:
    audit = made(path)
    audit.start()
    note(audit, 7)
    audit.close()
    assert lines(path) == [
        {"at": "1970-01-01T00:00:00Z", "key": "key7", "method": "GET", "route": "/candles",
         "status": 200, "rows": 7, "took_ms": 1.23, "client": "127.0.0.1"}
    ]  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    assert (audit.last_used_ns("key7"), audit.last_used_ns("nobody")) == (0, None)


def test_full_files_get_numbers_and_the_oldest_goes(path: Path) -> None:
    for number in range(KEPT_FILES + 3):
        audit = made(path, largest=1)
        note(audit, number)
        audit.close()
    kept = [path.with_suffix(f".{number}.jsonl") for number in range(1, KEPT_FILES + 1)]
    assert sorted(path.parent.iterdir()) == sorted(kept)
    newest = KEPT_FILES + 2
    assert [line["rows"] for line in lines(*kept)] == list(range(newest, newest - KEPT_FILES, -1))


def test_what_has_no_room_is_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_WAITING", 10)
    audit = made(path)
    for number in range(25):
        note(audit, number)
    audit.close()
    *kept, last = lines(path)
    assert [line["rows"] for line in kept] == list(range(15, 25))
    assert last["dropped"] == 15


def test_a_full_disk_loses_nothing_as_long_as_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_WAITING", 10)
    audit = made(path)
    path.mkdir()  # stands for a disk that takes nothing
    for number in range(6):
        note(audit, number)
    audit.close()
    for number in range(6, 12):
        note(audit, number)
    audit.close()
    path.rmdir()
    audit.close()
    *kept, last = lines(path)
    found = [line["rows"] for line in kept]
    assert found == sorted(found)
    assert len(found) + last["dropped"] == 12
    assert found[-1] == 11
