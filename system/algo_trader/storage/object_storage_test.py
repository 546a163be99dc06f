"""An archive on storage that is no local folder: pyarrow's in-memory filesystem stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from infrastructure.errors import CorruptStore, NoDataError
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage import archive_files, backup
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_files import ArchiveFiles
from system.algo_trader.storage.archive_test import DAY, bars


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> pafs.FileSystem:
    filesystem: Any = pafs._MockFileSystem()
    filesystem.create_dir("bucket")

    def opened(location: str | Path) -> tuple[pafs.FileSystem, str]:
        return filesystem, str(location).removeprefix("mock://")

    monkeypatch.setattr(archive_files, "filesystem_of", opened)
    monkeypatch.setattr(backup, "filesystem_of", opened)
    return filesystem


def test_a_copy_in_a_bucket_is_scanned_asked_verified_and_restored(
    tmp_path: Path, bucket: pafs.FileSystem
) -> None:
    archive = Archive(tmp_path / "a")
    archive.append(bars([10.0, 11.0]), "r1")
    archive.append(bars([12.0], first=2), "r2")
    assert backup.backup(archive, "mock://bucket/one").copied == 2
    files = ArchiveFiles.open("mock://bucket/one")
    assert files.scan("bars_1d", "AAPL", DAY, columns=["close"]).to_pydict() == {
        "close": [11.0, 12.0]
    }
    assert files.sql("SELECT max(close) AS m FROM bars_1d").to_pylist() == [{"m": 12.0}]
    assert (files.damages(), files.strays()) == ([], [])
    backup.restore("mock://bucket/one", tmp_path / "b")
    restored = Archive(tmp_path / "b").revisions("AAPL", Timeframe.D1)
    assert restored.table.equals(archive.revisions("AAPL", Timeframe.D1).table)
    with pytest.raises(NoDataError):
        ArchiveFiles.open("mock://bucket/two")


def test_a_flipped_bit_in_a_bucket_is_found_and_nothing_is_restored_from_it(
    tmp_path: Path, bucket: pafs.FileSystem
) -> None:
    archive = Archive(tmp_path / "a")
    archive.append(bars([10.0, 11.0]), "r1")
    backup.backup(archive, "mock://bucket/one")
    [part] = archive.parts()
    content = bytearray((archive.root / part.path).read_bytes())
    content[len(content) // 2] ^= 1
    with bucket.open_output_stream(f"bucket/one/{part.path}") as stream:
        stream.write(bytes(content))
    damages = ArchiveFiles.open("mock://bucket/one").damages()
    assert damages == [f"{part.path} does not match its checksum"]
    with pytest.raises(CorruptStore, match="does not match"):
        backup.restore("mock://bucket/one", tmp_path / "b")
    assert not (tmp_path / "b" / "manifest.log").exists()
