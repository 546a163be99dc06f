"""Requests, responses and the shapes of InfluxDB 3's HTTP errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from infrastructure.errors import (
    CredentialsRejected,
    DiskFull,
    InputError,
    OperatorError,
    QueryError,
    ServiceUnavailable,
    StackError,
)
from infrastructure.influxdb.embedded.access import MalformedAuthorization
from infrastructure.influxdb.embedded.limits import LimitExceeded
from infrastructure.influxdb.embedded.query import QueryFailed, UnsupportedQuery
from infrastructure.influxdb.embedded.refusals import (
    AlreadyExists,
    UnknownCache,
    UnknownDatabase,
    UnknownTable,
)

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"


class BodyTooLarge(InputError):
    """Report a body beyond the limit."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, its body already unpacked.

    Attributes:
        method: In capitals.
        path: Without the query.
        parameters: Of the query, the last one of each name.
        headers: By lower-case name.
        body: The plain bytes.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A response.

    Attributes:
        status: The HTTP status.
        body: The bytes.
        content_type: Of the body, None where there is none.
        headers: On top of the usual ones.
    """

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def plain(status: int, text: str) -> Response:
    """Return a response of plain text."""
    return Response(status, text.encode(), PLAIN)


def as_json(status: int, value: object) -> Response:
    """Return a response of JSON."""
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), JSON)


def failure(path: str, error: StackError) -> Response:
    """Return the response that InfluxDB 3 gives to a failure of this kind."""
    status = _status_of(error)
    text = error.message if isinstance(error, InputError | QueryFailed) else str(error)
    if path == "/api/v2/write":
        code = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found",
                413: "request too large"}.get(status, "internal error")  # fmt: skip
        return as_json(status, {"code": code, "message": text})
    if isinstance(error, (QueryError, QueryFailed)):
        return plain(status, text)
    return as_json(status, {"error": text})


def _status_of(error: StackError) -> int:
    table: tuple[tuple[type[StackError], int], ...] = (
        (CredentialsRejected, HTTPStatus.UNAUTHORIZED),
        (MalformedAuthorization, HTTPStatus.BAD_REQUEST),
        (UnknownDatabase, HTTPStatus.NOT_FOUND),
        (UnknownTable, HTTPStatus.NOT_FOUND),
        (AlreadyExists, HTTPStatus.CONFLICT),
        (UnknownCache, HTTPStatus.NOT_FOUND),
        (LimitExceeded, HTTPStatus.UNPROCESSABLE_ENTITY),
        (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (UnsupportedQuery, HTTPStatus.METHOD_NOT_ALLOWED),
        (InputError, HTTPStatus.BAD_REQUEST),
        (DiskFull, HTTPStatus.INSUFFICIENT_STORAGE),
        (OperatorError, HTTPStatus.INTERNAL_SERVER_ERROR),
        (ServiceUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    for kind, status in table:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def required(values: Mapping[str, Any], name: str) -> str:
    """Return a text parameter.

    Raises:
        InputError: If it is missing, empty or no text.
    """
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise InputError(f"missing parameter '{name}'")
    return value


def query_parameters(given: Any) -> dict[str, str | int | float | bool | None]:
    """Return the values for `$name` out of a JSON object, or out of its text.

    Raises:
        InputError: If it is no object of plain values.
    """
    if given is None:
        return {}
    try:
        values = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise InputError(f"params is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError("params is not a JSON object")
    for name, value in values.items():
        if not isinstance(value, str | int | float | bool | None):
            raise InputError(f"the parameter {name} is neither a number, text, boolean nor null")
    return values


def check_database_name(name: str) -> None:
    """Refuse what InfluxDB 3 refuses: letters, digits, `_`, `-`, and one `/` with a policy.

    Raises:
        InputError: If the name is not valid.
    """
    parts = name.split("/")
    if len(parts) > 2 or not all(parts):
        raise InputError(
            "db name with invalid retention policy, if providing a retention policy name, must be "
            "of form '<db_name>/<rp_name>'"
        )
    if not (name[0].isascii() and name[0].isalnum()):
        raise InputError("db name did not start with a number or letter")
    if not all(letter.isascii() and (letter.isalnum() or letter in "_-/") for letter in name):
        raise InputError(
            "invalid character in database name: must be ASCII, containing only letters, numbers, "
            "underscores, or hyphens"
        )
