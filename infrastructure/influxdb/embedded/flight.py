"""The Flight side: InfluxDB 3's native JSON tickets, and Flight SQL as Grafana speaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.flight as flight

from infrastructure.errors import CredentialsRejected, InputError, QueryError, StackError
from infrastructure.influxdb.embedded.access import Access, MalformedAuthorization
from infrastructure.influxdb.embedded.flight_catalog import CATALOG_COMMANDS, catalog_table
from infrastructure.influxdb.embedded.flight_messages import (
    MalformedMessage,
    bytes_field,
    pack_any,
    read_fields,
    unpack_any,
)
from infrastructure.influxdb.embedded.messages import query_parameters
from infrastructure.influxdb.embedded.query import QueryEngine, QueryFailed, UnsupportedQuery
from infrastructure.influxdb.embedded.refusals import UnknownDatabase
from infrastructure.influxdb.embedded.store import Store
from infrastructure.logging import get_logger

_DATABASE_HEADERS = ("database", "bucket", "bucket-name", "iox-namespace-name")
_DATABASE_MEMBERS = ("database", "namespace_name", "bucket", "bucket-name")
_HEALTH_QUERY = "select 1"
_BATCH_BYTES = 1024 * 1024
_HEADERS = "headers"
_T = TypeVar("_T")
_log = get_logger(__name__)


class _Headers(flight.ServerMiddleware):  # type: ignore[misc]
    """The metadata of one call."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.values = values


class _Gate(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Check each call's token and keep its metadata."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def start_call(self, info: Any, headers: Mapping[str, list[str]]) -> _Headers:
        lowered = {name.lower(): [str(value) for value in headers[name]] for name in headers}
        try:
            self._access.check(lowered.get("authorization", [None])[0])
        except (CredentialsRejected, MalformedAuthorization) as error:
            raise flight.FlightUnauthenticatedError(error.message) from None
        return _Headers(lowered)


class FlightService(flight.FlightServerBase):  # type: ignore[misc]
    """Serve queries by gRPC on a loopback port of its own.

    Args:
        store: Whose tables are listed.
        engine: Answers queries.
        access: Who may call.
    """

    def __init__(self, store: Store, engine: QueryEngine, access: Access) -> None:
        super().__init__("grpc://127.0.0.1:0", middleware={_HEADERS: _Gate(access)})
        self._store = store
        self._engine = engine

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.RecordBatchStream:
        """Answer a native ticket or a Flight SQL ticket."""
        table = _guarded(lambda: self._table(context, ticket.ticket))
        rows = max(1, _BATCH_BYTES * max(table.num_rows, 1) // max(table.nbytes, 1))
        return flight.RecordBatchStream(
            pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=rows))
        )

    def get_flight_info(
        self, context: Any, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Answer with exactly one endpoint, whose ticket yields the result."""
        schema, ticket = _guarded(lambda: self._prepared(context, descriptor.command or b""))
        endpoint = flight.FlightEndpoint(flight.Ticket(ticket), [])
        return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: Any, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """Answer with the schema of a command's result."""
        schema, _ = _guarded(lambda: self._prepared(context, descriptor.command or b""))
        return flight.SchemaResult(schema)

    def do_action(self, context: Any, action: flight.Action) -> list[bytes]:
        """Make and close prepared statements; they hold their SQL, the server holds nothing."""
        return _guarded(lambda: self._act(context, action.type, action.body.to_pybytes()))

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """Name the actions."""
        return [
            ("CreatePreparedStatement", "Make a prepared statement."),
            ("ClosePreparedStatement", "Close a prepared statement."),
        ]

    def _table(self, context: Any, ticket: bytes) -> pa.Table:
        if ticket[:1] == b"{":
            database, sql, parameters = _native(ticket)
            return self._engine.run(database, sql, parameters)
        name, message = unpack_any(ticket)
        if name == "TicketStatementQuery":
            handle = json.loads(_only(message))
            return self._engine.run(handle["database"], handle["sql"])
        if name == "CommandPreparedStatementQuery":
            return self._engine.run(_database(context), _only(message).decode())
        if name in CATALOG_COMMANDS:
            return catalog_table(name, message, self._store.tables(_database(context)))
        raise UnsupportedQuery(f"the Flight SQL ticket {name} is not implemented")

    def _prepared(self, context: Any, command: bytes) -> tuple[pa.Schema, bytes]:
        name, message = unpack_any(command)
        database = _database(context)
        if name in CATALOG_COMMANDS:
            return catalog_table(name, message, self._store.tables(database)).schema, command
        if name not in ("CommandStatementQuery", "CommandPreparedStatementQuery"):
            raise UnsupportedQuery(f"the Flight SQL command {name} is not implemented")
        sql = _only(message).decode()
        if not sql.strip():
            sql = _HEALTH_QUERY
        schema = self._engine.schema(database, sql)
        handle = json.dumps({"database": database, "sql": sql}).encode()
        return schema, pack_any("TicketStatementQuery", bytes_field(1, handle))

    def _act(self, context: Any, kind: str, body: bytes) -> list[bytes]:
        if kind == "ClosePreparedStatement":
            return []
        if kind != "CreatePreparedStatement":
            raise UnsupportedQuery(f"the Flight action {kind} is not implemented")
        _, message = unpack_any(body)
        sql = _only(message)
        schema = self._engine.schema(_database(context), sql.decode())
        result = bytes_field(1, sql) + bytes_field(2, schema.serialize().to_pybytes())
        return [pack_any("ActionCreatePreparedStatementResult", result)]


def _native(ticket: bytes) -> tuple[str, str, dict[str, str | int | float | bool | None]]:
    try:
        values = json.loads(ticket)
    except ValueError as error:
        raise InputError(f"the ticket is no JSON: {error}") from error
    database = next((values[name] for name in _DATABASE_MEMBERS if values.get(name)), None)
    sql = values.get("sql_query")
    if not isinstance(database, str) or not isinstance(sql, str):
        raise InputError("the ticket names no database or no sql_query")
    if values.get("query_type", "sql") != "sql":
        raise UnsupportedQuery("this embedded server has no InfluxQL; use SQL")
    return database, sql, query_parameters(values.get("params"))


def _database(context: Any) -> str:
    headers = context.get_middleware(_HEADERS).values
    given = {value for name in _DATABASE_HEADERS for value in headers.get(name, [])}
    if not given:
        raise InputError("no 'database' header in request")
    if len(given) > 1:
        raise InputError(f"the request names several databases: {', '.join(sorted(given))}")
    return str(given.pop())


def _only(message: bytes) -> bytes:
    """Return field 1: the query of a statement, or the handle of a ticket."""
    return read_fields(message).get(1, [b""])[-1]


def _guarded(work: Callable[[], _T]) -> _T:
    """Run a call and raise its errors so that gRPC carries the right code."""
    try:
        return work()
    except UnknownDatabase as error:
        raise pa.ArrowKeyError(error.message) from None
    except UnsupportedQuery as error:
        raise pa.ArrowNotImplementedError(error.message) from None
    except (QueryError, InputError) as error:
        raise pa.ArrowInvalid(error.message) from None
    except (MalformedMessage, UnicodeDecodeError) as error:
        raise pa.ArrowInvalid(str(error)) from None
    except QueryFailed as error:
        raise flight.FlightInternalError(error.message) from None
    except StackError as error:
        raise flight.FlightInternalError(str(error)) from None
    except Exception as error:
        _log.exception("a Flight call failed in a way that nobody foresaw")
        raise flight.FlightInternalError(f"{type(error).__name__}: {error}") from None
