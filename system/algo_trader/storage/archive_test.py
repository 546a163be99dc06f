from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore, DiskFull, StoreLocked, StoreNewer
from infrastructure.supervision.locks import FileLock
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.gap import Gap
from system.algo_trader.market.quarantine import Rejected
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.manifest import Manifest
from system.algo_trader.storage.transaction import Appended
from system.algo_trader.storage.version import FORMAT

DAY = 86_400_000_000_000
MINUTE = 60_000_000_000
PROJECT = Path(__file__).parents[3]
SERIES = Series("AAPL", Timeframe.D1)


def bars(
    closes: list[float], *, series: Series = SERIES, first: int = 0, fetched_at: int = 1
) -> Bars:
    step = series.timeframe.duration_ns or DAY
    close = np.array(closes)
    return Bars.of(
        series,
        start=[(first + row) * step for row in range(len(closes))],
        open=close,
        high=close + 1,
        low=close - 1,
        close=close,
        volume=[100] * len(closes),
        fetched_at=fetched_at,
        is_synthetic=False,
    )


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("*.parquet"))


def strays(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.name.startswith(".draft")]


def test_stored_bars_are_read_back_by_another_archive_of_the_folder(tmp_path: Path) -> None:
    given = bars([10.0, 11.5, 12.25])
    assert Archive(tmp_path).append(given, "r1") == Appended(new=3)
    assert Archive(tmp_path).winners("AAPL", Timeframe.D1).table.equals(given.table)


def test_equal_bars_are_not_stored_twice(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0, 11.0]), "r1")
    before = files(tmp_path)
    done = archive.append(bars([10.0, 11.0, 12.0], fetched_at=2), "r2")
    assert done == Appended(new=1, unchanged=2)
    assert len(archive.revisions("AAPL", Timeframe.D1)) == 3
    assert archive.append(bars([10.0, 11.0, 12.0], fetched_at=3), "r3") == Appended(unchanged=3)
    assert len(files(tmp_path)) == len(before) + 1


def test_a_differing_bar_becomes_the_next_revision_and_wins(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0, 11.0]), "r1")
    assert archive.append(bars([10.0, 11.5], fetched_at=2), "r2") == Appended(
        unchanged=1, revised=1
    )
    won = archive.winners("AAPL", Timeframe.D1)
    assert won.floats("close").tolist() == [10.0, 11.5]
    assert won.integers("revision").tolist() == [0, 1]
    assert len(archive.revisions("AAPL", Timeframe.D1)) == 3


def test_real_bars_win_over_simulated_ones_of_any_revision(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    sim = Series("AAPL", Timeframe.D1, source=Source.SCHWAB_SIM)
    archive.append(bars([10.0]), "r1")
    archive.append(bars([20.0], series=sim), "r2")
    archive.append(bars([21.0], series=sim, fetched_at=9), "r3")
    assert archive.winners("AAPL", Timeframe.D1).floats("close").tolist() == [10.0]
    assert archive.last(5, sim).floats("close").tolist() == [21.0]


def test_minute_bars_lie_in_a_folder_for_each_day_and_daily_bars_in_one(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    minutes = Series("AAPL", Timeframe.M1)
    archive.append(bars([1.5 + n for n in range(1450)], series=minutes), "r1")
    archive.append(bars([1.5 + n for n in range(400)]), "r2")
    folders = [str(path.parent.relative_to(tmp_path)) for path in files(tmp_path)]
    assert folders == [
        "bars_1d/AAPL/1970/01/01",
        "bars_1m/AAPL/1970/01/01",
        "bars_1m/AAPL/1970/01/02",
    ]


def test_a_range_of_starts_is_half_open(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0, 11.0, 12.0, 13.0]), "r1")
    found = archive.winners("AAPL", Timeframe.D1, start_ns=DAY, end_ns=3 * DAY)
    assert found.floats("close").tolist() == [11.0, 12.0]


@given(
    batches=st.lists(
        st.tuples(st.integers(0, 30), st.lists(st.integers(1, 9), min_size=1, max_size=12)),
        max_size=6,
    ),
    count=st.integers(1, 25),
)
@settings(max_examples=25, deadline=None)
def test_the_last_bars_are_the_end_of_all_bars_however_they_were_stored(
    batches: list[tuple[int, list[int]]], count: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder))
        for first, closes in batches:
            archive.append(bars([float(close) for close in closes], first=first), "r")
        everything = archive.series(SERIES)
        assert archive.last(count, SERIES).table.equals(everything.last(count).table)
        later = archive.series(SERIES, start_ns=10 * DAY)
        assert later.table.equals(everything.between(10 * DAY, None).table)


