"""Flight as Grafana's SQL datasource calls it (grafana.md section 3), by raw pyarrow.flight."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest
import requests

from infrastructure.config import Secret
from infrastructure.influxdb.embedded.flight_messages import (
    bytes_field,
    pack_any,
    read_fields,
    unpack_any,
)
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB

DAY = "2026-01-02T00:00:00Z"
LINES = "\n".join(
    f"candles,symbol={symbol},timeframe=1m open={minute},close={minute}.5,volume={minute}i "
    f"{1767312000 + minute * 60}"
    for symbol in ("AAPL", "MSFT")
    for minute in range(60)
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with EmbeddedInfluxDB(tmp_path / "data", token=Secret("t")) as server:
        answer = requests.post(
            f"{server.url}/api/v3/write_lp",
            params={"db": "db"},
            data=LINES,
            headers={"Authorization": "Bearer t"},
            timeout=10,
        )
        assert answer.status_code == 204
        yield server.url


def call(*headers: tuple[str, str]) -> flight.FlightCallOptions:
    return flight.FlightCallOptions(
        headers=[(name.encode(), value.encode()) for name, value in headers], timeout=10
    )


GRAFANA = call(("database", "db"), ("authorization", "Bearer t"))


def connect(url: str) -> Any:
    return flight.connect(url.replace("http://", "grpc://"))


def info(client: Any, name: str, message: bytes, options: Any = GRAFANA) -> Any:
    return client.get_flight_info(
        flight.FlightDescriptor.for_command(pack_any(name, message)), options
    )


def grafana(url: str, sql: str, options: Any = GRAFANA) -> pa.Table:
    """Run a query as Grafana does: Execute, then DoGet on the one endpoint."""
    with connect(url) as client:
        found = info(client, "CommandStatementQuery", bytes_field(1, sql.encode()), options)
        (endpoint,) = found.endpoints
        table = client.do_get(endpoint.ticket, options).read_all()
        assert table.schema.equals(found.schema)
        return table


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        (
            "SELECT date_bin(interval '600 second', time, timestamp '1970-01-01T00:00:00Z')"
            " AS time, symbol, first_value(open ORDER BY time) AS open,"
            " last_value(close ORDER BY time) AS close, sum(volume) AS volume FROM candles"
            " WHERE time >= '2026-01-02T00:00:00Z' AND time <= '2026-01-02T00:59:00Z'"
            " GROUP BY 1, 2 ORDER BY 1",
            12,
        ),
        (
            "SELECT * FROM candles WHERE time >= cast('2026-01-02T00:30:00Z' as timestamp)"
            " AND symbol IN ('AAPL')",
            30,
        ),
        ("SELECT DISTINCT symbol FROM candles ORDER BY 1", 2),
        (
            "SELECT datepart('hour', time) AS h, avg(close) AS c FROM candles GROUP BY 1",
            1,
        ),
        (
            "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_schema = 'iox'",
            1,
        ),
        ("SELECT column_name FROM information_schema.columns WHERE table_schema = 'iox'", 6),
    ],
)
def test_a_panels_query_returns_types_that_grafana_reads(url: str, sql: str, count: int) -> None:
    table = grafana(url, sql)
    assert table.num_rows == count
    readable = (
        pa.string(), pa.float64(), pa.int64(), pa.int32(), pa.bool_(), pa.timestamp("ns"),
    )  # fmt: skip
    assert {column.type for column in table.schema} <= set(readable)


@pytest.mark.parametrize("sql", ["select 1", ""])
def test_both_forms_of_the_health_check_answer_one_row(url: str, sql: str) -> None:
    assert grafana(url, sql).num_rows == 1


def test_a_large_result_comes_in_messages_below_grpcs_default_of_4_mib(url: str) -> None:
    sql = (
        "SELECT a.symbol, a.close, repeat('x', 100) AS text FROM candles a, candles b"
        " WHERE b.volume < 60"
    )
    with connect(url) as client:
        found = info(client, "CommandStatementQuery", bytes_field(1, sql.encode()))
        sizes = [chunk.data.nbytes for chunk in client.do_get(found.endpoints[0].ticket, GRAFANA)]
    assert sum(sizes) > 1_500_000
    assert max(sizes) < 2 * 1024 * 1024


def test_errors_carry_the_codes_that_grafana_maps(url: str) -> None:
    with pytest.raises(pa.ArrowInvalid, match="nosuch' not found"):
        grafana(url, "SELECT * FROM nosuch")
    with pytest.raises(pa.ArrowKeyError, match="database not found: other"):
        grafana(url, "SELECT 1", call(("database", "other"), ("authorization", "Bearer t")))
    with pytest.raises(pa.ArrowInvalid, match="no 'database' header in request"):
        grafana(url, "SELECT 1", call(("authorization", "Bearer t")))
    with pytest.raises(flight.FlightUnauthenticatedError, match="not authenticated"):
        grafana(url, "SELECT 1", call(("database", "db")))
    with pytest.raises(flight.FlightUnauthenticatedError, match="malformed"):
        grafana(url, "SELECT 1", call(("database", "db"), ("authorization", "t")))
    with pytest.raises(flight.FlightInternalError, match="Divide by zero"):
        grafana(url, "SELECT 1/0")


@pytest.mark.parametrize("header", ["database", "bucket", "bucket-name", "iox-namespace-name"])
def test_the_database_is_taken_from_each_of_its_headers(url: str, header: str) -> None:
    options = call((header, "db"), ("authorization", "Bearer t"))
    assert grafana(url, "select 1", options).num_rows == 1


def test_two_different_databases_in_one_call_are_refused(url: str) -> None:
    options = call(("database", "db"), ("bucket", "other"), ("authorization", "Bearer t"))
    with pytest.raises(pa.ArrowInvalid, match="several databases: db, other"):
        grafana(url, "select 1", options)


@pytest.mark.parametrize("member", ["database", "namespace_name", "bucket", "bucket-name"])
def test_a_native_ticket_names_its_database_under_each_alias(url: str, member: str) -> None:
    ticket = {
        member: "db",
        "sql_query": "SELECT count(*) AS n FROM candles WHERE symbol = $s",
        "query_type": "sql",
        "params": {"s": "AAPL"},
    }
    with connect(url) as client:
        reader = client.do_get(flight.Ticket(json.dumps(ticket).encode()), GRAFANA)
        assert reader.read_all().to_pylist() == [{"n": 60}]


@pytest.mark.parametrize(
    ("ticket", "kind", "reason"),
    [
        (b"{", pa.ArrowInvalid, "no JSON"),
        (b'{"database": "db"}', pa.ArrowInvalid, "no sql_query"),
        (b"\xff\xff", pa.ArrowInvalid, "cut short"),
        (bytes_field(1, b"type.googleapis.com/other"), pa.ArrowInvalid, "expected a Flight SQL"),
        (pack_any("Unknown", b""), pa.ArrowNotImplementedError, "Unknown is not implemented"),
        (
            b'{"database": "db", "sql_query": "x", "query_type": "influxql"}',
            pa.ArrowNotImplementedError,
            "no InfluxQL",
        ),
    ],
)
def test_a_ticket_that_cannot_be_read_is_refused(
    url: str, ticket: bytes, kind: type[Exception], reason: str
) -> None:
    with connect(url) as client, pytest.raises(kind, match=reason):
        client.do_get(flight.Ticket(ticket), GRAFANA).read_all()


def test_the_catalog_commands_of_the_separate_plugin_answer(url: str) -> None:
    with connect(url) as client:

        def ask(name: str, message: bytes = b"") -> list[dict[str, Any]]:
            found = info(client, name, message)
            table = client.do_get(found.endpoints[0].ticket, GRAFANA).read_all()
            assert table.schema.equals(found.schema)
            rows: list[dict[str, Any]] = table.to_pylist()
            return rows

        (table,) = ask("CommandGetTables", bytes_field(3, b"cand%") + b"\x28\x01")
        schema = pa.ipc.read_schema(pa.py_buffer(table.pop("table_schema")))
        assert table == {
            "catalog_name": "public",
            "db_schema_name": "iox",
            "table_name": "candles",
            "table_type": "BASE TABLE",
        }
        assert schema.field("symbol").type == pa.string()
        assert ask("CommandGetTables", bytes_field(3, b"x_")) == []
        assert ask("CommandGetTables", bytes_field(4, b"VIEW")) == []
        assert ask("CommandGetCatalogs") == [{"catalog_name": "public"}]
        assert ask("CommandGetDbSchemas")[0]["db_schema_name"] == "iox"
        assert ask("CommandGetTableTypes") == [{"table_type": "BASE TABLE"}]
        facts = {row["info_name"]: row["value"] for row in ask("CommandGetSqlInfo")}
        assert facts[3] is True
        with pytest.raises(pa.ArrowNotImplementedError, match="CommandGetXdbcTypeInfo"):
            info(client, "CommandGetXdbcTypeInfo", b"")


def test_a_prepared_statement_is_made_run_and_closed(url: str) -> None:
    sql = b"SELECT symbol FROM candles LIMIT 1"
    with connect(url) as client:
        names = {action.type for action in client.list_actions(GRAFANA)}
        assert names == {"CreatePreparedStatement", "ClosePreparedStatement"}
        request = pack_any("ActionCreatePreparedStatementRequest", bytes_field(1, sql))
        (result,) = client.do_action(flight.Action("CreatePreparedStatement", request), GRAFANA)
        name, message = unpack_any(result.body.to_pybytes())
        assert name == "ActionCreatePreparedStatementResult"
        fields = read_fields(message)
        assert pa.ipc.read_schema(pa.py_buffer(fields[2][0])).names == ["symbol"]
        handle = bytes_field(1, fields[1][0])
        command = flight.FlightDescriptor.for_command(
            pack_any("CommandPreparedStatementQuery", handle)
        )
        assert client.get_schema(command, GRAFANA).schema.names == ["symbol"]
        found = client.get_flight_info(command, GRAFANA)
        assert client.do_get(found.endpoints[0].ticket, GRAFANA).read_all().num_rows == 1
        direct = flight.Ticket(pack_any("CommandPreparedStatementQuery", handle))
        assert client.do_get(direct, GRAFANA).read_all().num_rows == 1
        closing = flight.Action("ClosePreparedStatement", request)
        assert list(client.do_action(closing, GRAFANA)) == []
        with pytest.raises(pa.ArrowNotImplementedError, match="BeginTransaction"):
            list(client.do_action(flight.Action("BeginTransaction", b""), GRAFANA))


def test_reads_see_every_write_that_was_acknowledged(url: str) -> None:
    headers = {"Authorization": "Bearer t"}
    with connect(url) as client:
        for number in range(50):
            requests.post(
                f"{url}/api/v3/write_lp",
                params={"db": "db", "precision": "ns"},
                data=f"ticks,symbol=A price={number} {number}",
                headers=headers,
                timeout=10,
            ).raise_for_status()
            sql = b"SELECT count(*) AS n, max(price) AS last FROM ticks"
            found = info(client, "CommandStatementQuery", bytes_field(1, sql))
            (row,) = client.do_get(found.endpoints[0].ticket, GRAFANA).read_all().to_pylist()
            assert row == {"n": number + 1, "last": float(number)}
