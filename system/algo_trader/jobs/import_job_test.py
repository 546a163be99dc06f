from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.errors import InputError, UsageError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.jobs.import_job import ImportReport, ImportRequest, import_file
from system.algo_trader.market.timeframe import Adjustment, Timeframe
from system.algo_trader.storage.archive import Archive

NOW = parse_rfc3339("2024-01-05T00:00:00Z")
NEW_YORK = "America/New_York"
LACKING = ("10:17", "10:18", "14:02")


def written(path: Path, header: str, rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path


def minutes(path: Path, day: str = "2019-03-08", lacking: tuple[str, ...] = LACKING) -> Path:
    """Write one made-up session, newest first, naive New York times, labelled by bar end."""
    rng = random.Random(7)
    end, rows = datetime.fromisoformat(f"{day} 09:31:00"), []
    for _ in range(390):
        if f"{end:%H:%M}" not in lacking:
            low, high = sorted(round(100 + rng.random() * 9, 4) for _ in range(2))
            rows.append([f"{end}", low, high, low, high, rng.randrange(1, 10**6)])
        end += timedelta(minutes=1)
    return written(path, "datetime,open,high,low,close,volume", rows[::-1])


def bars_request(path: Path, **changes: Any) -> ImportRequest:
    given: dict[str, Any] = {
        "zone": NEW_YORK,
        "label": "end",
        "symbol": "ZZZ",
        "timeframe": Timeframe.M1,
    }
    return ImportRequest(path, **given | changes)


def imported(root: Path, request: ImportRequest) -> tuple[Archive, ImportReport]:
    archive = Archive(root / "archive", clock=VirtualClock(NOW))
    report = import_file(archive, request, calendar=calendar("XNYS"), clock=VirtualClock(NOW))
    return archive, report


def test_end_labels_newest_first_become_sorted_starts_and_missing_minutes_are_told(
    tmp_path: Path,
) -> None:
    path = minutes(tmp_path / "ZZZ.csv")
    archive, report = imported(tmp_path, bars_request(path))
    stored = archive.winners("ZZZ", Timeframe.M1, adjustment=Adjustment.RAW)
    with path.open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["datetime"])
    zone = ZoneInfo(NEW_YORK)
    ends = [datetime.fromisoformat(row["datetime"]).replace(tzinfo=zone) for row in rows]
    assert stored.start.tolist() == [(round(end.timestamp()) - 60) * 1_000_000_000 for end in ends]
    assert stored.start[0] == parse_rfc3339("2019-03-08T14:30:00Z")
    for name in ("open", "high", "low", "close"):
        assert stored.floats(name).tolist() == [float(row[name]) for row in rows]
    assert stored.integers("volume").tolist() == [int(row["volume"]) for row in rows]
    assert [(each["first"], each["count"]) for each in report.as_dict()["missing"]] == [
        ("2019-03-08T15:16:00Z", 2),
        ("2019-03-08T19:01:00Z", 1),
    ]
    assert (report.rows, report.reordered, report.appended.new) == (387, 386, 387)
    assert archive.gaps("ZZZ").num_rows == 2


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    request = bars_request(minutes(tmp_path / "ZZZ.csv"))
    archive, _ = imported(tmp_path, request)
    before = archive.parts()
    _, again = imported(tmp_path, request)
    assert (again.appended.new, again.appended.unchanged) == (0, 387)
    assert archive.parts() == before


def test_a_missing_first_and_last_minute_of_a_session_are_told_too(tmp_path: Path) -> None:
    path = minutes(tmp_path / "ZZZ.csv", lacking=("09:31", "16:00"))
    _, report = imported(tmp_path, bars_request(path))
    assert [each["first"] for each in report.as_dict()["missing"]] == [
        "2019-03-08T14:30:00Z",
        "2019-03-08T20:59:00Z",
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": None}, "--label start or --label end"),
        ({"zone": None}, "--tz America/New_York"),
        ({"timeframe": None}, "--timeframe"),
        ({"symbol": None}, "--symbol"),
        ({"zone": "America/New_Yrok"}, "no time zone"),
    ],
)
def test_nothing_is_guessed(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    request = bars_request(minutes(tmp_path / "ZZZ.csv"), **changes)
    with pytest.raises(UsageError, match=sentence):
        imported(tmp_path, request)
    assert not (tmp_path / "archive" / "manifest.log").exists()


def test_the_wrong_label_is_seen_by_the_minute_before_the_open(tmp_path: Path) -> None:
    _, report = imported(tmp_path, bars_request(minutes(tmp_path / "ZZZ.csv"), label="start"))
    assert report.rejected == {"outside_session": 1}


def test_a_time_that_happened_twice_is_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path / "z.csv",
        "datetime,open,high,low,close,volume",
        [["2019-11-03 01:30:00", 1, 1, 1, 1, 1]],
    )
    with pytest.raises(InputError, match="twice or never"):
        imported(tmp_path, bars_request(path))


