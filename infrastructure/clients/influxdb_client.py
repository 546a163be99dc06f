"""The base client of InfluxDB 3: columns and lines in, tables and rows out, errors of the tree.

influxdb3-python is the transport (blocks of line protocol by `/api/v3/write_lp`, queries by
Flight); the encoder is ours. A row is its tags and its time: to send the same row again is safe,
to send it with other values is not, because InfluxDB 3 does not order overwrites.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    InputError,
    LineError,
    StackError,
    WriteRejected,
)
from infrastructure.influxdb.encode import REQUEST_LIMIT_BYTES, NotANumber, encode_lines
from infrastructure.influxdb.failures import no_answer, query_failure, write_failure
from infrastructure.influxdb.lines import count_lines
from infrastructure.influxdb.schema import TableSchema
from infrastructure.influxdb.session import ATTEMPTS, TIMEOUT_S, InfluxSession, ServerInfo
from infrastructure.logging import get_logger

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BaseInfluxDBClient", "ServerInfo", "WriteReport"]

IN_FLIGHT = 4

Parameter = str | int | float | bool | None

_NO_TOKEN = "anonymous"
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What a write sent.

    Attributes:
        rows: Lines that the server acknowledged.
        bytes: Their bytes.
        requests: How many requests carried them, retries included.
        waiting: Lines that wait in the spool: a later command sends them.
        refused: Lines that are in quarantine with the server's reason.
    """

    rows: int
    bytes: int
    requests: int
    waiting: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Tally:
    """The running sums of one write."""

    rows: int = 0
    bytes: int = 0
    requests: int = 0
    refused: list[LineError] = field(default_factory=list)

    def report(self) -> WriteReport:
        return WriteReport(self.rows, self.bytes, self.requests)


