"""The configure calls, and what they change about writes and queries (influxdb3.md 1, 3, 4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.influxdb.embedded.limits import CORE_FILE_NS, Limits, StrictCore
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB

START = 1_700_000_000_000_000_000


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with EmbeddedInfluxDB(tmp_path / "data") as server:
        yield server.url


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[str]:
    with EmbeddedInfluxDB(tmp_path / "data", limits=Limits(strict=StrictCore(1))) as server:
        yield server.url


def write(url: str, body: str, db: str = "db") -> requests.Response:
    params = {"db": db, "precision": "ns"}
    return requests.post(f"{url}/api/v3/write_lp", params=params, data=body, timeout=10)


def query(url: str, sql: str, **params: str) -> requests.Response:
    everything = {"db": "db", "q": sql, **params}
    return requests.get(f"{url}/api/v3/query_sql", params=everything, timeout=10)


def rows(url: str, sql: str) -> Any:
    return query(url, sql).json()


def configure(url: str, method: str, what: str, **values: Any) -> requests.Response:
    return requests.request(method, f"{url}/api/v3/configure/{what}", json=values, timeout=10)


def test_databases_and_tables_are_configured_as_section_1_says(url: str) -> None:
    databases, tables = f"{url}/api/v3/configure/database", f"{url}/api/v3/configure/table"
    made = requests.post(databases, json={"db": "db"}, timeout=10)
    assert (made.status_code, made.content) == (200, b"")
    assert requests.post(databases, json={"db": "db"}, timeout=10).status_code == 409
    csv = requests.get(databases, params={"format": "csv"}, timeout=10)
    assert csv.text == "iox::database\ndb\n"
    assert requests.get(databases, params={"format": "x"}, timeout=10).status_code == 400

    table = {
        "db": "db",
        "table": "m",
        "tags": ["a"],
        "fields": [{"name": name, "type": name} for name in ("utf8", "int64", "uint64", "bool")],
    }
    assert requests.post(tables, json=table, timeout=10).status_code == 200
    assert requests.post(tables, json=table, timeout=10).status_code == 409
    columns = rows(
        url, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name='m'"
    )
    assert {row["column_name"]: row["data_type"] for row in columns} == {
        "a": "Dictionary(Int32, Utf8)",
        "utf8": "Utf8",
        "int64": "Int64",
        "uint64": "UInt64",
        "bool": "Boolean",
        "time": "Timestamp(ns)",
    }
    for wrong in (
        {"fields": [{"name": "f", "type": "double"}]},
        {"fields": ["f"]},
        {"tags": ["time"]},
        {"tags": ["f"], "fields": [{"name": "f", "type": "bool"}]},
    ):
        bad = {"db": "db", "table": "bad", **wrong}
        assert requests.post(tables, json=bad, timeout=10).status_code == 400

    where = {"db": "db", "table": "m"}
    assert requests.delete(tables, params=where, timeout=10).status_code == 200
    assert requests.delete(tables, params=where, timeout=10).status_code == 404
    assert requests.delete(databases, params={"db": "db"}, timeout=10).status_code == 200
    assert requests.delete(databases, params={"db": "db"}, timeout=10).status_code == 404


def test_expired_rows_are_hidden_at_once_and_come_back_when_the_period_goes(url: str) -> None:
    made = configure(url, "POST", "database", db="db", retention_period="7d")
    assert made.status_code == 200
    assert write(url, f"m f=1 {START}").status_code == 204
    recent = "SELECT count(*) AS n FROM m"
    requests.post(f"{url}/api/v3/write_lp", params={"db": "db"}, data="m f=2", timeout=10)
    assert rows(url, recent) == [{"n": 1}]
    assert configure(url, "DELETE", "database/retention_period", db="db").status_code == 204
    assert rows(url, recent) == [{"n": 2}]
    again = configure(url, "POST", "database/retention_period", db="db", retention_period="1h 30m")
    assert again.status_code == 204
    assert rows(url, recent) == [{"n": 1}]
    assert configure(url, "PUT", "database", db="db", retention_period="100y").status_code == 200
    assert rows(url, recent) == [{"n": 2}]
    for wrong in ("7", "d", "7 lightyears", "0s"):
        bad = configure(url, "PUT", "database", db="db", retention_period=wrong)
        assert bad.status_code == 400, wrong
    assert configure(url, "PUT", "database", db="none").status_code == 404


def test_a_last_cache_is_made_read_and_dropped(url: str) -> None:
    write(url, f"m,a=x f=1 {START}")
    made = configure(url, "POST", "last_cache", db="db", table="m", key_columns=["a"], count=1)
    assert made.status_code == 201
    assert made.json()["name"] == "m_a_last_cache"
    same = configure(url, "POST", "last_cache", db="db", table="m", key_columns=["a"], count=1)
    assert same.status_code == 204
    other = configure(url, "POST", "last_cache", db="db", table="m", key_columns=["a"], count=2)
    assert other.status_code == 409
    write(url, f"m,a=x f=3 {START + 3}\nm,a=x f=2 {START + 2}\nm,a=y f=5 {START}")
    last = "SELECT a, f FROM last_cache('m', 'm_a_last_cache') ORDER BY a"
    assert rows(url, last) == [{"a": "x", "f": 3.0}, {"a": "y", "f": 5.0}]
    for wrong in ({"count": 11}, {"key_columns": ["f"]}, {"value_columns": ["none"]}):
        bad = configure(url, "POST", "last_cache", db="db", table="m", name="w", **wrong)
        assert bad.status_code == 400, wrong
    missing = configure(url, "POST", "last_cache", db="db", table="none")
    assert missing.status_code == 404
    for status in (200, 404):
        dropped = configure(url, "DELETE", "last_cache", db="db", table="m", name="m_a_last_cache")
        assert dropped.status_code == status
    assert query(url, last).status_code == 400


def test_a_distinct_cache_holds_each_combination_once(url: str) -> None:
    write(url, f"m,a=x f=1 {START}")
    made = configure(url, "POST", "distinct_cache", db="db", table="m", columns=["a", "b"])
    assert made.status_code == 400
    write(url, f'm,a=x,b=1 f=1,s="q" {START}')
    made = configure(url, "POST", "distinct_cache", db="db", table="m", columns=["a", "s"])
    assert made.status_code == 201
    write(
        url, "\n".join(f'm,a={a},b={n} s="{s}" {START}' for a in "yx" for s in "rq" for n in "12")
    )
    found = rows(url, "SELECT * FROM distinct_cache('m')")
    assert found == [{"a": a, "s": s} for a in "xy" for s in "qr"]


def test_tokens_are_not_made_where_none_is_asked_for(url: str) -> None:
    answer = configure(url, "POST", "token/admin")
    assert (answer.status_code, answer.text) == (405, "endpoint disabled, started without auth")


def test_gap_filling_is_refused_in_one_clear_sentence(url: str) -> None:
    write(url, f"m f=1 {START}")
    for call in ("date_bin_gapfill(INTERVAL '1 hour', time)", "locf(f)", "interpolate(f)"):
        answer = query(url, f"SELECT {call} FROM m")
        assert answer.status_code == 405
        assert "is not implemented in this embedded server, which fills no gaps" in answer.text


def test_times_of_a_zone_carry_its_offset(url: str) -> None:
    write(url, "m f=1 1")
    sql = "SELECT tz('2024-07-01T14:30:00Z', 'America/New_York') AS t"
    assert rows(url, sql) == [{"t": "2024-07-01T10:30:00-04:00"}]
    winter = "SELECT tz('2024-01-02T14:30:00.5Z', 'Asia/Kolkata') AS t"
    assert rows(url, winter) == [{"t": "2024-01-02T20:00:00.500+05:30"}]
    unknown = query(url, "SELECT tz('2024-07-01T14:30:00Z', 'Mars/Olympus') AS t")
    assert (unknown.status_code, unknown.text) == (
        400,
        "tz does not know the time zone 'Mars/Olympus'",
    )


def test_cores_numbers_of_databases_and_columns_answer_422(strict: str) -> None:
    for number in range(5):
        assert write(strict, "m f=1 1", f"db{number}").status_code == 204
    sixth = write(strict, "m f=1 1", "db5")
    assert sixth.status_code == 422
    assert sixth.json() == {"error": "Adding a new database would exceed limit of 5 databases"}
    assert configure(strict, "POST", "database", db="db5").status_code == 422
    wide = ",".join(f"f{number}=1" for number in range(499))
    assert write(strict, f"wide {wide} 1", "db0").status_code == 204
    assert write(strict, "wide one_more=1 1", "db0").status_code == 422
    assert "one_more" not in str(query(strict, "SELECT * FROM wide", db="db0").json())


def test_cores_number_of_files_a_query_is_kept(strict: str) -> None:
    write(strict, "\n".join(f"m f=1 {START + at * CORE_FILE_NS}" for at in range(433)))
    whole = query(strict, "SELECT * FROM m")
    assert whole.status_code == 400
    assert "Query would scan 433 Parquet files, exceeding the file limit" in whole.text
    part = "SELECT count(*) AS n FROM m WHERE time >= '2023-11-15' AND time < '2023-11-16'"
    assert rows(strict, part) == [{"n": 144}]
    either = "SELECT count(*) AS n FROM m WHERE time < '2023-11-15' OR f = 1"
    assert query(strict, either).status_code == 400


def test_without_strictness_there_is_no_such_limit(url: str) -> None:
    write(url, "\n".join(f"m f=1 {START + at * CORE_FILE_NS}" for at in range(433)))
    assert rows(url, "SELECT count(*) AS n FROM m") == [{"n": 433}]
    assert all(write(url, "m f=1 1", f"db{number}").status_code == 204 for number in range(6))
