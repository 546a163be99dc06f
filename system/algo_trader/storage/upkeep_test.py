from __future__ import annotations

import re
from pathlib import Path

import pytest

from infrastructure.errors import CorruptStore, DiskFull, InputError, UsageError
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_files import ArchiveFiles, filesystem_of, shown
from system.algo_trader.storage.backup import backup, restore
from system.algo_trader.storage.quota import parse_size, set_quota
from system.algo_trader.storage.upkeep import NS_PER_DAY, compact, retire

MINUTE = 60_000_000_000
SERIES = Series("AAPL", Timeframe.M1)


def bars(day: int, closes: list[float]) -> Bars:
    starts = [day * NS_PER_DAY + number * MINUTE for number in range(len(closes))]
    return Bars.of(SERIES, start=starts, open=closes, high=closes, low=closes, close=closes,
                   volume=[1] * len(closes), fetched_at=1, is_synthetic=False)  # fmt: skip


def filled(root: Path) -> Archive:
    archive = Archive(root)
    for day in (0, 1, 40):
        archive.append(bars(day, [1.5, 2.5, 3.5]), f"r{day}")
    archive.append(bars(0, [1.5, 9.5, 3.5]), "correction")
    return archive


def test_compaction_keeps_every_revision_and_removes_the_old_files(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    before = archive.winners("AAPL", Timeframe.M1).table
    done = compact(archive)
    assert (done.before, done.after, done.rows) == (3, 1, 7)
    assert archive.winners("AAPL", Timeframe.M1).table.equals(before)
    assert len(archive.revisions("AAPL", Timeframe.M1)) == 10
    assert len(list(tmp_path.rglob("part-*.parquet"))) == len(archive.parts()) == 2
    assert compact(archive).before == 0
    assert archive.damages() == []


def test_a_reader_that_knows_the_parts_of_before_finds_the_merged_one(tmp_path: Path) -> None:
    reader, writer = filled(tmp_path), Archive(tmp_path)
    before = reader.winners("AAPL", Timeframe.M1).table
    compact(writer)
    assert reader.winners("AAPL", Timeframe.M1).table.equals(before)


@pytest.mark.parametrize("step", ["part", "manifest", "committed", "removed"])
def test_a_compaction_that_fails_at_any_step_loses_nothing(tmp_path: Path, step: str) -> None:
    before = filled(tmp_path).winners("AAPL", Timeframe.M1).table

    def fail(reached: str) -> None:
        if reached == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compact(Archive(tmp_path, faults=fail))
    again = Archive(tmp_path)
    assert again.winners("AAPL", Timeframe.M1).table.equals(before)
    compact(again)
    assert again.damages() == []
    assert again.winners("AAPL", Timeframe.M1).table.equals(before)


def test_retention_says_first_and_removes_then(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    now, keep = 41 * NS_PER_DAY, {"bars_1m": "30d"}
    [dry] = retire(archive, now, keep)
    assert (dry.dataset, dry.parts, dry.rows) == ("bars_1m", 3, 7)
    assert len(archive.revisions("AAPL", Timeframe.M1)) == 10
    assert retire(archive, now, keep, apply=True) == [dry]
    assert len(archive.revisions("AAPL", Timeframe.M1)) == 3
    assert retire(archive, now) == []
    for wrong in ({"bars_1m": "30"}, {"bars_7m": "30d"}):
        with pytest.raises(UsageError):
            retire(archive, now, wrong)


def flip_a_bit(root: Path) -> None:
    path = min(root.rglob("part-*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_nothing_is_retired_or_copied_while_a_bit_is_flipped(tmp_path: Path) -> None:
    archive = filled(tmp_path / "a")
    flip_a_bit(tmp_path / "a")
    assert len(ArchiveFiles.open(tmp_path / "a").damages()) == 1
    with pytest.raises(CorruptStore, match="does not match"):
        retire(archive, 41 * NS_PER_DAY, {"bars_1m": "30d"}, apply=True)
    with pytest.raises(CorruptStore, match="does not match"):
        backup(archive, tmp_path / "b")
    assert len(archive.parts()) == 4
    assert not (tmp_path / "b" / "manifest.log").exists()


def test_a_backup_by_url_is_restored_equal_and_copies_only_what_is_new(tmp_path: Path) -> None:
    archive = filled(tmp_path / "a")
    url = (tmp_path / "b").as_uri()
    assert backup(archive, url).copied == 4
    archive.append(bars(41, [4.5]), "later")
    assert backup(archive, url).copied == 1
    done = restore(url, tmp_path / "c")
    assert (done.parts, done.commits) == (5, 5)
    restored = Archive(tmp_path / "c")
    assert restored.revisions("AAPL", Timeframe.M1).table.equals(
        archive.revisions("AAPL", Timeframe.M1).table
    )
    with pytest.raises(InputError, match="already"):
        restore(url, tmp_path / "c")
    with pytest.raises(InputError, match="another archive"):
        backup(filled(tmp_path / "d"), url)


def test_arrow_and_duckdb_read_the_same_rows_and_pruned_files_only(tmp_path: Path) -> None:
    filled(tmp_path)
    files = ArchiveFiles.open(tmp_path)
    assert len(files.select("bars_1m", "AAPL", 40 * NS_PER_DAY)) == 1
    some = files.scan("bars_1m", "AAPL", NS_PER_DAY, 2 * NS_PER_DAY, ["close"])
    assert some.to_pydict() == {"close": [1.5, 2.5, 3.5]}
    [row] = files.sql('SELECT count(*) AS n, sum("close") AS s FROM bars_1m').to_pylist()
    assert (row["n"], row["s"]) == (10, 3 * 7.5 + 9.5)


def test_a_full_quota_refuses_and_a_nearly_full_one_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive = filled(tmp_path)
    used = sum(part.bytes for part in archive.parts())
    set_quota(tmp_path, used + 1)
    archive.append(bars(50, [1.0]), "r50")
    assert any(re.search("used 100 %", record.getMessage()) for record in caplog.records)
    with pytest.raises(DiskFull, match="quota"):
        archive.append(bars(51, [1.0]), "r51")
    assert parse_size("1.5 GB") == 1_500_000_000
    with pytest.raises(UsageError):
        parse_size("lots")


def test_a_place_is_shown_without_its_credentials() -> None:
    assert shown("s3://key:secret@bucket/path?region=x") == "s3://bucket/path"
    with pytest.raises(InputError, match="no place"):
        filesystem_of("ftp://somewhere/x")
