"""How fast the archive reads, scans, imports and commits, beside plain files of the same rows.

The archive checks every part that it reads against its sha256, picks winners among revisions, and
a commit is on disk when it returns; a peer that reads or writes one plain file does none of that.
Commits are timed by the wall clock, since a disk is waited for; what has a budget, by both clocks.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infrastructure.clock import SystemClock
from infrastructure.exchange.calendars import calendar
from system.algo_trader.benchmarks.report import BenchRow, best_seconds
from system.algo_trader.jobs.import_job import ImportRequest, import_file
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_files import ArchiveFiles
from system.algo_trader.storage.records import TRADE_SCHEMA, TRADES
from system.algo_trader.storage.upkeep import compact

YEAR_S: Final = 1.0
SCAN_PER_S: Final = 5e6
DAYS: Final = 252
MINUTES: Final = 390
SCANNED: Final = 2_000_000
IMPORTED: Final = 200_000
COMMITS: Final = 20
REPEATS: Final = 5
SEED: Final = 20_231_225
SYMBOLS: Final = ("AAA", "BBB")
_MINUTE: Final = 60_000_000_000
_DAY: Final = 86_400_000_000_000
_FIRST_DAY: Final = 19_360
"""A Tuesday of January 2023, days since 1970; the market's hours are in UTC here."""


def run(days: int = DAYS, scanned: int = SCANNED, imported: int = IMPORTED) -> list[BenchRow]:
    """Measure everything in a folder of its own, which is removed.

    Args:
        days: Trading days in the year.
        scanned: Trades that are scanned.
        imported: Trades in the imported file.

    Raises:
        RuntimeError: If the archive and a peer do not hold the same rows.
    """
    with tempfile.TemporaryDirectory(prefix="algo-trader-bench-") as folder:
        root = Path(folder)
        return [
            *_year(root, days),
            *_scan(root, scanned),
            _import(root, imported),
            _commits(root),
        ]


def seeded_day(symbol: str, day: int) -> Bars:
    """Return the made-up minutes of one day, always the same.

    Args:
        symbol: Whose they are.
        day: Days since 1970.
    """
    rng = np.random.default_rng((SEED, day, sum(symbol.encode())))
    close = np.round(100 + rng.standard_normal(MINUTES).cumsum() / 50, 2)
    series = Series(symbol, Timeframe.M1, adjustment=Adjustment.RAW, source=Source.FILE)
    return Bars.of(
        series, start=day * _DAY + 14 * 60 * _MINUTE + np.arange(MINUTES) * _MINUTE, open=close,
        high=close + 0.01, low=close - 0.01, close=close,
        volume=rng.integers(1, 10**6, MINUTES), fetched_at=1, is_synthetic=True,
    )  # fmt: skip


def seeded_trades(count: int) -> pa.Table:
    """Return made-up trades of ten days by rising time, always the same."""
    rng = np.random.default_rng(SEED)
    times = np.sort(rng.integers(0, 10 * _DAY, count)) + _FIRST_DAY * _DAY
    return pa.table(
        {
            "symbol": pa.repeat("AAA", count),
            "source": pa.repeat(str(Source.FILE), count),
            "ts_event": times,
            "price": np.round(100 + rng.standard_normal(count).cumsum() / 500, 2),
            "size": rng.integers(1, 500, count),
            "aggressor": pa.array(np.where(rng.random(count) < 0.5, "A", "B")),
            "sequence": np.arange(count),
            "ts_recv": times + 1000,
            "is_synthetic": pa.repeat(True, count),
        }
    ).cast(TRADE_SCHEMA)


def _year(root: Path, days: int) -> Iterator[BenchRow]:
    import duckdb

    archive = Archive(root / "year")
    numbers = [day for day in range(_FIRST_DAY, _FIRST_DAY + 2 * days) if (day + 3) % 7 < 5][:days]
    with archive.transaction("seeded") as transaction:
        for symbol in SYMBOLS:
            for day in numbers:
                transaction.append(seeded_day(symbol, day))
    plain = root / "year.parquet"
    pq.write_table(
        pa.concat_tables([archive.revisions(symbol, Timeframe.M1).table for symbol in SYMBOLS]),
        plain,
    )
    query = f"SELECT * FROM read_parquet('{plain}') WHERE symbol = 'AAA' ORDER BY start"
    count = days * MINUTES
    with duckdb.connect() as peer:

        def duck() -> int:
            return int(peer.sql(query).to_arrow_table().num_rows)

        def ours() -> int:
            return len(Archive(root / "year").winners("AAA", Timeframe.M1,
                                                      adjustment=Adjustment.RAW))  # fmt: skip

        for name in (f"as {days} days were stored", "compacted to months"):
            _same(ours(), duck(), count)
            for label, timed in CLOCKS:
                yield BenchRow(
                    f"a year of 1-minute bars of one symbol, {count:,} rows, {name}{label}", "s",
                    timed(ours, repeats=REPEATS), "at most", YEAR_S,
                    "duckdb, one plain Parquet file",
                    timed(duck, repeats=REPEATS),
                )  # fmt: skip
            compact(archive)


