"""The unmodified influxdb3-python against the embedded server (influxdb3.md section 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import influxdb_client_3
import pandas as pd
import pyarrow as pa
import pytest
from influxdb_client_3.exceptions.exceptions import (
    InfluxDB3ClientQueryError,
    InfluxDBError,
    InfluxDBPartialWriteError,
)
from influxdb_client_3.write_client.client.write_api import WriteType

from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB

transport: Any = influxdb_client_3

START = 1_700_000_000_000_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedInfluxDB]:
    with EmbeddedInfluxDB(tmp_path / "data") as running:
        yield running


@pytest.fixture
def client(server: EmbeddedInfluxDB) -> Iterator[Any]:
    with connect(server, write_use_v2_api=False) as connected:
        yield connected


def connect(server: EmbeddedInfluxDB, **options: Any) -> Any:
    return transport.InfluxDBClient3(host=server.url, token="any", database="db", **options)


def rows(client: Any, sql: str = "SELECT * FROM m ORDER BY time") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.query(sql).to_pylist()
    return found


def test_points_dicts_lines_and_blocks_are_stored_alike(client: Any) -> None:
    client.write(transport.Point("m").tag("a", "x y").field("f", 1.5).field("i", 2).time(START))
    client.write({"measurement": "m", "tags": {"a": "p"}, "fields": {"f": 2.5}, "time": START + 1})
    client.write("m,a=q f=3.5 1700000000000000002")
    client.write(["m,a=r f=4.5 1700000000000000003", "m,a=s f=5.5 1700000000000000004"])
    client.write(b'm,a=t f=6.5,s="q" 1700000000000000005\n')
    found = client.query("SELECT a, f, i, s FROM m ORDER BY time").to_pydict()
    assert found["a"] == ["x y", "p", "q", "r", "s", "t"]
    assert found["f"] == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert found["i"] == [2, None, None, None, None, None]
    assert found["s"] == [None] * 5 + ["q"]


def test_a_data_frame_goes_in_and_comes_out(client: Any) -> None:
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(
                ["2024-01-02T14:30:00.000000001Z", "2024-01-02T14:31:00Z"], format="ISO8601"
            ),
            "symbol": ["AAPL", "MSFT"],
            "close": [185.64, 370.87],
            "volume": [10, 20],
        }
    )
    client.write_dataframe(frame, measurement="m", timestamp_column="time", tags=["symbol"])
    found = client.query("SELECT * FROM m ORDER BY time", mode="pandas")
    assert found["close"].tolist() == [185.64, 370.87]
    assert found["volume"].tolist() == [10, 20]
    assert found["time"].tolist() == [time.tz_localize(None) for time in frame["time"]]


def test_the_default_v2_route_and_gzip_work(server: EmbeddedInfluxDB) -> None:
    with connect(server, enable_gzip=True) as client:
        client.write("m f=1 1700000000000000000")
        assert len(rows(client)) == 1


@pytest.mark.parametrize("write_type", [WriteType.batching, WriteType.asynchronous])
def test_batching_and_asynchronous_writes_arrive(
    server: EmbeddedInfluxDB, write_type: WriteType
) -> None:
    errors: list[object] = []
    options = transport.write_client_options(
        write_options=transport.WriteOptions(
            write_type=write_type, batch_size=50, flush_interval=50
        ),
        error_callback=lambda *failure: errors.append(failure),
    )
    with connect(server, write_client_options=options) as client:
        pending = [client.write(f"m f={number} {START + number}") for number in range(200)]
        if write_type is WriteType.asynchronous:
            for one in pending:
                one.get()
    assert errors == []
    with connect(server) as client:
        assert rows(client, "SELECT count(*) AS n FROM m") == [{"n": 200}]


def test_every_query_mode_answers(client: Any) -> None:
    client.write("m,a=x f=1 1700000000000000000")
    sql = "SELECT a, f FROM m"
    assert client.query(sql).to_pylist() == [{"a": "x", "f": 1.0}]
    assert client.query(sql, mode="pandas")["f"].tolist() == [1.0]
    assert client.query(sql, mode="reader").read_all().num_rows == 1
    assert next(iter(client.query(sql, mode="chunk"))).data.num_rows == 1
    assert client.query(sql, mode="schema").names == ["a", "f"]
    assert client.query_dataframe(sql)["a"].tolist() == ["x"]
    assert asyncio.run(client.query_async(sql)).num_rows == 1


def test_parameters_are_values_and_never_text(client: Any) -> None:
    client.write(["m,a=x f=1,i=1i 1", "m,a=y f=2,i=2i 2"])
    sql = "SELECT f FROM m WHERE a = $a AND f > $least AND i = $i"
    values = {"a": "y", "least": 1.5, "i": 2}
    assert client.query(sql, query_parameters=values).to_pylist() == [{"f": 2.0}]
    inject = {"a": "x' OR '1'='1"}
    assert client.query("SELECT f FROM m WHERE a = $a", query_parameters=inject).num_rows == 0


def test_no_dictionary_view_or_large_type_reaches_a_client(client: Any) -> None:
    client.write('m,a=x s="t",f=1 1')
    computed = "upper(a) AS u, s || a AS c, date_trunc('day', time) AS d"
    found = client.query(f"SELECT *, {computed} FROM m")
    kinds = {column.name: column.type for column in found.schema}
    assert {kinds[name] for name in ("a", "s", "u", "c")} == {pa.string()}
    assert {kinds[name] for name in ("time", "d")} == {pa.timestamp("ns")}


def test_bad_lines_are_named_and_the_good_ones_stay(client: Any) -> None:
    with pytest.raises(InfluxDBPartialWriteError) as caught:
        client.write(b"m f=1 1\nm f=\nm f=2i 2\nm f=3 3")
    assert [error.line_number for error in caught.value.line_errors] == [2, 3]
    assert rows(client, "SELECT f FROM m ORDER BY time") == [{"f": 1.0}, {"f": 3.0}]


def test_one_bad_line_refuses_all_when_asked_so_and_by_the_v2_route(
    server: EmbeddedInfluxDB,
) -> None:
    for options in ({"write_use_v2_api": False, "write_accept_partial": False}, {}):
        with connect(server, **options) as client:
            with pytest.raises(InfluxDBError, match="No fields were provided"):
                client.write(b"m f=1 1\nm f=")
            with pytest.raises(InfluxDB3ClientQueryError, match="database not found: db"):
                client.query("SELECT 1")


def test_a_wrong_query_is_refused_with_the_reason_and_no_traceback(client: Any) -> None:
    client.write("m f=1 1")
    for sql, reason in {
        "SELECT * FROM nosuch": "table 'public.iox.nosuch' not found",
        "SELEC": "SQL error",
        "SELECT nosuch FROM m": "nosuch",
        "SELECT 1/0": "Divide by zero",
        "CREATE TABLE x AS SELECT 1": "DDL not supported",
        "COPY m TO 'x.parquet'": "DML not supported",
        "SET a = 1": "Statement not supported",
        "SELECT * FROM m; SELECT 1": "single SQL statement",
    }.items():
        with pytest.raises(InfluxDB3ClientQueryError, match=reason):
            client.query(sql)


def test_influxql_is_refused_by_name(client: Any) -> None:
    client.write("m f=1 1")
    with pytest.raises(InfluxDB3ClientQueryError, match="no InfluxQL"):
        client.query("SHOW MEASUREMENTS", language="influxql")


def test_the_server_says_its_version(client: Any, server: EmbeddedInfluxDB) -> None:
    assert client.get_server_version() == server.identity.ping()["version"]


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        with EmbeddedInfluxDB(tmp_path) as server, connect(server) as client:
            client.write(f"m,a=x f={number} {START + number}")
            assert rows(client, "SELECT count(*) AS n FROM m") == [{"n": number + 1}]
