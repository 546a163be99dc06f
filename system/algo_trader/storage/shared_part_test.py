"""Judge files that symbols share by the same rows stored symbol by symbol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infrastructure.errors import CorruptStore
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_files import ArchiveFiles
from system.algo_trader.storage.backup import backup, restore
from system.algo_trader.storage.records import TRADE_SCHEMA, TRADES
from system.algo_trader.storage.upkeep import compact

DAY = 86_400_000_000_000
S = 1_000_000_000
SYMBOLS = ("AAPL", "BRK/B", "MSFT", "^SPX")


def trades(seed: int, count: int = 200) -> pa.Table:
    """Seeded trades of some symbols over two days, many of them equal."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, 40, count)) * (DAY // 20)
    return pa.table(
        {
            "symbol": [SYMBOLS[place] for place in rng.integers(0, len(SYMBOLS), count)],
            "source": ["schwab-live"] * count,
            "ts_event": times,
            "price": rng.integers(1, 3, count).astype(float),
            "size": [1] * count,
            "aggressor": pa.nulls(count, pa.string()),
            "sequence": pa.nulls(count, pa.int64()),
            "ts_recv": times,
            "is_synthetic": [False] * count,
        },
        TRADE_SCHEMA,
    )


def bars(seed: int) -> Bars:
    """Seeded minute bars of some symbols, each start once, closes of few values."""
    rng = np.random.default_rng(seed)
    made = []
    for symbol in SYMBOLS:
        starts = np.sort(rng.choice(30, 12, replace=False)) * (DAY // 15)
        close = rng.integers(1, 4, 12).astype(float)
        made.append(
            Bars.of(Series(symbol, Timeframe.M1), start=starts, open=close, high=close, low=close,
                    close=close, volume=[1] * 12, fetched_at=seed, is_synthetic=False)
        )  # fmt: skip
    mixed = Bars.concat(made)
    return mixed.take(rng.permutation(len(mixed)))


@pytest.fixture
def both(tmp_path: Path) -> tuple[Archive, Archive]:
    """Two archives with the same rows: in shared files, and symbol by symbol."""
    shared, single = Archive(tmp_path / "shared"), Archive(tmp_path / "single")
    for seed in range(4):
        for archive, together in ((shared, True), (single, False)):
            with archive.transaction(f"r{seed}") as transaction:
                added = transaction.append(bars(seed), together=together)
                rows = transaction.append_records(TRADES, trades(seed), together=together)
                archive_said = (added, rows)
            if together:
                expected = archive_said
        assert archive_said == expected
    return shared, single


def assert_equal_content(one: Archive, other: Archive) -> None:
    for symbol in SYMBOLS:
        assert one.records(TRADES, symbol).equals(other.records(TRADES, symbol))
        mine, theirs = (
            archive.revisions(symbol, Timeframe.M1).table.sort_by(
                [("start", "ascending"), ("revision", "ascending")]
            )
            for archive in (one, other)
        )
        assert mine.equals(theirs)
        assert one.winners(symbol, Timeframe.M1).table.equals(
            other.winners(symbol, Timeframe.M1).table
        )
    assert sorted(map(str, one.records(TRADES, None).to_pylist())) == sorted(
        map(str, other.records(TRADES, None).to_pylist())
    )


def test_shared_files_hold_what_single_ones_do(both: tuple[Archive, Archive]) -> None:
    shared, single = both
    assert_equal_content(shared, single)
    assert len(shared.files(TRADES)) < len(single.files(TRADES))
    assert all(part.shared for part in shared.files())


def test_each_symbols_share_is_a_part_with_its_own_rows_and_times(
    both: tuple[Archive, Archive],
) -> None:
    shared, single = both
    mine, theirs = shared.spans(), single.spans()
    assert [
        (span.dataset, span.symbol, span.rows, span.first_ns, span.last_ns) for span in mine
    ] == [(span.dataset, span.symbol, span.rows, span.first_ns, span.last_ns) for span in theirs]
    assert shared.bar_series() == single.bar_series()
    first, last = 3 * (DAY // 20), 7 * (DAY // 20)
    for symbol in SYMBOLS:
        assert shared.records(TRADES, symbol, first, last).equals(
            single.records(TRADES, symbol, first, last)
        )
        for part in shared.parts(TRADES, symbol, first, last):
            assert (part.symbol, part.last_ns >= first, part.first_ns < last) == (
                symbol,
                True,
                True,
            )
    assert shared.parts(TRADES, "IBM") == []


def test_what_is_stored_already_is_left_out(both: tuple[Archive, Archive]) -> None:
    shared, _ = both
    before = len(shared.files())
    with shared.transaction("again") as transaction:
        assert transaction.append_records(TRADES, trades(3), together=True).new == 0
        assert transaction.append(bars(3), together=True).unchanged == 48
    assert len(shared.files()) == before


def test_shared_and_single_files_know_of_each_other(both: tuple[Archive, Archive]) -> None:
    for archive, together in zip(both, (False, True), strict=True):
        with archive.transaction("mixed") as transaction:
            assert transaction.append_records(TRADES, trades(2), together=together).new == 0
            done = transaction.append(bars(1), together=together)
            assert (done.new, done.unchanged + done.revised) == (0, 48)
            transaction.append_records(TRADES, trades(9), together=together)
    assert_equal_content(*both)


def test_two_bars_of_one_start_are_refused(tmp_path: Path) -> None:
    twice = Bars.concat([bars(0), bars(0)])
    with Archive(tmp_path).transaction("r") as transaction, pytest.raises(ValueError, match="same"):
        transaction.append(twice, together=True)


def test_compaction_parts_them_by_symbol_and_loses_nothing(both: tuple[Archive, Archive]) -> None:
    shared, single = both
    files = len(shared.files())
    done = compact(shared)
    assert done.parted == files
    assert not any(part.shared for part in shared.files())
    assert_equal_content(shared, single)
    assert len(list(shared.root.rglob("*.parquet"))) == len(shared.files())
    assert shared.damages() == []
    assert compact(shared).parted == 0


def test_compaction_of_one_symbol_parts_only_files_that_hold_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.transaction("r") as transaction:
        transaction.append_records(TRADES, trades(1), together=True)
    assert compact(archive, symbol="IBM").parted == 0
    assert compact(archive, symbol="AAPL").parted > 0


def test_other_readers_see_every_row_and_copies_are_whole(
    both: tuple[Archive, Archive], tmp_path: Path
) -> None:
    shared, single = both
    files = ArchiveFiles.open(shared.root)
    count = "SELECT symbol, count(*) AS n FROM trades GROUP BY symbol ORDER BY symbol"
    assert files.sql(count).equals(ArchiveFiles.open(single.root).sql(count))
    for symbol in SYMBOLS:
        assert files.scan(TRADES, symbol).num_rows == single.records(TRADES, symbol).num_rows
    backup(shared, tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "back")
    assert_equal_content(Archive(tmp_path / "back"), single)


def test_a_symbol_is_read_out_of_many_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("system.algo_trader.storage.parts.ROW_GROUP", 7)
    shared, single = Archive(tmp_path / "shared"), Archive(tmp_path / "single")
    shared_rows = trades(5, 500)
    with shared.transaction("r") as transaction:
        transaction.append_records(TRADES, shared_rows, together=True)
    with single.transaction("r") as transaction:
        transaction.append_records(TRADES, shared_rows)
    for symbol in SYMBOLS:
        assert shared.records(TRADES, symbol).equals(single.records(TRADES, symbol))


def test_a_footer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.transaction("r") as transaction:
        transaction.append_records(TRADES, trades(1), together=True)
    path = tmp_path / archive.files()[0].path
    path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)
    with pytest.raises(CorruptStore, match="does not say whose rows it holds"):
        Archive(tmp_path).parts(TRADES, "AAPL")
    assert len(archive.damages()) == 1
