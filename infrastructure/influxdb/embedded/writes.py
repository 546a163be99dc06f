"""The three write calls, v3, v2 and v1, with the answers that InfluxDB 3 gives to bad lines."""

from __future__ import annotations

from http import HTTPStatus

from infrastructure.errors import InputError, LineError
from infrastructure.influxdb.embedded.commands import WriteResult
from infrastructure.influxdb.embedded.messages import (
    Request,
    Response,
    as_json,
    check_database_name,
    plain,
    required,
)
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.parse import parse_lines

_PARTIAL = "partial write of line protocol occurred"
_REFUSED = "line protocol parsing error"
_V2_PRECISIONS = {"ns", "us", "ms", "s", "u", "n"}


def write_lp(store: Store, request: Request) -> Response:
    """Answer `POST /api/v3/write_lp`."""
    parameters = request.parameters
    accept_partial = _flag(request, "accept_partial", default=True)
    no_sync = _flag(request, "no_sync", default=False)
    result = _write(
        store,
        request,
        required(parameters, "db"),
        parameters.get("precision", "auto"),
        accept_partial=accept_partial,
        wait=not no_sync,
    )
    if result is None:
        return _empty()
    if not result.errors:
        return Response(HTTPStatus.NO_CONTENT)
    if accept_partial:
        data: object = [_entry(error) for error in result.errors]
        return as_json(HTTPStatus.BAD_REQUEST, {"error": _PARTIAL, "data": data})
    body = {"error": _REFUSED, "data": _entry(result.errors[0])}
    return as_json(HTTPStatus.BAD_REQUEST, body)


def write_v2(store: Store, request: Request) -> Response:
    """Answer `POST /api/v2/write`: all lines or none."""
    precision = request.parameters.get("precision", "ns")
    if precision not in _V2_PRECISIONS:
        raise InputError(f"invalid precision {precision!r}, expected ns, us, ms or s")
    database = required(request.parameters, "bucket")
    result = _write(store, request, database, precision, accept_partial=False)
    if result is None:
        return as_json(HTTPStatus.BAD_REQUEST, {"code": "invalid", "message": "empty write"})
    if not result.errors:
        return Response(HTTPStatus.NO_CONTENT)
    return as_json(
        HTTPStatus.BAD_REQUEST, {"code": "invalid", "message": _sentence(result.errors[0])}
    )


def write_v1(store: Store, request: Request) -> Response:
    """Answer v1's `POST /write`: good lines are stored although others are not."""
    parameters = request.parameters
    database = required(parameters, "db")
    if parameters.get("rp"):
        database = f"{database}/{parameters['rp']}"
    precision = parameters.get("precision", "ns")
    result = _write(store, request, database, precision, accept_partial=True)
    if result is None:
        return _empty()
    if not result.errors:
        return Response(HTTPStatus.NO_CONTENT)
    text = f"partial write: {_sentence(result.errors[0])}"
    return as_json(HTTPStatus.BAD_REQUEST, {"error": text})


def _write(
    store: Store,
    request: Request,
    database: str,
    precision: str,
    *,
    accept_partial: bool,
    wait: bool = True,
) -> WriteResult | None:
    """Write a body; None if it holds no line."""
    check_database_name(database)
    body = parse_lines(request.body, precision=precision, now_ns=store.clock.now_ns())
    if not body.lines:
        return None
    return store.write(database, body, accept_partial=accept_partial, wait=wait)


def _flag(request: Request, name: str, *, default: bool) -> bool:
    text = request.parameters.get(name)
    if text is None:
        return default
    if text not in ("true", "false"):
        raise InputError(f"{name} is {text!r}, expected true or false")
    return text == "true"


def _empty() -> Response:
    return plain(HTTPStatus.BAD_REQUEST, "the body holds no line of line protocol")


def _entry(error: LineError) -> dict[str, object]:
    return {
        "error_message": error.message,
        "line_number": error.line_number,
        "original_line": error.original_line,
    }


def _sentence(error: LineError) -> str:
    return f"{_REFUSED}: line {error.line_number}: {error.message} ({error.original_line})"
