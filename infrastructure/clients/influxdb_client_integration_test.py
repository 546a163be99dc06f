"""The base client against the embedded server over the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infrastructure.clients.influxdb_client import BaseInfluxDBClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    InputError,
    QueryError,
    ServiceUnavailable,
    WriteRejected,
)
from infrastructure.influxdb.embedded.identity import PRODUCT, ownership_key
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.influxdb.schema import Column, TableSchema

TOKEN = Secret("t")
CANDLES = TableSchema(
    "candles",
    (Column("symbol", "tag"), Column("timeframe", "tag")),
    (
        Column("open", "float"),
        Column("close", "float"),
        Column("volume", "integer"),
        Column("note", "string"),
        Column("is_synthetic", "boolean"),
    ),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedInfluxDB]:
    with EmbeddedInfluxDB(tmp_path / "data", token=TOKEN) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedInfluxDB) -> Iterator[BaseInfluxDBClient]:
    with BaseInfluxDBClient(server.url, "db", token=TOKEN) as connected:
        assert connected.create_database()
        yield connected


def candles(count: int, seed: int = 1) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "symbol": np.array(["AAPL", "BRK.B", "/ES", "SPY 260116C600"])[np.arange(count) % 4],
            "timeframe": ["1m"] * count,
            "open": random.random(count) * 10.0 ** random.integers(-300, 300, count),
            "close": pa.array(random.random(count), mask=random.random(count) < 0.3),
            "volume": random.integers(-(2**62), 2**62, count),
            "note": pa.array(['q"\\\n,= é'] * count, mask=random.random(count) < 0.5),
            "is_synthetic": random.random(count) < 0.5,
            "time": pa.array(np.arange(count) // 4).cast(pa.timestamp("ns")),
        }
    )


def test_what_goes_in_by_columns_comes_out_equal_to_the_bit(client: BaseInfluxDBClient) -> None:
    table = candles(25_000)
    report = client.write_columns(CANDLES, table)
    assert (report.rows, report.requests) == (25_000, 3)
    names = ", ".join(table.column_names)
    found = client.query(f"SELECT {names} FROM candles ORDER BY time, symbol")
    wanted = table.sort_by([("time", "ascending"), ("symbol", "ascending")])
    assert found.cast(wanted.schema).equals(wanted)


def test_writing_the_same_again_changes_nothing(client: BaseInfluxDBClient) -> None:
    for _ in range(2):
        client.write_columns(CANDLES, candles(100))
    assert client.query_rows("SELECT count(*) AS n FROM candles") == [{"n": 100}]


def test_a_table_is_made_with_its_columns_and_dropped(client: BaseInfluxDBClient) -> None:
    assert client.create_table(CANDLES)
    assert not client.create_table(CANDLES)
    assert client.list_tables() == ["candles"]
    assert client.query("SELECT symbol, volume FROM candles").num_rows == 0
    assert client.drop_table("candles")
    assert not client.drop_table("candles")
    assert client.list_tables() == []


def test_databases_are_made_listed_and_dropped(client: BaseInfluxDBClient) -> None:
    assert not client.create_database()
    assert client.create_database("other")
    assert client.list_databases() == ["db", "other"]
    assert client.drop_database("other")
    assert not client.drop_database("other")
    assert client.list_databases() == ["db"]


def test_the_server_says_who_it_is(
    client: BaseInfluxDBClient, server: EmbeddedInfluxDB, tmp_path: Path
) -> None:
    info = client.ping()
    assert info.product_name == PRODUCT
    assert info.process_id == server.identity.process_id
    assert info.ownership_key == ownership_key(tmp_path / "data")
    assert client.health()


def test_parameters_reach_the_query_as_values(client: BaseInfluxDBClient) -> None:
    client.write_columns(CANDLES, candles(8))
    sql = "SELECT count(*) AS n FROM candles WHERE symbol = $symbol AND time >= $from"
    assert client.query_rows(sql, {"symbol": "/ES", "from": "1970-01-01T00:00:00Z"}) == [{"n": 2}]
    assert client.query_rows(sql, {"symbol": "' OR 1=1 --", "from": "1970-01-01"}) == [{"n": 0}]


def test_lines_that_the_server_refuses_are_named(client: BaseInfluxDBClient) -> None:
    client.write_lines(b"m f=1 1")
    with pytest.raises(WriteRejected, match="stored 2") as caught:
        client.write_lines([b"m f=2 2\nm f=3i 3\n", b"nonsense\nm f=4 4"])
    assert [error.line_number for error in caught.value.line_errors] == [2, 3]
    assert "expected iox::column_type::field::float" in caught.value.line_errors[0].message
    with pytest.raises(WriteRejected, match="stored 0"):
        client.write_lines(b"m f=5 5\nnonsense", accept_partial=False)
    assert client.query_rows("SELECT count(*) AS n FROM m") == [{"n": 3}]


def test_a_missing_database_is_named_and_not_made(server: EmbeddedInfluxDB) -> None:
    with BaseInfluxDBClient(server.url, "typo", token=TOKEN) as client:
        with pytest.raises(InputError, match="has no database 'typo'"):
            client.write_columns(CANDLES, candles(1))
        with pytest.raises(QueryError, match="has no database 'typo'"):
            client.query("SELECT 1")
        assert client.list_databases() == []


def test_a_wrong_token_is_named_on_every_way(server: EmbeddedInfluxDB) -> None:
    for token in (Secret("wrong"), None):
        with BaseInfluxDBClient(server.url, "db", token=token) as client:
            with pytest.raises(CredentialsRejected):
                client.list_databases()
            with pytest.raises(CredentialsRejected):
                client.query("SELECT 1")
            with pytest.raises(CredentialsRejected):
                client.write_lines(b"m f=1 1")


def test_a_server_that_is_down_is_named_after_a_bounded_wait() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    clock = VirtualClock(0)
    with BaseInfluxDBClient(f"http://127.0.0.1:{port}", "db", clock=clock) as client:
        assert not client.health()
        for work in (
            client.ping,
            lambda: client.query("SELECT 1"),
            lambda: client.write_lines(b"m f=1 1"),
        ):
            with pytest.raises(ServiceUnavailable, match="connection refused"):
                work()
    assert clock.monotonic_ns() == pytest.approx(3 * 3.0e9)


def test_a_server_that_never_answers_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with BaseInfluxDBClient(url, "db", timeout_s=0.2, attempts=1) as client:
            client._database_seen = True
            for work in (
                client.ping,
                lambda: client.query("SELECT 1"),
                lambda: client.write_lines(b"m f=1 1"),
            ):
                with pytest.raises(ServiceUnavailable, match="does not answer"):
                    work()


def test_a_write_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    with EmbeddedInfluxDB(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        client = BaseInfluxDBClient(server.url, "db")
        client.create_database()
        client.write_lines(b"m f=1 1")
    with EmbeddedInfluxDB(tmp_path, port=port), client:
        client.write_lines(b"m f=2 2")
        assert client.query_rows("SELECT count(*) AS n FROM m") == [{"n": 2}]
