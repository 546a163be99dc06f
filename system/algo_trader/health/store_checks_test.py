"""What the log, the sizes of files and the machine's own figures say; no part is read."""

from collections import namedtuple
from pathlib import Path

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore
from system.algo_trader.health.store_checks import archive_check, disk_check, memory_check
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.manifest import MANIFEST_FILE, Manifest
from system.algo_trader.storage.quota import set_quota

HOUR_NS = 3_600_000_000_000
Usage = namedtuple("Usage", "total used free")


def archive_in(root: Path, count: int = 3) -> None:
    root.mkdir(exist_ok=True)
    parts = []
    for number in range(count):
        path = f"part-{number}.parquet"
        (root / path).write_bytes(b"x" * 100)
        parts.append(
            Part(
                dataset="bars_1d", symbol="IBM", path=path, sha256="0" * 64, bytes=100, rows=10,
                first_ns=0, last_ns=1,
            )
        )  # fmt: skip
    Manifest(root / MANIFEST_FILE).append(HOUR_NS, "r", tuple(parts))


def test_an_archive_is_judged_by_its_log_and_sizes_and_says_how_old_it_is(tmp_path: Path) -> None:
    clock = VirtualClock(3 * HOUR_NS)
    assert archive_check(tmp_path, clock).state == "degraded"
    archive_in(tmp_path)
    found = archive_check(tmp_path, clock)
    assert found.state == "ok"
    assert found.detail == ("30 rows in 3 files, all of their size; newest commit 2.0 hours ago")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "is missing"), (b"x" * 99, "has 99 bytes, expected 100")],
    ids=["missing", "shorter"],
)
def test_a_part_that_is_missing_or_has_another_size_is_down(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    archive_in(tmp_path)
    part = tmp_path / "part-1.parquet"
    part.unlink()
    if content is not None:
        part.write_bytes(content)
    found = archive_check(tmp_path, VirtualClock(HOUR_NS))
    assert (found.state, found.detail) == (
        "down",
        f"part-1.parquet {said}; run `algo-trader archive verify`",
    )


def test_of_a_large_archive_only_the_newest_files_are_looked_at(tmp_path: Path) -> None:
    class Passing(VirtualClock):
        def monotonic_ns(self) -> int:
            self.advance(seconds=1)
            return super().monotonic_ns()

    archive_in(tmp_path)
    (tmp_path / "part-0.parquet").unlink()
    found = archive_check(tmp_path, Passing(HOUR_NS), look_s=2)
    assert found.state == "ok"
    assert "the newest 2 of their size" in found.detail


def test_a_damaged_log_is_an_error(tmp_path: Path) -> None:
    archive_in(tmp_path)
    with (tmp_path / MANIFEST_FILE).open("r+b") as log:
        log.write(b"0000")
    with pytest.raises(CorruptStore, match="checksum"):
        archive_check(tmp_path, VirtualClock(HOUR_NS))


@pytest.mark.parametrize(
    ("used", "quota", "state"),
    [(89, None, "ok"), (90, None, "degraded"), (95, None, "down"), (10, 301, "degraded"),
     (10, 300, "down"), (10, 1000, "ok"), (95, 1000, "down")],
)  # fmt: skip
def test_a_disk_and_a_quota_that_fill_up_are_degraded_and_then_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: int, quota: int | None, state: str
) -> None:
    # A tenth of the disk is kept for root and nobody's to use.
    usage = Usage(total=110 * 2**30, used=used * 2**30, free=(100 - used) * 2**30)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    archive_in(tmp_path)
    if quota is not None:
        set_quota(tmp_path, quota)
    found = disk_check(tmp_path / "made" / "later", tmp_path)
    assert found.state == state
    assert f"{used}% used" in found.detail


@pytest.mark.parametrize(("available", "state"), [(20, "ok"), (15, "degraded"), (5, "down")])
def test_memory_is_what_linux_calls_available(tmp_path: Path, available: int, state: str) -> None:
    file = tmp_path / "meminfo"
    file.write_text(
        f"MemTotal:       {100 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {available * 2**20} kB\n"
    )
    found = memory_check(file)
    assert (found.state, found.detail) == (
        state,
        f"{100 - available}% used, {available}.0 GiB available",
    )
    assert memory_check(tmp_path / "none").state == "ok"
