"""Run one query as Grafana's InfluxDB SQL datasource does, and turn Arrow into data frames.

The calls are GetFlightInfo with a CommandStatementQuery and DoGet of the single endpoint, with
the metadata `database` and `authorization`. The Arrow rules follow fsql/arrow.go, with one
difference on purpose: a column of a type that Grafana cannot read is an error here, where
Grafana only logs it and shows a broken column.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import flight

STATEMENT_TYPE = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
ROW_LIMIT = 1_000_000
NS_PER_MS = 1_000_000

FRAME_TYPES: tuple[tuple[Any, str, str], ...] = (
    (pa.types.is_string, "string", "string"),
    (pa.types.is_float32, "number", "float32"),
    (pa.types.is_float64, "number", "float64"),
    (pa.types.is_uint8, "number", "uint8"),
    (pa.types.is_uint16, "number", "uint16"),
    (pa.types.is_uint32, "number", "uint32"),
    (pa.types.is_uint64, "number", "uint64"),
    (pa.types.is_int8, "number", "int8"),
    (pa.types.is_int16, "number", "int16"),
    (pa.types.is_int32, "number", "int32"),
    (pa.types.is_int64, "number", "int64"),
    (pa.types.is_boolean, "boolean", "bool"),
    (pa.types.is_timestamp, "time", "time.Time"),
    (pa.types.is_duration, "number", "int64"),
)


class DatasourceError(Exception):
    """Report a query that the datasource could not answer.

    Args:
        message: The text that Grafana would show.
        status: The status that Grafana derives from the gRPC code.
    """

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def statement_command(sql: str) -> bytes:
    """Return the protobuf Any around a CommandStatementQuery of a query."""
    return _field(1, STATEMENT_TYPE) + _field(2, _field(1, sql.encode()))


def query_flight(url: str, database: str, token: str, sql: str, timeout_s: float) -> pa.Table:
    """Run a query over Flight SQL and return its rows as they came.

    Args:
        url: `http://host:port` of the database; without a port Grafana uses 443, so does this.
        database: Sent as metadata.
        token: Sent as a bearer token; empty sends none.
        sql: The query with all macros expanded.
        timeout_s: Seconds for each of the two calls.

    Raises:
        DatasourceError: The server refused the query, did not answer, or gave several endpoints.
    """
    parts = urlsplit(url)
    location = f"grpc://{parts.hostname}:{parts.port or 443}"
    headers = [(b"database", database.encode())]
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    options = flight.FlightCallOptions(timeout=timeout_s, headers=headers)
    try:
        with flight.FlightClient(location) as client:
            descriptor = flight.FlightDescriptor.for_command(statement_command(sql))
            info = client.get_flight_info(descriptor, options)
            if len(info.endpoints) != 1:
                raise DatasourceError(
                    f"unsupported endpoint count in response: {len(info.endpoints)}"
                )
            return client.do_get(info.endpoints[0].ticket, options).read_all()
    except flight.FlightUnavailableError as error:
        raise DatasourceError(f"flightsql: {error}", 503) from error
    except (flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError) as error:
        raise DatasourceError(f"flightsql: {error}", 403) from error
    except pa.ArrowInvalid as error:
        raise DatasourceError(f"flightsql: {error}", 400) from error
    except pa.ArrowException as error:
        raise DatasourceError(f"flightsql: {error}") from error


def frame_of(table: pa.Table, ref_id: str, sql: str, form: str) -> dict[str, Any] | None:
    """Turn rows into the JSON form of one data frame, None when there are no rows.

    Args:
        table: The answer of the database.
        ref_id: The query's letter.
        sql: The query as it was run.
        form: `table` or `time_series`.

    Raises:
        DatasourceError: A type that Grafana cannot read, or no usable time column.
    """
    if table.num_rows == 0:
        return None
    notices = []
    if table.num_rows > ROW_LIMIT:
        table = table.slice(0, ROW_LIMIT)
        text = f"Results have been limited to {ROW_LIMIT} because the SQL row limit was reached"
        notices.append({"severity": "warning", "text": text})
    columns = [_column(table.schema.field(i), table.column(i)) for i in range(table.num_columns)]
    if form == "time_series":
        columns = _wide(columns)
    elif form not in ("table", "logs"):
        raise DatasourceError("unsupported format")
    meta: dict[str, Any] = {"executedQueryString": sql}
    if notices:
        meta["notices"] = notices
    data: dict[str, Any] = {"values": [_milliseconds(*column) for column in columns]}
    nanos = [_nanoseconds(*column) for column in columns]
    if any(nanos):
        data["nanos"] = nanos
    return {
        "schema": {"refId": ref_id, "meta": meta, "fields": [field for field, _ in columns]},
        "data": data,
    }


def _milliseconds(field: dict[str, Any], values: list[Any]) -> list[Any]:
    if field["type"] != "time":
        return values
    return [None if ns is None else ns // NS_PER_MS for ns in values]


def _nanoseconds(field: dict[str, Any], values: list[Any]) -> list[int] | None:
    if field["type"] != "time" or not any(ns is not None and ns % NS_PER_MS for ns in values):
        return None
    return [0 if ns is None else ns % NS_PER_MS for ns in values]


def _column(field: pa.Field, values: pa.ChunkedArray) -> tuple[dict[str, Any], list[Any]]:
    for is_type, kind, name in FRAME_TYPES:
        if is_type(field.type):
            shape = {"frame": name, "nullable": field.nullable}
            return {"name": field.name, "type": kind, "typeInfo": shape}, _plain(values, kind)
    raise DatasourceError(
        f"datatype {field.type} is unhandled: Grafana shows the column {field.name} broken"
    )


def _plain(values: pa.ChunkedArray, kind: str) -> list[Any]:
    if kind != "time":
        if pa.types.is_duration(values.type):
            values = values.cast(pa.int64())
        return list(values.to_pylist())
    # Whatever the unit says, the raw integers are read as nanoseconds.
    return list(values.cast(pa.int64()).to_pylist())


def _wide(
    columns: list[tuple[dict[str, Any], list[Any]]],
) -> list[tuple[dict[str, Any], list[Any]]]:
    names = [field["name"] for field, _ in columns]
    if "time" not in names:
        raise DatasourceError("no time column found")
    labels = [column for column in columns if column[0]["type"] == "string"]
    if not labels:
        return columns
    times = columns[names.index("time")][1]
    if any(earlier > later for earlier, later in pairwise(times)):
        raise DatasourceError(
            "can not convert to wide series, expected long format series input to be sorted"
            " ascending by time"
        )
    instants = sorted(set(times))
    row_of = {instant: row for row, instant in enumerate(instants)}
    series: dict[tuple[str, tuple[str, ...]], tuple[dict[str, Any], list[Any]]] = {}
    for row, instant in enumerate(times):
        key = tuple(str(values[row]) for _, values in labels)
        for field, values in columns:
            if field["type"] != "number":
                continue
            if (field["name"], key) not in series:
                tags = {tag["name"]: text for (tag, _), text in zip(labels, key, strict=True)}
                blank: list[Any] = [None] * len(instants)
                series[field["name"], key] = ({**field, "labels": tags}, blank)
            series[field["name"], key][1][row_of[instant]] = values[row]
    return [(columns[names.index("time")][0], instants), *series.values()]