def test_parquet_with_a_zone_needs_no_tz_and_a_symbol_column_no_symbol(tmp_path: Path) -> None:
    start = parse_rfc3339("2019-03-08T14:30:00Z")
    table = pa.table(
        {
            "symbol": ["A", "B", "A"],
            "time": pa.array([start + 60_000_000_000, start, start], pa.timestamp("ns", "UTC")),
            **{name: [1.5, 2.5, 3.5] for name in ("open", "high", "low", "close")},
        }
    )
    pq.write_table(table, tmp_path / "bars.parquet")
    request = bars_request(tmp_path / "bars.parquet", zone=None, symbol=None, label="start")
    archive, report = imported(tmp_path, request)
    assert report.symbols == ("A", "B")
    stored = archive.winners("A", Timeframe.M1, adjustment=Adjustment.RAW)
    assert stored.floats("close").tolist() == [3.5, 1.5]
    assert stored.table.column("volume").null_count == 2


def test_daily_bars_carry_the_stamp_of_their_session(tmp_path: Path) -> None:
    rows = [["2019-03-12", 1, 1, 1, 1, 1], ["2019-03-08", 2, 2, 2, 2, 2]]
    path = written(tmp_path / "z.csv", "datetime,open,high,low,close,volume", rows)
    archive, report = imported(tmp_path, bars_request(path, timeframe=Timeframe.D1))
    stored = archive.winners("ZZZ", Timeframe.D1, adjustment=Adjustment.RAW)
    assert stored.start.tolist() == [
        parse_rfc3339("2019-03-08T06:00:00Z"),
        parse_rfc3339("2019-03-12T05:00:00Z"),
    ]
    assert [gap.count for gap in report.missing["ZZZ"]] == [1]


TRADES = "ts_event_ns,price,size,aggressor,sequence"
SECOND = 1_703_545_200_000_000_000


def test_equal_trades_are_kept_and_a_second_import_adds_none(tmp_path: Path) -> None:
    rows = [
        [SECOND + 5, 4800.25, 2, "B", ""],
        [SECOND + 5, 4800.25, 2, "B", ""],
        [SECOND, 4800.0, 1, "A", 7],
        [SECOND + 9, 4800.5, 3, "", 8],
    ]
    request = ImportRequest(written(tmp_path / "t.csv", TRADES, rows), symbol="/ESH24")
    archive, report = imported(tmp_path, request)
    _, again = imported(tmp_path, request)
    assert (report.appended.new, again.appended.new, again.appended.unchanged) == (4, 0, 4)
    stored = archive.records("trades", "/ESH24").to_pydict()
    assert stored["ts_event"] == [SECOND, SECOND + 5, SECOND + 5, SECOND + 9]
    assert stored["aggressor"] == ["A", "B", "B", None]
    assert stored["sequence"] == [7, None, None, 8]
    assert archive.records("trades", "/ESH24", SECOND + 5, SECOND + 9).num_rows == 2


def test_bad_trades_go_to_the_rejects_with_their_rule_once(tmp_path: Path) -> None:
    rows = [
        [SECOND, 4800.0, 1, "A", 1],
        [SECOND + 1, "", 1, "A", 2],
        [SECOND + 2, "inf", 1, "A", 3],
        [SECOND + 3, 4800.0, 0, "A", 4],
        [SECOND + 4, 4800.0, 1, "X", 5],
    ]
    request = ImportRequest(written(tmp_path / "t.csv", TRADES, rows), symbol="/ESH24")
    archive, report = imported(tmp_path, request)
    imported(tmp_path, request)
    assert report.appended.new == 1
    assert archive.rejects().column("rule").to_pylist() == [
        *("missing_price", "price_not_finite", "non_positive_size", "unknown_aggressor")
    ]
    assert archive.rejects().column("reason")[0].as_py().startswith("row 2 of the file")


def test_a_crossed_quote_is_kept_as_it_came_and_one_without_prices_is_not(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [SECOND, 4805.0, 2, 4799.5, 23],
        [SECOND, 4805.0, 3, 4799.5, 23],
        [SECOND + 1, "", "", 4799.5, 1],
        [SECOND + 2, "", 0, "", 0],
    ]
    path = written(tmp_path / "q.csv", "ts_event_ns,bid_price,bid_size,ask_price,ask_size", rows)
    archive, report = imported(tmp_path, ImportRequest(path, symbol="/ESH24"))
    assert report.rejected == {"no_price": 1}
    stored = archive.records("quotes", "/ESH24").to_pydict()
    assert stored["bid_price"] == [4805.0, 4805.0, None]
    assert stored["bid_size"] == [2, 3, None]


def test_columns_of_no_known_kind_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "when,what", [["1", "2"]])
    with pytest.raises(InputError, match="columns when, what"):
        imported(tmp_path, ImportRequest(path, symbol="A"))
