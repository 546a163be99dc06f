"""The HTTP API of InfluxDB 3 Core, as far as this server has it: requests in, responses out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import pyarrow as pa

from infrastructure.errors import InputError, StackError
from infrastructure.influxdb.embedded.access import Access
from infrastructure.influxdb.embedded.batch import Columns
from infrastructure.influxdb.embedded.identity import BUILD, VERSION, Identity
from infrastructure.influxdb.embedded.messages import (
    Request,
    Response,
    as_json,
    check_database_name,
    failure,
    plain,
    query_parameters,
    required,
)
from infrastructure.influxdb.embedded.query import QueryEngine, UnsupportedQuery
from infrastructure.influxdb.embedded.render import CONTENT_TYPES, format_for, render
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.embedded.writes import write_lp, write_v1, write_v2

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, Accept",
}
_FIELD_KINDS = {
    "utf8": "string", "int64": "integer", "uint64": "uinteger", "float64": "float",
    "bool": "boolean",
}  # fmt: skip
_OPEN_PATHS = frozenset({"/health", "/api/v1/health", "/ping"})


class Routes:
    """Answer requests.

    Args:
        store: Where rows are written and databases are made.
        engine: Answers queries.
        access: Who may call.
        identity: What `/ping` says.
    """

    def __init__(
        self, store: Store, engine: QueryEngine, access: Access, identity: Identity
    ) -> None:
        self._store = store
        self._engine = engine
        self._access = access
        self._identity = identity
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/health"): lambda _: plain(HTTPStatus.OK, "OK"),
            ("GET", "/api/v1/health"): lambda _: plain(HTTPStatus.OK, "OK"),
            ("GET", "/ping"): self._ping,
            ("POST", "/ping"): self._ping,
            ("GET", "/metrics"): self._metrics,
            ("POST", "/api/v3/write_lp"): lambda request: write_lp(store, request),
            ("POST", "/api/v2/write"): lambda request: write_v2(store, request),
            ("POST", "/write"): lambda request: write_v1(store, request),
            ("GET", "/api/v3/query_sql"): self._query_sql,
            ("POST", "/api/v3/query_sql"): self._query_sql,
            ("GET", "/api/v3/configure/database"): self._list_databases,
            ("POST", "/api/v3/configure/database"): self._create_database,
            ("DELETE", "/api/v3/configure/database"): self._drop_database,
            ("POST", "/api/v3/configure/table"): self._create_table,
            ("DELETE", "/api/v3/configure/table"): self._drop_table,
        }
        for path in ("/api/v3/query_influxql", "/query"):
            for method in ("GET", "POST"):
                self._routes[method, path] = _no_influxql

    def answer(self, request: Request) -> Response:
        """Return the response to a request; no error of ours gets out."""
        if request.method == "OPTIONS":
            return Response(HTTPStatus.NO_CONTENT, headers=_CORS)
        method = "GET" if request.method == "HEAD" else request.method
        route = self._routes.get((method, request.path))
        try:
            if request.path not in _OPEN_PATHS:
                v1_token = request.parameters.get("p") if _is_v1(request.path) else None
                self._access.check(request.headers.get("authorization"), v1_token)
            if route is None:
                return plain(HTTPStatus.NOT_FOUND, "Not found")
            return route(request)
        except StackError as error:
            return failure(request.path, error)

    def usual_headers(self) -> dict[str, str]:
        """Return the headers of every response."""
        request_id = str(uuid.uuid4())
        return {
            "X-Influxdb-Version": VERSION,
            "X-Influxdb-Build": BUILD,
            "Request-Id": request_id,
            "X-Request-Id": request_id,
        }

    def _ping(self, _: Request) -> Response:
        return as_json(HTTPStatus.OK, self._identity.ping())

    def _metrics(self, _: Request) -> Response:
        lines = ["# TYPE embedded_influxdb_databases gauge"]
        names = self._store.database_names()
        lines.append(f"embedded_influxdb_databases {len(names)}")
        lines.append("# TYPE embedded_influxdb_rows_in_memory gauge")
        for name in names:
            hot = sum(table.hot_rows for table in self._store.tables(name).values())
            lines.append(f'embedded_influxdb_rows_in_memory{{database="{name}"}} {hot}')
        return plain(HTTPStatus.OK, "\n".join([*lines, "# EOF", ""]))

    def _query_sql(self, request: Request) -> Response:
        values = _json_object(request) if request.method == "POST" else dict(request.parameters)
        database = required(values, "db")
        sql = required(values, "q")
        form = format_for(values.get("format"), request.headers.get("accept"))
        if form is None:
            asked = values.get("format") or request.headers.get("accept")
            return as_json(HTTPStatus.BAD_REQUEST, {"error": f"invalid format: {asked}"})
        table = self._engine.run(database, sql, query_parameters(values.get("params")))
        return Response(HTTPStatus.OK, render(table, form), CONTENT_TYPES[form])

    def _list_databases(self, request: Request) -> Response:
        form = format_for(request.parameters.get("format"), request.headers.get("accept"))
        if form is None:
            return as_json(HTTPStatus.BAD_REQUEST, {"error": "invalid format"})
        table = pa.table({"iox::database": pa.array(self._store.database_names(), pa.string())})
        return Response(HTTPStatus.OK, render(table, form), CONTENT_TYPES[form])

    def _create_database(self, request: Request) -> Response:
        values = _json_object(request)
        name = required(values, "db")
        _refuse_retention(values)
        check_database_name(name)
        self._store.create_database(name)
        return Response(HTTPStatus.OK)

    def _drop_database(self, request: Request) -> Response:
        self._store.drop_database(required(request.parameters, "db"))
        return Response(HTTPStatus.OK)

    def _create_table(self, request: Request) -> Response:
        values = _json_object(request)
        database, table = required(values, "db"), required(values, "table")
        _refuse_retention(values)
        check_database_name(database)
        self._store.create_table(database, table, _declared_columns(values))
        return Response(HTTPStatus.OK)

    def _drop_table(self, request: Request) -> Response:
        parameters = request.parameters
        self._store.drop_table(required(parameters, "db"), required(parameters, "table"))
        return Response(HTTPStatus.OK)


def _declared_columns(values: Mapping[str, Any]) -> Columns:
    columns: Columns = {}
    for tag in values.get("tags") or []:
        if not isinstance(tag, str) or tag == "time":
            raise InputError(f"{tag!r} cannot name a tag")
        columns[tag] = "tag"
    for entry in values.get("fields") or []:
        kind = _FIELD_KINDS.get(str(entry.get("type"))) if isinstance(entry, dict) else None
        name = entry.get("name") if isinstance(entry, dict) else None
        if kind is None or not isinstance(name, str) or name == "time" or name in columns:
            raise InputError(f"invalid field {entry!r}; types are {', '.join(_FIELD_KINDS)}")
        columns[name] = kind  # type: ignore[assignment]
    return columns


def _refuse_retention(values: Mapping[str, Any]) -> None:
    if values.get("retention_period") is not None:
        raise UnsupportedQuery("this embedded server keeps all data: it has no retention periods")


def _no_influxql(_: Request) -> Response:
    return plain(HTTPStatus.METHOD_NOT_ALLOWED, "this embedded server has no InfluxQL; use SQL")


def _json_object(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body)
    except ValueError as error:
        raise InputError(f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError("the body is not a JSON object")
    return value


def _is_v1(path: str) -> bool:
    return path in ("/write", "/query")