def test_strange_symbols_stay_inside_the_archive(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    for symbol in ("../../escape", "..", "BRK/B", "$SPX", "/ESH26"):
        archive.append(bars([10.0], series=Series(symbol, Timeframe.D1)), "r")
        assert len(archive.winners(symbol, Timeframe.D1)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    assert len(files(tmp_path / "archive" / "bars_1d")) == 5


def test_one_transaction_shows_all_or_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path)

    def half_done() -> None:
        with archive.transaction("r1") as transaction:
            transaction.append(bars([10.0]))
            transaction.record_gaps(SERIES, [Gap(0, 0, 1)])
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        half_done()
    assert archive.spans() == []
    assert files(tmp_path) == []


def test_gaps_splits_and_refused_bars_are_kept_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path, clock=VirtualClock(77))
    refused = Rejected.of(bars([10.0]), "ohlc_inconsistent", ["the high is too low"])
    for _ in range(2):
        with archive.transaction("r") as transaction:
            transaction.quarantine(refused)
            transaction.record_gaps(SERIES, [Gap(DAY, 2 * DAY, 2)])
    with archive.transaction("r") as transaction:
        transaction.record_split(SERIES, Fraction(4, 1), 5 * DAY)
    assert archive.quarantined("AAPL").to_pylist()[0]["reason"] == "the high is too low"
    assert archive.quarantined().num_rows == 1
    assert archive.gaps().select(["first", "last", "count"]).to_pylist() == [
        {"first": DAY, "last": 2 * DAY, "count": 2}
    ]
    [split] = archive.splits("AAPL").to_pylist()
    assert (split["numerator"], split["denominator"], split["before"]) == (4, 1, 5 * DAY)
    assert split["detected_at"] == 77


def test_spans_tell_rows_and_range(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0, 11.0]), "r1")
    archive.append(bars([12.0], first=2), "r2")
    [span] = archive.spans()
    assert (span.dataset, span.symbol, span.rows) == ("bars_1d", "AAPL", 3)
    assert (span.first_ns, span.last_ns) == (0, 2 * DAY)
    assert archive.bar_series() == [("AAPL", Timeframe.D1)]


def test_two_bars_of_one_start_are_refused(tmp_path: Path) -> None:
    twice = Bars.concat([bars([10.0]), bars([11.0])])
    with pytest.raises(ValueError, match="same instant"):
        Archive(tmp_path).append(twice, "r")


def test_a_folder_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    Archive(tmp_path).append(bars([10.0]), "r")
    (tmp_path / "version.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(StoreNewer, match=f"format {FORMAT + 1}, written by a newer version"):
        Archive(tmp_path)


def test_a_version_file_without_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version.json").write_text("[]")
    with pytest.raises(CorruptStore, match=r"version\.json"):
        Archive(tmp_path)


def test_a_second_writer_waits_and_then_says_so(tmp_path: Path) -> None:
    archive = Archive(tmp_path, clock=VirtualClock(0), lock_timeout_s=1)
    archive.append(bars([10.0]), "r")
    other = FileLock(tmp_path / "lock")
    assert other.try_lock()
    with pytest.raises(StoreLocked):
        archive.append(bars([11.0], first=1), "r")
    other.unlock()
    archive.append(bars([11.0], first=1), "r")


def test_two_archives_of_one_folder_see_each_other(tmp_path: Path) -> None:
    one, two = Archive(tmp_path), Archive(tmp_path)
    one.append(bars([10.0]), "r1")
    assert two.append(bars([10.0, 11.0]), "r2") == Appended(new=1, unchanged=1)
    assert one.append(bars([10.0, 11.0, 12.0]), "r3") == Appended(new=1, unchanged=2)
    assert len(two.winners("AAPL", Timeframe.D1)) == 3


def append_and_die(root: Path, closes: list[float], step: str) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from system.algo_trader.storage.archive import Archive\n"
        "from system.algo_trader.storage.archive_test import bars\n"
        f"die = lambda step: os._exit(9) if step == {step!r} else None\n"
        f"Archive(Path(sys.argv[1]), faults=die).append(bars({closes!r}), 'dying')\n"
    )
    command = [sys.executable, "-c", program, str(root)]
    paths = os.pathsep.join([str(PROJECT), *sys.path])
    done = subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 9


@pytest.mark.parametrize("step", ["part", "manifest", "committed"])
def test_a_writer_killed_at_a_step_leaves_all_or_nothing(tmp_path: Path, step: str) -> None:
    Archive(tmp_path).append(bars([10.0]), "r1")
    append_and_die(tmp_path, [10.0, 11.0], step)
    after = Archive(tmp_path)
    assert len(after.winners("AAPL", Timeframe.D1)) == (2 if step == "committed" else 1)
    after.append(bars([10.0, 11.0], fetched_at=5), "r3")
    assert after.winners("AAPL", Timeframe.D1).floats("close").tolist() == [10.0, 11.0]
    assert after.damages() == []
    assert len(files(tmp_path)) == 2


