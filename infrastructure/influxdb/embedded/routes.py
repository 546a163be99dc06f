"""The HTTP API of InfluxDB 3 Core, as far as this server has it: requests in, responses out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http import HTTPStatus

from infrastructure.errors import StackError
from infrastructure.influxdb.embedded.access import Access
from infrastructure.influxdb.embedded.configure import configure_routes, json_object
from infrastructure.influxdb.embedded.identity import BUILD, VERSION, Identity
from infrastructure.influxdb.embedded.messages import (
    Request,
    Response,
    as_json,
    failure,
    plain,
    query_parameters,
    required,
)
from infrastructure.influxdb.embedded.query import QueryEngine
from infrastructure.influxdb.embedded.render import CONTENT_TYPES, format_for, render
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.embedded.writes import write_lp, write_v1, write_v2

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, Accept",
}
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
            **configure_routes(store),
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
        values = json_object(request) if request.method == "POST" else dict(request.parameters)
        database = required(values, "db")
        sql = required(values, "q")
        form = format_for(values.get("format"), request.headers.get("accept"))
        if form is None:
            asked = values.get("format") or request.headers.get("accept")
            return as_json(HTTPStatus.BAD_REQUEST, {"error": f"invalid format: {asked}"})
        table = self._engine.run(database, sql, query_parameters(values.get("params")))
        return Response(HTTPStatus.OK, render(table, form), CONTENT_TYPES[form])


def _no_influxql(_: Request) -> Response:
    return plain(HTTPStatus.METHOD_NOT_ALLOWED, "this embedded server has no InfluxQL; use SQL")


def _is_v1(path: str) -> bool:
    return path in ("/write", "/query")
