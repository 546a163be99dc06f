"""Run SQL over a store's databases with DataFusion, the engine that InfluxDB 3 itself uses."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from datafusion import DataFrame, SessionConfig, SessionContext, SQLOptions

from infrastructure.errors import QueryError, StackError
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.embedded.table import Table

CATALOG, SCHEMA = "public", "iox"
Parameter = str | int | float | bool | None

_PARTITIONS = 2
_READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)


class UnsupportedQuery(QueryError):
    """Report SQL that is valid, but that this engine cannot run."""


class QueryFailed(StackError):
    """Report a query that was accepted, but failed while it ran."""


@dataclass(slots=True)
class _Session:
    context: SessionContext
    lock: threading.Lock = field(default_factory=threading.Lock)
    versions: dict[str, tuple[Table, int, pa.Schema]] = field(default_factory=dict)


class QueryEngine:
    """Answer queries; each sees all writes that were acknowledged before it.

    Args:
        store: Whose databases are queried.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def run(
        self, database: str, sql: str, parameters: Mapping[str, Parameter] | None = None
    ) -> pa.Table:
        """Return the whole result, in the types that every client reads.

        Text is plain Utf8 (never dictionaries, views or large strings) and timestamps are
        nanoseconds without a zone.

        Args:
            database: An existing database.
            sql: One statement that only reads.
            parameters: Values for `$name`.

        Raises:
            UnknownDatabase: If the database does not exist.
            QueryError: If the statement is wrong, or would change something.
            UnsupportedQuery: If the engine does not implement it.
            QueryFailed: If it fails while it runs.
        """
        frame = self._plan(database, sql, parameters)
        try:
            batches = frame.collect()
        except Exception as error:
            raise _translated(error, QueryFailed) from error
        schema = plain_schema(frame.schema())
        try:
            return pa.Table.from_batches([_plain(batch, schema) for batch in batches], schema)
        except pa.ArrowInvalid as error:
            raise QueryFailed(f"a value does not fit its column: {error}") from error

    def schema(
        self, database: str, sql: str, parameters: Mapping[str, Parameter] | None = None
    ) -> pa.Schema:
        """Return the schema that `run` would return; raises as `run` does before it runs."""
        return plain_schema(self._plan(database, sql, parameters).schema())

    def _plan(
        self, database: str, sql: str, parameters: Mapping[str, Parameter] | None
    ) -> DataFrame:
        tables = self._store.tables(database)
        session = self._session(database)
        with session.lock:
            self._refresh(session, tables, sql)
            try:
                return session.context.sql_with_options(
                    sql, _READ_ONLY, param_values=dict(parameters or {})
                )
            except Exception as error:
                raise _translated(error, QueryError) from error

    def _session(self, database: str) -> _Session:
        with self._lock:
            if database not in self._sessions:
                config = (
                    SessionConfig()
                    .with_information_schema(True)
                    .with_default_catalog_and_schema(CATALOG, SCHEMA)
                    .with_target_partitions(_PARTITIONS)
                )
                self._sessions[database] = _Session(SessionContext(config))
            return self._sessions[database]

    def _refresh(self, session: _Session, tables: dict[str, Table], sql: str) -> None:
        """Bring the session's tables up to date: those that the statement may read."""
        for name in session.versions.keys() - tables.keys():
            session.context.deregister_table(_quoted(name))
            del session.versions[name]
        text = sql.lower()
        for name, table in tables.items():
            known = session.versions.get(name)
            same = known is not None and known[0] is table
            if same and known is not None and known[1] == table.version:
                continue
            mentioned = name.lower() in text or '"' in name
            if same and known is not None and not mentioned and known[2] == table.schema():
                continue
            version, schema, batches = table.view()
            if known is not None:
                session.context.deregister_table(_quoted(name))
            partitions = [batches[start::_PARTITIONS] for start in range(_PARTITIONS)]
            filled = [part for part in partitions if part] or [[_no_rows(schema)]]
            session.context.register_record_batches(_quoted(name), filled)
            session.versions[name] = (table, version, schema)


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
        return pa.timestamp("ns")
    return kind


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([], column.type) for column in schema], schema=schema
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _translated(
    error: Exception, otherwise: type[QueryError] | type[QueryFailed]
) -> QueryError | QueryFailed:
    text = str(error).removeprefix("DataFusion error: ")
    if text.startswith("This feature is not implemented"):
        return UnsupportedQuery(text)
    return otherwise(text)
