"""What is exported is read back by the import, equal to the bit, and says where it came from."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.errors import InputError, NoDataError, UsageError
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_starts
from system.algo_trader.jobs.import_job import ImportReport, ImportRequest, import_file
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.export_file import (
    METADATA_KEY,
    ExportRequest,
    Format,
    export_file,
)
from system.algo_trader.storage.records import QUOTE_SCHEMA, TRADE_SCHEMA

OPEN = parse_rfc3339("2019-03-08T14:30:00Z")
NOW = parse_rfc3339("2024-01-05T00:00:00Z")
MINUTE = 60_000_000_000
FORMS: tuple[Format, ...] = ("csv", "parquet", "arrow")
VALUES = ("start", "open", "high", "low", "close", "volume", "is_synthetic")


def archive_of(root: Path) -> Archive:
    return Archive(root, clock=VirtualClock(NOW))


def bars(timeframe: Timeframe, source: Source = Source.SCHWAB, synthetic: bool = False) -> Bars:
    rng = random.Random(3)
    if timeframe is Timeframe.M1:
        starts = [OPEN + n * MINUTE for n in range(40)]
    else:
        days = np.arange("2019-02-04", "2019-03-09", dtype="datetime64[D]")
        starts = schwab_bar_starts(
            days[np.is_busday(days, holidays=["2019-02-18"])], str(timeframe)
        ).tolist()
    rows = [sorted(rng.random() * 100 + 1e-7 for _ in range(4)) for _ in starts]
    volume = [None if number == 3 else rng.randrange(10**12) for number in range(len(starts))]
    return Bars.of(
        Series("BRK/B", timeframe, adjustment=Adjustment.RAW, source=source),
        start=starts, open=[row[1] for row in rows], high=[row[3] for row in rows],
        low=[row[0] for row in rows], close=[row[2] for row in rows],
        volume=pa.array(volume, pa.int64()), fetched_at=5, is_synthetic=synthetic,
    )  # fmt: skip


def brought_in(path: Path, root: Path, **said: object) -> tuple[Archive, ImportReport]:
    archive = archive_of(root)
    request = ImportRequest(path, **{"label": "start", **said})  # type: ignore[arg-type]
    report = import_file(archive, request, calendar=calendar("XNYS"), clock=VirtualClock(NOW))
    return archive, report


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.D1])
def test_bars_come_back_equal_to_the_bit(
    tmp_path: Path, form: Format, timeframe: Timeframe
) -> None:
    given = bars(timeframe)
    archive = archive_of(tmp_path / "a")
    archive.append(given, "request-7")
    request = ExportRequest(f"bars_{timeframe}", "BRK/B")
    done = export_file(archive, request, tmp_path, form, now_ns=NOW)
    assert done.path.name == f"BRK%2FB-bars_{timeframe}-rth-raw.{form}"
    back, report = brought_in(done.path, tmp_path / "b", timeframe=timeframe)
    stored = back.winners("BRK/B", timeframe, adjustment=Adjustment.RAW).table
    assert stored.select(VALUES).equals(given.table.select(VALUES))
    assert (report.rejected, report.reordered) == ({}, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dataset", ["trades", "quotes"])
def test_trades_and_quotes_come_back_with_their_equals_and_nulls(
    tmp_path: Path, form: Format, dataset: str
) -> None:
    rng = random.Random(4)
    schema = TRADE_SCHEMA if dataset == "trades" else QUOTE_SCHEMA
    rows = []
    for number in range(60):
        row = {"symbol": "/ESH24", "source": "file", "is_synthetic": False,
               "ts_event": OPEN + rng.randrange(30), "ts_recv": OPEN + 40 + number,
               "sequence": None if number % 7 == 0 else number}  # fmt: skip
        if dataset == "trades":
            row |= {"price": rng.random() * 4800, "size": rng.randrange(1, 9)}
            row["aggressor"] = rng.choice(["A", "B", None])
        else:
            row |= {"bid_price": rng.random(), "bid_size": 1, "ask_price": None, "ask_size": 2}
        rows += [row, row] if number == 9 else [row]
    archive = archive_of(tmp_path / "a")
    archive.append_records(dataset, pa.Table.from_pylist(rows, schema=schema), "r")
    request = ExportRequest(dataset, "/ESH24")
    done = export_file(archive, request, tmp_path / f"out.{form}", form, now_ns=NOW)
    back, report = brought_in(done.path, tmp_path / "b")
    assert report.appended.new == len(rows)
    assert back.records(dataset, "/ESH24").equals(archive.records(dataset, "/ESH24"))


def test_a_span_is_half_open_and_the_csv_is_what_another_reader_reads(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a")
    archive.append(bars(Timeframe.M1), "r")
    request = ExportRequest("bars_1m", "BRK/B", OPEN + MINUTE, OPEN + 3 * MINUTE)
    done = export_file(archive, request, tmp_path / "x.csv", "csv", now_ns=NOW)
    with done.path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["start"] for row in rows] == [
        "2019-03-08T14:31:00.000000000Z",
        "2019-03-08T14:32:00.000000000Z",
    ]
    closes = archive.winners("BRK/B", Timeframe.M1, adjustment=Adjustment.RAW).floats("close")
    assert [float(row["close"]) for row in rows] == closes[1:3].tolist()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_says_where_its_rows_came_from_and_that_they_were_made_up(
    tmp_path: Path, form: Format
) -> None:
    archive = archive_of(tmp_path / "a")
    archive.append(bars(Timeframe.M1, Source.SCHWAB_SIM, synthetic=True), "request-7")
    done = export_file(
        archive, ExportRequest("bars_1m", "BRK/B"), tmp_path / f"x.{form}", form, now_ns=NOW
    )
    beside = json.loads((tmp_path / f"x.{form}.provenance.json").read_text())
    inside = beside
    if form == "parquet":
        inside = json.loads(pq.read_schema(done.path).metadata[METADATA_KEY])
    elif form == "arrow":
        with pa.memory_map(str(done.path)) as file:
            inside = json.loads(pa.ipc.open_file(file).schema.metadata[METADATA_KEY])
    assert beside == inside == done.provenance
    assert (beside["is_synthetic"], beside["is_simulated"]) == (True, True)
    assert beside["sources"] == ["schwab-sim"]
    assert beside["requests"] == ["request-7"]
    assert "not to be shown as real" in beside["licence"][0]
    with pytest.raises(InputError, match="come from the simulator"):
        brought_in(done.path, tmp_path / "b", timeframe=Timeframe.M1)
    back, _ = brought_in(done.path, tmp_path / "c", timeframe=Timeframe.M1, into_simulation=True)
    stored = back.winners("BRK/B", Timeframe.M1, adjustment=Adjustment.RAW).table
    assert stored.column("is_synthetic").to_pylist() == [True] * 40


@pytest.mark.parametrize(
    "said", [{"timeframe": Timeframe.M5}, {"timeframe": Timeframe.M1, "adjustment": "split"}]
)
def test_a_command_that_contradicts_the_file_is_refused(
    tmp_path: Path, said: dict[str, object]
) -> None:
    archive = archive_of(tmp_path / "a")
    archive.append(bars(Timeframe.M1), "r")
    done = export_file(
        archive, ExportRequest("bars_1m", "BRK/B"), tmp_path / "x.csv", "csv", now_ns=NOW
    )
    with pytest.raises(UsageError, match=r"x\.csv says (timeframe 1m|adjustment raw)"):
        brought_in(done.path, tmp_path / "b", **said)


def test_what_is_not_there_makes_no_file_and_says_what_there_is(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a")
    archive.append(bars(Timeframe.M1), "r")
    split = ExportRequest("bars_1m", "BRK/B", adjustment=Adjustment.SPLIT)
    with pytest.raises(NoDataError, match="there are some of rth and raw"):
        export_file(archive, split, tmp_path / "x.csv", "csv", now_ns=NOW)
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_failed_export_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of(tmp_path / "a")
    archive.append(bars(Timeframe.M1), "r")
    target = tmp_path / "x.csv"
    target.write_text("old")

    def interrupted(self: Path, other: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_file(archive, ExportRequest("bars_1m", "BRK/B"), target, "csv", now_ns=NOW)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "x.csv"]
