"""What the stand-in makes of Arrow columns, by the rules of Grafana's arrow.go."""

from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from infrastructure.simulators.grafana.flight import (
    DatasourceError,
    frame_of,
    query_flight,
    statement_command,
)

MS = 1_000_000


def frame(table: pa.Table, form: str = "table") -> dict[str, Any]:
    made = frame_of(table, "A", "SELECT 1", form)
    assert made is not None
    return made


def times(*ns: int) -> pa.Array:
    return pa.array(ns, pa.timestamp("ns"))


def test_columns_keep_names_types_and_nulls() -> None:
    table = pa.table(
        {"time": times(5 * MS), "n": pa.array([None], pa.int64()), "s": ["x"], "b": [True]}
    )
    made = frame(table)
    kinds = [(field["name"], field["type"]) for field in made["schema"]["fields"]]
    assert kinds == [("time", "time"), ("n", "number"), ("s", "string"), ("b", "boolean")]
    assert made["data"]["values"] == [[5], [None], ["x"], [True]]


def test_nanoseconds_below_a_millisecond_travel_apart() -> None:
    made = frame(pa.table({"time": times(5 * MS + 7), "n": [1.0]}))
    assert made["data"] == {"values": [[5], [1.0]], "nanos": [[7], None]}


def test_a_timestamp_in_seconds_is_read_as_nanoseconds_like_in_grafana() -> None:
    made = frame(pa.table({"time": pa.array([1_700_000_000], pa.timestamp("s"))}))
    assert made["data"]["values"] == [[1_700]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x"]).dictionary_encode(),
        pa.array(["x"], pa.string_view()),
        pa.array(["x"], pa.large_string()),
        pa.array([0], pa.date32()),
        pa.array([1], pa.decimal128(5, 2)),
    ],
)
def test_a_type_that_grafana_cannot_read_is_an_error(column: pa.Array) -> None:
    with pytest.raises(DatasourceError, match="is unhandled"):
        frame(pa.table({"c": column}))


def test_no_rows_make_no_frame() -> None:
    assert frame_of(pa.table({"n": pa.array([], pa.int64())}), "A", "", "table") is None


def test_long_series_become_one_column_a_label() -> None:
    table = pa.table({"time": times(0, 0, MS), "symbol": ["A", "B", "A"], "close": [1.0, 2.0, 3.0]})
    made = frame(table, "time_series")
    assert [field.get("labels") for field in made["schema"]["fields"]] == [
        None,
        {"symbol": "A"},
        {"symbol": "B"},
    ]
    assert made["data"]["values"] == [[0, 1], [1.0, 3.0], [2.0, None]]


def test_a_time_series_without_time_is_refused() -> None:
    with pytest.raises(DatasourceError, match="no time column found"):
        frame(pa.table({"t": times(0)}), "time_series")


def test_an_unsorted_long_series_is_refused() -> None:
    table = pa.table({"time": times(MS, 0), "s": ["a", "a"], "n": [1, 2]})
    with pytest.raises(DatasourceError, match="sorted ascending by time"):
        frame(table, "time_series")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(DatasourceError, match="unsupported format"):
        frame(pa.table({"n": [1]}), "chart")


def test_the_command_is_the_protobuf_that_flight_sql_servers_read() -> None:
    name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    sql = b"x" * 200
    # By hand: field 1 (0x0a) of a message is its length and its bytes; 200 is c8 01, 203 is cb 01.
    inner = b"\x0a\xc8\x01" + sql
    outer = b"\x0a" + bytes([len(name)]) + name + b"\x12\xcb\x01" + inner
    assert statement_command(sql.decode()) == outer


class TwoEndpoints(flight.FlightServerBase):  # type: ignore[misc]
    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        ticket = flight.FlightEndpoint(b"x", [])
        return flight.FlightInfo(pa.schema([]), descriptor, [ticket, ticket], -1, -1)


def test_several_endpoints_are_refused() -> None:
    refusal = pytest.raises(DatasourceError, match="unsupported endpoint count in response: 2")
    with TwoEndpoints("grpc://127.0.0.1:0") as server, refusal:
        query_flight(f"http://127.0.0.1:{server.port}", "db", "", "SELECT 1", 5)


def test_a_database_that_is_down_is_unavailable() -> None:
    with pytest.raises(DatasourceError) as caught:
        query_flight("http://127.0.0.1:1", "db", "token", "SELECT 1", 5)
    assert caught.value.status == 503
