"""The `/api/v3/configure` calls: databases with their retention, tables, caches, tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import pyarrow as pa

from infrastructure.errors import InputError
from infrastructure.influxdb.embedded.batch import Columns
from infrastructure.influxdb.embedded.caches import CacheKind
from infrastructure.influxdb.embedded.messages import (
    Request,
    Response,
    as_json,
    check_database_name,
    plain,
    required,
)
from infrastructure.influxdb.embedded.query import UnsupportedQuery
from infrastructure.influxdb.embedded.render import CONTENT_TYPES, format_for, render
from infrastructure.influxdb.embedded.store import Store

Routing = dict[tuple[str, str], Callable[[Request], Response]]

_FIELD_KINDS = {
    "utf8": "string", "int64": "integer", "uint64": "uinteger", "float64": "float",
    "bool": "boolean",
}  # fmt: skip
_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400),
    **dict.fromkeys(("M", "month", "months"), 2_630_016),
    **dict.fromkeys(("y", "year", "years"), 31_557_600),
}
_PART = re.compile(r"\s*(\d+)\s*([A-Za-z]+)")
_PATH = "/api/v3/configure"
_NO_TOKENS = "endpoint disabled, started without auth"


def duration_ns(text: str) -> int:
    """Return a duration such as `7d` or `1h 30m` in nanoseconds.

    Months and years are those of the humantime crate, which InfluxDB uses: 30.44 and 365.25 days.

    Raises:
        InputError: If it is none, or nothing.
    """
    at = total = 0
    while at < len(text.rstrip()):
        match = _PART.match(text, at)
        if match is None or match[2] not in _SECONDS:
            raise InputError(f"invalid retention period {text!r}, expected a duration such as 7d")
        total += int(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if total == 0 or total * 1_000_000_000 >= 2**63:
        raise InputError(f"invalid retention period {text!r}, expected a duration such as 7d")
    return total * 1_000_000_000


def configure_routes(store: Store) -> Routing:
    """Return what answers the calls.

    Args:
        store: Whose catalog is changed.
    """
    calls = _Configure(store)
    routes: Routing = {
        ("GET", f"{_PATH}/database"): calls.list_databases,
        ("POST", f"{_PATH}/database"): calls.create_database,
        ("PUT", f"{_PATH}/database"): calls.change_database,
        ("DELETE", f"{_PATH}/database"): calls.drop_database,
        ("POST", f"{_PATH}/database/retention_period"): calls.set_retention,
        ("DELETE", f"{_PATH}/database/retention_period"): calls.clear_retention,
        ("POST", f"{_PATH}/table"): calls.create_table,
        ("DELETE", f"{_PATH}/table"): calls.drop_table,
        ("DELETE", f"{_PATH}/token"): calls.refuse_tokens,
    }
    kinds: tuple[CacheKind, ...] = ("last", "distinct")
    for kind in kinds:
        routes["POST", f"{_PATH}/{kind}_cache"] = calls.cache_maker(kind)
        routes["DELETE", f"{_PATH}/{kind}_cache"] = calls.cache_dropper(kind)
    for path in ("admin", "admin/regenerate", "named_admin"):
        routes["POST", f"{_PATH}/token/{path}"] = calls.refuse_tokens
    return routes


class _Configure:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list_databases(self, request: Request) -> Response:
        form = format_for(request.parameters.get("format"), request.headers.get("accept"))
        if form is None:
            return as_json(HTTPStatus.BAD_REQUEST, {"error": "invalid format"})
        names = self._store.database_names()
        columns = {"iox::database": pa.array(names, pa.string())}
        if request.parameters.get("show_deleted") == "true":
            # What is dropped here is gone at once, so none of those that are shown is deleted.
            columns["deleted"] = pa.array([False] * len(names), pa.bool_())
        return Response(HTTPStatus.OK, render(pa.table(columns), form), CONTENT_TYPES[form])

    def create_database(self, request: Request) -> Response:
        values = json_object(request)
        name = required(values, "db")
        check_database_name(name)
        self._store.create_database(name, _retention(values))
        return Response(HTTPStatus.OK)

    def change_database(self, request: Request) -> Response:
        values = json_object(request)
        self._store.set_retention(required(values, "db"), _retention(values))
        return Response(HTTPStatus.OK)

    def drop_database(self, request: Request) -> Response:
        self._store.drop_database(required(request.parameters, "db"))
        return Response(HTTPStatus.OK)

    def set_retention(self, request: Request) -> Response:
        values = json_object(request) if request.body else request.parameters
        period = duration_ns(required(values, "retention_period"))
        self._store.set_retention(required(values, "db"), period)
        return Response(HTTPStatus.NO_CONTENT)

    def clear_retention(self, request: Request) -> Response:
        values = json_object(request) if request.body else request.parameters
        self._store.set_retention(required(values, "db"), None)
        return Response(HTTPStatus.NO_CONTENT)

    def create_table(self, request: Request) -> Response:
        values = json_object(request)
        database, table = required(values, "db"), required(values, "table")
        if values.get("retention_period") is not None:
            raise UnsupportedQuery(
                "this embedded server has retention periods for databases, not for tables"
            )
        check_database_name(database)
        self._store.create_table(database, table, _declared_columns(values))
        return Response(HTTPStatus.OK)

    def drop_table(self, request: Request) -> Response:
        parameters = request.parameters
        self._store.drop_table(required(parameters, "db"), required(parameters, "table"))
        return Response(HTTPStatus.OK)

    def cache_maker(self, kind: CacheKind) -> Callable[[Request], Response]:
        def make(request: Request) -> Response:
            values = json_object(request)
            database, table = required(values, "db"), required(values, "table")
            spec = self._store.create_cache(kind, database, table, values)
            if spec is None:
                return Response(HTTPStatus.NO_CONTENT)
            shown: dict[str, object] = {"table": table, "name": spec.name}
            if kind == "last":
                shown |= {"key_columns": spec.columns, "value_columns": spec.values}
                shown |= {"count": spec.most, "ttl": spec.age_s}
            else:
                shown |= {"columns": spec.columns}
                shown |= {"max_cardinality": spec.most, "max_age_seconds": spec.age_s}
            return as_json(HTTPStatus.CREATED, shown)

        return make

    def cache_dropper(self, kind: CacheKind) -> Callable[[Request], Response]:
        def drop(request: Request) -> Response:
            values = json_object(request) if request.body else request.parameters
            self._store.drop_cache(
                kind, required(values, "db"), required(values, "table"), required(values, "name")
            )
            return Response(HTTPStatus.OK)

        return drop

    def refuse_tokens(self, _: Request) -> Response:
        return plain(HTTPStatus.METHOD_NOT_ALLOWED, _NO_TOKENS)


def json_object(request: Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        InputError: If it is none.
    """
    try:
        value = json.loads(request.body)
    except ValueError as error:
        raise InputError(f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError("the body is not a JSON object")
    return value


def _retention(values: Mapping[str, Any]) -> int | None:
    if values.get("retention_period") is None:
        return None
    return duration_ns(required(values, "retention_period"))


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
