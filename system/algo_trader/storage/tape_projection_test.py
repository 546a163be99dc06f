"""Trades and quotes as rows of InfluxDB: equal keys are set apart, nothing is written twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infrastructure.errors import ServiceUnavailable
from infrastructure.influxdb.schema import TIME, TableSchema
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import TRADE_SCHEMA
from system.algo_trader.storage.tables import TRADES
from system.algo_trader.storage.tape_projection import project_records, rows_of

DAY = 86_400_000_000_000


@dataclass(frozen=True)
class Report:
    rows: int


@dataclass
class Held:
    """Hold rows by their key, as InfluxDB does; lose some when told to."""

    losing: int = 0
    rows: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    def create_table(self, schema: TableSchema) -> bool:
        return True

    def drop_table(self, table: str) -> bool:
        self.rows.clear()
        return True

    def write_columns(self, schema: TableSchema, table: pa.Table) -> Report:
        assert set(table.column_names) == {TIME, *(column.name for column in schema.columns)}
        rows = table.to_pylist()[self.losing :]
        names = (*(tag.name for tag in schema.tags), TIME)
        self.rows |= {tuple(row[name] for name in names): row for row in rows}
        return Report(len(rows))

    def query_rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        assert params is not None
        inside = [
            row
            for row in self.rows.values()
            if row["symbol"] == params["symbol"] and params["start"] <= row[TIME] < params["end"]
        ]
        return [{"n": len(inside)}]


def trades(count: int) -> pa.Table:
    rng = random.Random(1)
    rows = [
        {"symbol": "ES", "source": rng.choice(["file", "schwab"]), "is_synthetic": False,
         "ts_event": rng.randrange(2) * DAY + rng.randrange(6), "price": float(rng.randrange(3)),
         "size": 1}
        for _ in range(count)
    ]  # fmt: skip
    ordered = sorted(rows, key=lambda row: int(str(row["ts_event"])))
    return pa.Table.from_pylist(ordered, schema=TRADE_SCHEMA)


def test_slots_number_the_rows_of_one_source_and_nanosecond_in_their_order() -> None:
    given = trades(80)
    seen: Counter[tuple[str, int]] = Counter()
    expected = []
    for row in given.to_pylist():
        key = (row["source"], row["ts_event"])
        expected.append(str(seen[key]))
        seen[key] += 1
    assert rows_of(given, TRADES).column("slot").to_pylist() == expected


def test_every_trade_is_there_once_however_often_it_is_projected(tmp_path: Path) -> None:
    archive, store = Archive(tmp_path), Held()
    archive.append_records("trades", trades(80), "r")
    [done] = project_records(archive, store, "trades")
    assert (done.expected, done.written, done.read_back) == (80, 80, 80)
    prices = Counter(row["price"] for row in store.rows.values())
    assert prices == Counter(trades(80).column("price").to_pylist())
    later = sum(time >= DAY for time in trades(80).column("ts_event").to_pylist())
    [again] = project_records(archive, store, "trades", since_ns=DAY + 5)
    assert (again.expected, again.written, again.read_back) == (later, later, later)
    assert len(store.rows) == 80


def test_rows_that_did_not_arrive_are_an_error_with_both_counts(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append_records("trades", trades(80), "r")
    with pytest.raises(ServiceUnavailable, match=r"holds 78 trades of ES .* and the archive 80"):
        project_records(archive, Held(losing=1), "trades")