def _scan(root: Path, count: int) -> Iterator[BenchRow]:
    trades = seeded_trades(count)
    archive = Archive(root / "scan")
    archive.append_records(TRADES, trades, "seeded")
    plain = root / "trades.parquet"
    pq.write_table(trades, plain, compression="zstd")
    files = ArchiveFiles.open(root / "scan")

    def scanned() -> int:
        return int(files.scan(TRADES).num_rows)

    def read() -> int:
        return int(pq.read_table(plain).num_rows)

    _same(scanned(), read(), count)
    for label, timed in CLOCKS:
        mine, theirs = (count / timed(work, repeats=REPEATS) for work in (scanned, read))
        yield BenchRow(f"scan {count:,} trades, every column{label}", "rows/s", mine, "at least",
                       SCAN_PER_S, "pyarrow, one plain Parquet file", theirs)  # fmt: skip
    sums = "SELECT sum(price * size) AS notional, count(*) AS n FROM"
    import duckdb

    with duckdb.connect() as peer:

        def duck() -> object:
            return peer.sql(f"{sums} read_parquet('{plain}')").fetchall()

        def asked() -> object:
            [row] = files.sql(f"{sums} trades").to_pylist()
            return row["n"]

        if asked() != count:
            raise RuntimeError("the archive's SQL does not see every trade")
        yield _rate(f"sum over {count:,} trades by SQL", count, asked, duck,
                    "duckdb, one plain Parquet file", SCAN_PER_S)  # fmt: skip


def _import(root: Path, count: int) -> BenchRow:
    import pandas as pd
    from pyarrow import csv

    names = ["ts_event", "price", "size", "aggressor", "sequence"]
    table = seeded_trades(count).select(names).rename_columns(["ts_event_ns", *names[1:]])
    path = root / "trades.csv"
    csv.write_csv(table, path)
    folders = iter(range(1000))

    def ours() -> None:
        archive = Archive(root / f"import{next(folders)}")
        report = import_file(
            archive, ImportRequest(path, symbol="AAA", is_synthetic=True),
            calendar=calendar("XNYS"), clock=SystemClock(),
        )  # fmt: skip
        _same(report.appended.new, count, count)

    def peer() -> None:
        pd.read_csv(path).to_parquet(root / "peer.parquet", compression="zstd")

    return _rate(f"import a CSV file of {count:,} trades, checked and on disk", count, ours, peer,
                 "pandas read_csv and to_parquet, unchecked", None)  # fmt: skip


def _commits(root: Path) -> BenchRow:
    days = [seeded_day("AAA", _FIRST_DAY + number) for number in range(COMMITS)]
    folders = iter(range(1000))

    def ours() -> None:
        archive = Archive(root / f"commits{next(folders)}")
        for number, bars in enumerate(days):
            archive.append(bars, f"r{number}")

    def peer() -> None:
        folder = root / f"plain{next(folders)}"
        folder.mkdir()
        for number, bars in enumerate(days):
            with (folder / f"{number}.parquet").open("wb") as file:
                pq.write_table(bars.table, file)
                file.flush()
                os.fsync(file.fileno())

    return BenchRow(
        f"commits of a day's {MINUTES} minutes, each on disk", "commits/s",
        COMMITS / best_wall(ours), "at least", None, "pyarrow write_table and fsync, no log",
        COMMITS / best_wall(peer),
    )  # fmt: skip


def _rate(
    name: str,
    count: int,
    ours: Callable[[], object],
    peer: Callable[[], object],
    peer_name: str,
    budget: float | None,
) -> BenchRow:
    mine, theirs = (count / best_seconds(work, repeats=REPEATS) for work in (ours, peer))
    return BenchRow(name, "rows/s", mine, "at least", budget, peer_name, theirs)


def best_wall(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the least wall-clock time of several runs, seconds, after one that is not timed."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


CLOCKS: Final = (("", best_seconds), (", wall clock", best_wall))
"""Time of all cores together, and time as a person waits: both for what has a budget."""


def _same(ours: int, peers: int, expected: int) -> None:
    if not ours == peers == expected:
        raise RuntimeError(f"the archive has {ours} rows, the peer {peers}, expected {expected}")
