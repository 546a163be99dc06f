"""Turn what influxdb3-python, pyarrow and requests raise into errors of the one tree."""

from __future__ import annotations

import json
import re
from typing import Any

from infrastructure.errors import (
    CredentialsRejected,
    DiskFull,
    FileLimitExceeded,
    ForeignService,
    InputError,
    LineError,
    QueryError,
    RateLimited,
    ServiceUnavailable,
    StackError,
    WriteRejected,
)

CHECK_SERVER = "Check that it runs and that its URL is right."
READ_ARCHIVE = (
    "Read this span from the Parquet archive, or ask InfluxDB for less time "
    "(its --query-file-limit, 432 by default, counts files of 10 minutes each)."
)
_FILE_LIMIT = re.compile(r"would scan (\d+) Parquet files", re.IGNORECASE)
_GRPC_TAIL = re.compile(r"\.? ?(?:Detail: |gRPC client debug context: ).*", re.DOTALL)


def no_answer(url: str, error: BaseException) -> ServiceUnavailable:
    """Return the error for a server that does not answer, or not in time."""
    return ServiceUnavailable(
        f"InfluxDB at {url} does not answer ({_reason(error)})", next_step=CHECK_SERVER
    )


def http_failure(url: str, status: int, body: str, retry_after: str | None = None) -> StackError:
    """Return the error for an HTTP answer that is no success.

    Args:
        url: The server.
        status: Its status.
        body: Its text, in any of InfluxDB 3's error shapes.
        retry_after: Its Retry-After header.
    """
    text = error_text(body) or f"status {status}"
    if status in (401, 403):
        return CredentialsRejected(
            f"InfluxDB at {url} refuses the token: {text}",
            next_step="Set INFLUXDB3_AUTH_TOKEN to a token of that server.",
        )
    if status == 429:
        return RateLimited(f"InfluxDB at {url} has too many requests: {text}",
                           retry_after_s=_seconds(retry_after))  # fmt: skip
    if status == 507:
        return DiskFull(f"InfluxDB at {url} has no space left: {text}")
    if status >= 500:
        return ServiceUnavailable(f"InfluxDB at {url} failed: {text}", next_step=CHECK_SERVER)
    if status == 405:
        return ForeignService(
            f"the server at {url} does not know this call: {text}",
            next_step="Check that the URL is an InfluxDB 3 server's.",
        )
    return InputError(f"InfluxDB at {url} refuses the request: {text}")


def write_failure(url: str, error: Any) -> StackError:
    """Return the error for a write that influxdb3-python raised InfluxDBError for.

    Args:
        url: The server.
        error: The exception, with the HTTP answer in `response`.
    """
    response = getattr(error, "response", None)
    if response is None:
        text = str(getattr(error, "message", error))
        if "support the V3 API endpoint" in text:
            return ForeignService(
                f"the server at {url} has no /api/v3/write_lp",
                next_step="Check that the URL is an InfluxDB 3 server's.",
            )
        return no_answer(url, error)
    body, status = str(response.data), int(response.status)
    if status in (400, 413, 422):
        entries = line_errors(body)
        text = error_text(body) or f"status {status}"
        if entries:
            first = entries[0]
            text = f"{text}; line {first.line_number}: {first.message}"
        return WriteRejected(f"InfluxDB refused {len(entries) or 'the'} lines: {text}",
                             line_errors=entries, status=status)  # fmt: skip
    return http_failure(url, status, body, response.getheader("Retry-After"))


def query_failure(url: str, database: str, error: BaseException) -> StackError:
    """Return the error for a query that Flight refused or could not answer.

    Args:
        url: The server.
        database: The database that was asked.
        error: The exception of pyarrow.
    """
    import pyarrow as pa
    import pyarrow.flight as flight

    text = _GRPC_TAIL.sub("", str(error)).strip()
    if isinstance(
        error,
        flight.FlightUnavailableError | flight.FlightTimedOutError | flight.FlightCancelledError,
    ):
        return no_answer(url, error)
    if isinstance(error, flight.FlightUnauthenticatedError | flight.FlightUnauthorizedError):
        return http_failure(url, 401, text)
    files = _FILE_LIMIT.search(text)
    if files:
        return FileLimitExceeded(
            f"the query spans {files[1]} Parquet files, more than InfluxDB at {url} allows",
            next_step=READ_ARCHIVE,
            files=int(files[1]),
        )
    if isinstance(error, pa.ArrowKeyError) or "database not found" in text.lower():
        return QueryError(
            f"InfluxDB at {url} has no database {database!r}",
            next_step="Create it first, or check the name.",
        )
    return QueryError(f"InfluxDB refuses the query: {text}")


def error_text(body: str) -> str:
    """Return the sentence in an error body of v3 (`error`), v2 (`message`) or plain text."""
    try:
        value = json.loads(body)
    except ValueError:
        return body.strip()
    if isinstance(value, dict):
        return str(value.get("error") or value.get("message") or body)
    return body.strip()


def line_errors(body: str) -> tuple[LineError, ...]:
    """Return the refused lines that an error body of `/api/v3/write_lp` names."""
    try:
        value = json.loads(body)
    except ValueError:
        return ()
    data = value.get("data") if isinstance(value, dict) else None
    entries = data if isinstance(data, list) else [data]
    return tuple(
        LineError(
            int(entry.get("line_number") or 0),
            str(entry.get("error_message")),
            str(entry.get("original_line") or ""),
        )
        for entry in entries
        if isinstance(entry, dict) and entry.get("error_message")
    )


def _reason(error: BaseException) -> str:
    text = _GRPC_TAIL.sub("", str(error))
    for needle in ("Connection refused", "timed out", "Deadline Exceeded", "Name or service"):
        if needle.lower() in text.lower():
            return needle.lower()
    return text.split("\n")[0][:200] or type(error).__name__


def _seconds(retry_after: str | None) -> float | None:
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None