def test_a_part_of_no_commit_is_removed_by_the_next_writer_of_its_folder(tmp_path: Path) -> None:
    append_and_die(tmp_path, [10.0], "manifest")
    [orphan] = files(tmp_path)
    Archive(tmp_path).append(bars([20.0]), "r2")
    [only] = files(tmp_path)
    assert only != orphan
    assert Archive(tmp_path).winners("AAPL", Timeframe.D1).floats("close").tolist() == [20.0]


def test_a_line_that_was_cut_off_is_no_commit_and_is_overwritten(tmp_path: Path) -> None:
    Archive(tmp_path).append(bars([10.0]), "r1")
    manifest = tmp_path / "manifest.log"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + whole[:-1] * 3)
    archive = Archive(tmp_path)
    assert len(archive.winners("AAPL", Timeframe.D1)) == 1
    archive.append(bars([11.0], first=1), "r2")
    assert manifest.read_bytes().startswith(whole)
    assert len(Archive(tmp_path).winners("AAPL", Timeframe.D1)) == 2


def test_a_changed_line_of_the_log_is_found(tmp_path: Path) -> None:
    Archive(tmp_path).append(bars([10.0]), "r1")
    manifest = tmp_path / "manifest.log"
    manifest.write_bytes(manifest.read_bytes().replace(b'"rows":1', b'"rows":2'))
    with pytest.raises(CorruptStore, match="does not match its checksum"):
        Archive(tmp_path).spans()


def test_a_flipped_bit_in_a_part_is_found(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0 + n for n in range(100)]), "r1")
    [part] = files(tmp_path)
    content = bytearray(part.read_bytes())
    content[len(content) // 4] ^= 4
    part.write_bytes(bytes(content))
    assert archive.damages() == [f"{part.relative_to(tmp_path)} does not match its checksum"]
    with pytest.raises(CorruptStore, match="part-"):
        archive.winners("AAPL", Timeframe.D1)


def test_a_missing_part_is_found(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0]), "r1")
    files(tmp_path)[0].unlink()
    assert len(archive.damages()) == 1
    with pytest.raises(CorruptStore, match="cannot be read"):
        archive.winners("AAPL", Timeframe.D1)


def no_space(*_: Any) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_a_full_disk_stores_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0]), "r1")
    manifest = (tmp_path / "manifest.log").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, call, no_space)
        with pytest.raises(DiskFull, match="no space left"):
            archive.append(bars([10.0, 11.0]), "r2")
    assert (tmp_path / "manifest.log").read_bytes() == manifest
    assert len(files(tmp_path)) == 1
    assert strays(tmp_path) == []
    assert archive.append(bars([10.0, 11.0]), "r3") == Appended(new=1, unchanged=1)


def test_a_disk_that_fills_up_within_a_line_of_the_log_leaves_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(tmp_path)
    archive.append(bars([10.0]), "r1")
    manifest = (tmp_path / "manifest.log").read_bytes()
    real, calls = os.pwrite, []

    def half(number: int, content: bytes, offset: int) -> int:
        calls.append(offset)
        return real(number, content[:20], offset) if len(calls) == 1 else no_space()

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", half)
        with pytest.raises(DiskFull):
            archive.append(bars([10.0, 11.0]), "r2")
    assert len(calls) == 2
    assert (tmp_path / "manifest.log").read_bytes() == manifest


def test_an_interrupt_just_after_the_logs_line_keeps_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Manifest.append

    def interrupted(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Archive(tmp_path).append(bars([10.0]), "r1")
    assert Archive(tmp_path).damages() == []
    assert len(Archive(tmp_path).winners("AAPL", Timeframe.D1)) == 1


def test_an_interrupt_stores_nothing_half(tmp_path: Path) -> None:
    def interrupt(step: str) -> None:
        if step == "manifest":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Archive(tmp_path, faults=interrupt).append(bars([10.0]), "r1")
    assert files(tmp_path) == []
    assert Archive(tmp_path).append(bars([10.0]), "r2") == Appended(new=1)


def test_an_interrupt_after_the_commit_keeps_what_was_committed(tmp_path: Path) -> None:
    def interrupt(step: str) -> None:
        if step == "committed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Archive(tmp_path, faults=interrupt).append(bars([10.0]), "r1")
    assert len(Archive(tmp_path).winners("AAPL", Timeframe.D1)) == 1
    assert Archive(tmp_path).damages() == []
