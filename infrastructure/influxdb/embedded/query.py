"""Run SQL over a store's databases with DataFusion, the engine that InfluxDB 3 itself uses."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pyarrow as pa
from datafusion import DataFrame, SQLOptions

from infrastructure.errors import QueryError, StackError
from infrastructure.influxdb.embedded.limits import check_files, time_spans
from infrastructure.influxdb.embedded.memory import give_back_memory
from infrastructure.influxdb.embedded.parts import Part
from infrastructure.influxdb.embedded.sessions import CATALOG, SCHEMA, Session, open_session
from infrastructure.influxdb.embedded.sql_functions import CacheCall, GapFilling, rewrite
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.embedded.table import Table

__all__ = [
    "CATALOG", "SCHEMA", "Parameter", "QueryEngine", "QueryFailed", "UnsupportedQuery",
    "plain_schema",
]  # fmt: skip

Parameter = str | int | float | bool | None

SPILL_FOLDER = "spill"
_QUERY_SHARE = 4  # the work of a database's queries may take a quarter of the memory
_ROWS_SHARE = 2  # and so much the rows of a table, and a result
_UTC = (None, "UTC", "+00:00")
_READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)


class UnsupportedQuery(QueryError):
    """Report SQL that is valid, but that this engine cannot run."""


class QueryFailed(StackError):
    """Report a query that was accepted, but failed while it ran."""


class QueryEngine:
    """Answer queries; each sees all writes that were acknowledged before it.

    Args:
        store: Whose databases are queried.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def run(
        self, database: str, sql: str, parameters: Mapping[str, Parameter] | None = None
    ) -> pa.Table:
        """Return the whole result, in the types that every client reads.

        Text is plain Utf8 (never dictionaries, views or large strings) and timestamps are
        nanoseconds, without a zone unless `tz` gave them one.

        Args:
            database: An existing database.
            sql: One statement that only reads.
            parameters: Values for `$name`.

        Raises:
            UnknownDatabase: If the database does not exist.
            QueryError: If the statement is wrong, or would change something.
            UnsupportedQuery: If the engine does not implement it.
            QueryFailed: If it fails while it runs, or takes more memory than it may.
        """
        frame, cold = self._plan(database, sql, parameters)
        paths = [part.path for part in cold]
        try:
            return self._collected(frame)
        finally:
            self._store.pins.remove(paths)
            self._release_memory()

    def schema(
        self, database: str, sql: str, parameters: Mapping[str, Parameter] | None = None
    ) -> pa.Schema:
        """Return the schema that `run` would return; raises as `run` does before it runs."""
        frame, cold = self._plan(database, sql, parameters)
        self._store.pins.remove([part.path for part in cold])
        return plain_schema(frame.schema())

    def _collected(self, frame: DataFrame) -> pa.Table:
        most = self._store.limits.memory_bytes // _ROWS_SHARE
        schema = plain_schema(frame.schema())
        batches: list[pa.RecordBatch] = []
        size = 0
        try:
            for stream in frame.execute_stream_partitioned():
                for piece in stream:
                    batches.append(_plain(piece.to_pyarrow(), schema))
                    size += batches[-1].nbytes
                    if size > most:
                        raise QueryFailed(
                            f"the result takes more than the {most} bytes that a result may take: "
                            "ask for fewer rows or columns, or for a narrower time range"
                        )
        except (QueryFailed, QueryError):
            raise
        except pa.ArrowInvalid as error:
            raise QueryFailed(f"a value does not fit its column: {error}") from error
        except Exception as error:
            raise _translated(error, QueryFailed) from error
        return pa.Table.from_batches(batches, schema)

    def _plan(
        self, database: str, sql: str, parameters: Mapping[str, Parameter] | None
    ) -> tuple[DataFrame, list[Part]]:
        """Plan a statement; the parts that it reads from files are pinned."""
        try:
            text, calls = rewrite(sql)
        except GapFilling as error:
            raise UnsupportedQuery(error.message) from None
        tables = self._store.tables(database)
        session = self._session(database)
        with session.lock:
            caches = self._caches(calls, tables)
            cold = self._refreshed(session, database, tables, text)
            try:
                for name, batch in caches.items():
                    session.add(name, batch)
                frame = session.context.sql_with_options(
                    text, _READ_ONLY, param_values=dict(parameters or {})
                )
                self._check_core(frame, tables)
            except BaseException as error:
                self._store.pins.remove([part.path for part in cold])
                if isinstance(error, StackError) or not isinstance(error, Exception):
                    raise
                raise _translated(error, QueryError) from error
            finally:
                for name in caches:
                    session.remove(name)
            return frame, cold

    def _caches(
        self, calls: list[CacheCall], tables: Mapping[str, Table]
    ) -> dict[str, pa.RecordBatch]:
        now_ns = self._store.clock.now_ns()
        found = {}
        for call in calls:
            if call.table not in tables:
                raise QueryError(f"could not find table {call.table}")
            try:
                batch = tables[call.table].cache_table(call.kind, call.cache, now_ns)
            except KeyError:
                named = f" named {call.cache}" if call.cache else ", or several: name one"
                raise QueryError(
                    f"the table {call.table} has no {call.kind} value cache{named}"
                ) from None
            found[call.alias] = batch
        return found

    def _refreshed(
        self, session: Session, database: str, tables: dict[str, Table], sql: str
    ) -> list[Part]:
        """Bring the session up to date and pin the parts that it reads from files."""
        text = sql.lower()
        mentioned = {name for name in tables if name.lower() in text or '"' in name}
        oldest_ns = self._store.oldest_ns(database)
        most = self._store.limits.memory_bytes // _ROWS_SHARE
        while True:
            cold = session.refresh(tables, mentioned, oldest_ns, most)
            paths = [part.path for part in cold]
            self._store.pins.add(paths)
            current = {part.path for name in mentioned for part in tables[name].parts}
            if current.issuperset(paths):
                return cold
            self._store.pins.remove(paths)

    def _check_core(self, frame: DataFrame, tables: Mapping[str, Table]) -> None:
        if self._store.limits.strict is None:
            return
        for name, span in time_spans(frame.optimized_logical_plan().display_indent()).items():
            if name in tables:
                check_files(tables[name].times(), span)

    def _session(self, database: str) -> Session:
        with self._lock:
            if database not in self._sessions:
                memory = self._store.limits.memory_bytes // _QUERY_SHARE
                folder = self._store.folder / SPILL_FOLDER
                self._sessions[database] = open_session(folder, memory)
            return self._sessions[database]

    def _release_memory(self) -> None:
        """Forget the rows that queries loaded, once they take more memory than they may."""
        tables = self._store.state.tables()
        if sum(table.held_bytes for table in tables) <= self._store.limits.memory_bytes:
            return
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            session.release()
        for table in tables:
            table.release()
        give_back_memory()


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema with plain types, all nullable, without metadata of columns."""
    return pa.schema([pa.field(column.name, _plain_type(column.type)) for column in schema])


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        column if column.type == wanted.type else column.cast(wanted.type)
        for column, wanted in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ns", None if kind.tz in _UTC else kind.tz)
    return kind


def _translated(
    error: Exception, otherwise: type[QueryError] | type[QueryFailed]
) -> QueryError | QueryFailed:
    text = str(error).removeprefix("DataFusion error: ")
    if text.startswith("Resources exhausted"):
        return QueryFailed(f"the query takes more memory than it may: {text}")
    if text.startswith("This feature is not implemented"):
        return UnsupportedQuery(text)
    return otherwise(text)