class BaseInfluxDBClient(InfluxSession):
    """Talk to one database of one InfluxDB 3 server; a system's client extends it.

    Every failure is raised, as an error of `infrastructure.errors`. What may pass by itself
    (`RetryableError`) is tried again, a bounded number of times with growing waits.

    Args:
        url: `http://host:port` or `https://host:port`.
        database: The database that is written and queried; it is never made by a write.
        token: The server's token; None where it asks for none.
        timeout_s: Seconds that one request may take.
        clock: Measures the waits between attempts.
        attempts: How often a request is sent at most.
        in_flight: How many blocks are under way at once; the next one waits.

    Raises:
        ConfigError: If the URL is not one of a server.
    """

    def __init__(
        self,
        url: str,
        database: str,
        *,
        token: Secret | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
        attempts: int = ATTEMPTS,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        super().__init__(
            url, database, token=token, timeout_s=timeout_s, clock=clock, attempts=attempts
        )
        self._in_flight = in_flight
        self._transport: Any = None
        self._transport_lock = threading.Lock()
        self._database_seen = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, {self.database!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; nothing is buffered, so nothing is lost."""
        self._session.close()
        with self._transport_lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def list_tables(self) -> list[str]:
        """Return the names of the database's tables, sorted."""
        rows = self.query_rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'iox'"
        )
        return sorted(str(row["table_name"]) for row in rows)

    def write_columns(
        self,
        schema: TableSchema,
        table: pa.Table,
        *,
        no_sync: bool = False,
        not_a_number: NotANumber = "refuse",
    ) -> WriteReport:
        """Write Arrow columns and return when the server has them safe.

        Args:
            schema: The table's declaration, which the columns must match.
            table: `time`, every tag and any of the fields; each row (tags and time) once.
            no_sync: Whether to return before they are on the server's disk.
            not_a_number: Whether NaN and infinities are refused, or written as nulls.

        Raises:
            InputError: If the columns do not match the declaration, or the database is missing.
            WriteRejected: If the server refuses lines; the others are stored.
            ServiceUnavailable: If it does not answer; a part of the rows may be stored.
        """
        blocks = encode_lines(schema, table, not_a_number=not_a_number)
        return self.write_lines(blocks, no_sync=no_sync)

    def write_lines(
        self, lines: bytes | Iterable[bytes], *, no_sync: bool = False, accept_partial: bool = True
    ) -> WriteReport:
        """Write line protocol with nanosecond timestamps.

        Args:
            lines: A block of whole lines, or several; each below 10 MiB.
            no_sync: Whether to return before they are on the server's disk.
            accept_partial: Whether the good lines of a block are stored although others are bad.

        Raises:
            InputError: If a block is too large, or the database is missing.
            WriteRejected: If the server refuses lines; `line_errors` counts lines over all blocks.
            ServiceUnavailable: If it does not answer; its context counts the rows that are known
                to be stored, and the log names the lines refused before.
        """
        blocks = iter((lines,)) if isinstance(lines, bytes) else iter(lines)
        tally = _Tally()
        with ThreadPoolExecutor(self._in_flight, "influxdb-write") as pool:
            pending: set[Future[_Tally]] = set()
            try:
                for first_line, block in _numbered(blocks):
                    self._require_database()
                    if len(pending) >= self._in_flight:
                        pending = _collect(pending, tally)
                    pending.add(
                        pool.submit(self._write_block, block, first_line, no_sync, accept_partial)
                    )
                while pending:
                    pending = _collect(pending, tally)
            except StackError as error:
                error.context.update(stored_at_least=tally.rows, refused=len(tally.refused))
                for entry in sorted(tally.refused):
                    _log.warning("InfluxDB refused line %d: %s", entry.line_number, entry.message)
                raise
            finally:
                for future in pending:
                    future.cancel()
        if tally.refused:
            tally.refused.sort()
            first = tally.refused[0]
            raise WriteRejected(
                f"InfluxDB refused {len(tally.refused)} lines and stored {tally.rows}; "
                f"line {first.line_number}: {first.message}",
                line_errors=tuple(tally.refused),
                stored=tally.rows,
            )
        return tally.report()

    def query(self, sql: str, params: Mapping[str, Parameter] | None = None) -> pa.Table:
        """Return a query's result; text is plain strings, times are timestamp[ns] in UTC.

        Args:
            sql: One SELECT; `$name` stands for a parameter.
            params: The parameters' values.

        Raises:
            QueryError: If the server refuses it.
            FileLimitExceeded: If it spans more files than the server reads.
            ServiceUnavailable: If the server does not answer.
        """
        for name, value in (params or {}).items():
            if not isinstance(value, str | int | float | bool | None):
                raise InputError(
                    f"the parameter {name} is a {type(value).__name__}; expected text, a number, "
                    "a boolean or None"
                )

        def ask() -> pa.Table:
            from influxdb_client_3.exceptions.exceptions import InfluxDB3ClientQueryError

            try:
                return self._connected().query(
                    sql, language="sql", mode="all", query_parameters=dict(params or {})
                )
            except (InfluxDB3ClientQueryError, pa.ArrowException) as error:
                cause = error.__context__ or error
                raise query_failure(self.url, self.database, cause) from error

        return _plain_table(self.retried(ask))

    def query_rows(
        self, sql: str, params: Mapping[str, Parameter] | None = None
    ) -> list[dict[str, Any]]:
        """Return a query's result as rows; times are int nanoseconds UTC. Raises as `query`."""
        table = self.query(sql, params)
        for index, column in enumerate(table.schema):
            if pa.types.is_timestamp(column.type):
                numbers = table.column(index).cast(pa.int64())
                table = table.set_column(index, column.name, numbers)
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    def query_pandas(self, sql: str, params: Mapping[str, Parameter] | None = None) -> pd.DataFrame:
        """Return a query's result as a pandas frame. Raises as `query`."""
        return self.query(sql, params).to_pandas()

    def _write_block(
        self, block: bytes, first_line: int, no_sync: bool, accept_partial: bool
    ) -> _Tally:
        from influxdb_client_3.exceptions.exceptions import InfluxDBError
        from urllib3.exceptions import HTTPError

        tally = _Tally()

        def send() -> None:
            tally.requests += 1
            try:
                self._connected().write(block, no_sync=no_sync, accept_partial=accept_partial)
            except InfluxDBError as error:
                raise write_failure(self.url, error) from error
            except (HTTPError, OSError) as error:
                raise no_answer(self.url, error) from error

        rows = count_lines(block)
        try:
            self.retried(send)
        except WriteRejected as error:
            if not error.line_errors:
                raise
            tally.refused = [
                entry._replace(line_number=entry.line_number + first_line)
                for entry in error.line_errors
            ]
            rows = rows - len(error.line_errors) if accept_partial else 0
        tally.rows, tally.bytes = rows, len(block)
        return tally

    def _require_database(self) -> None:
        """Refuse to write to a database that a write would make by accident."""
        if self._database_seen:
            return
        try:
            names = self.list_databases()
        except CredentialsRejected as error:
            _log.debug("this token may not list databases: %s", error)
        else:
            if self.database not in names:
                raise InputError(
                    f"InfluxDB at {self.url} has no database {self.database!r}",
                    next_step="Create it first, or check the name.",
                )
        self._database_seen = True

    def _connected(self) -> Any:
        with self._transport_lock:
            if self._transport is None:
                from influxdb_client_3 import InfluxDBClient3

                milliseconds = int(self.timeout_s * 1000)
                options = [("grpc.enable_http_proxy", 0)] if self.is_local else []
                make: Callable[..., Any] = InfluxDBClient3
                self._transport = make(
                    host=self.url,
                    database=self.database,
                    token=_NO_TOKEN if self.token is None else self.token.reveal(),
                    auth_scheme="Bearer",
                    write_use_v2_api=False,
                    write_timeout=milliseconds,
                    query_timeout=milliseconds,
                    flight_client_options={"generic_options": options},
                    connection_pool_maxsize=self._in_flight,
                )
            return self._transport


def _collect(pending: set[Future[_Tally]], tally: _Tally) -> set[Future[_Tally]]:
    """Wait for at least one block, add up what is done and return what is still under way."""
    done, rest = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        one = future.result()
        tally.rows += one.rows
        tally.bytes += one.bytes
        tally.requests += one.requests
        tally.refused += one.refused
    return rest


def _numbered(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each block that holds something with the number of lines before it."""
    lines = 0
    for block in blocks:
        if len(block) > REQUEST_LIMIT_BYTES:
            raise InputError(
                f"a block has {len(block)} bytes, and InfluxDB takes {REQUEST_LIMIT_BYTES}",
                next_step="Send it in several blocks of whole lines.",
            )
        if block.strip():
            yield lines, block
        lines += block.count(b"\n") + (not block.endswith(b"\n"))


def _plain_table(table: pa.Table) -> pa.Table:
    """Return the table with text as plain strings and times in nanoseconds without a zone."""
    fields = []
    for column in table.schema:
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            kind = pa.string()
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("ns")
        fields.append(pa.field(column.name, kind))
    return table.cast(pa.schema(fields))
