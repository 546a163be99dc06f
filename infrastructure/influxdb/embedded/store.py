"""The store: acknowledged writes are in the log and in memory; flushes move them into parts."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import (
    CorruptStore,
    LineError,
    OperatorError,
    ServiceUnavailable,
)
from infrastructure.influxdb.embedded.batch import Columns, TableBatch, fit, unpack
from infrastructure.influxdb.embedded.catalog import (
    Catalog,
    Database,
    load_catalog,
    named_parts,
    parts_folder,
    remove_leftovers,
    save_catalog,
)
from infrastructure.influxdb.embedded.commands import (
    Change,
    Write,
    WriteResult,
    fail,
    log_failure,
)
from infrastructure.influxdb.embedded.folder_lock import lock_folder
from infrastructure.influxdb.embedded.parts import Part
from infrastructure.influxdb.embedded.records import decode_record, encode_record, write_record
from infrastructure.influxdb.embedded.refusals import (
    AlreadyExists,
    UnknownDatabase,
    UnknownTable,
    storage_error,
)
from infrastructure.influxdb.embedded.table import Table
from infrastructure.influxdb.embedded.wal import WriteAheadLog
from infrastructure.influxdb.parse import ParsedBody
from infrastructure.logging import get_logger

FLUSH_ROWS = 250_000
FLUSH_LOG_BYTES = 64 * 1024 * 1024
GROUP_BYTES = 32 * 1024 * 1024
FLUSH_PAUSE_S = 5.0

_log = get_logger(__name__)


class Store:
    """One data folder, opened by one process.

    One thread commits: it takes all waiting writes, appends them to the log with one sync,
    applies them to the tables and then answers.

    Args:
        folder: The data folder; made if missing.
        clock: Tells the time of lines without a timestamp.
        flush_rows: Rows in memory that start a flush.
        flush_log_bytes: Bytes of the log's open segment that start a flush.

    Raises:
        StoreLocked: If another process has the folder open.
        StoreNewer: If a newer version wrote it.
        CorruptStore: If the catalog or the log does not match its checksums.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        flush_rows: int = FLUSH_ROWS,
        flush_log_bytes: int = FLUSH_LOG_BYTES,
    ) -> None:
        self.clock = clock or SystemClock()
        self.folder = folder
        self._flush_rows = flush_rows
        self._flush_log_bytes = flush_log_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder_lock = lock_folder(folder)
        try:
            self._catalog = load_catalog(folder)
            self._wal = WriteAheadLog(folder / "wal", self._catalog.first_segment)
            remove_leftovers(folder, named_parts(self._catalog))
            self._replay()
            if not (folder / "catalog.json").exists():
                save_catalog(folder, self._catalog)
        except BaseException:
            os.close(self._folder_lock)
            raise
        self._queue: queue.SimpleQueue[Write | Change | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Event()
        self._put_lock = threading.Lock()
        self._flush_lock = threading.Lock()
        self._flush_wanted = threading.Event()
        self._committer = threading.Thread(
            target=self._commit_forever, name="committer", daemon=True
        )
        self._flusher = threading.Thread(target=self._flush_forever, name="flusher", daemon=True)
        self._committer.start()
        self._flusher.start()

    def write(
        self, database: str, body: ParsedBody, *, accept_partial: bool = True, wait: bool = True
    ) -> WriteResult:
        """Store the good lines of a body; the database and its tables are made if missing.

        Args:
            database: A valid name.
            body: The parsed lines.
            accept_partial: Whether good lines are stored although others are not.
            wait: Whether to return only when the lines are safe on the disk.

        Raises:
            DiskFull: If the log could not be written for want of space; nothing is stored.
            OperatorError: If it could not be written at all; nothing is stored.
            ServiceUnavailable: If the store is closing.
        """
        command = Write(database, body, accept_partial)
        self._put(command)
        if not wait:
            command.done.add_done_callback(log_failure)
            return WriteResult(0, list(body.errors))
        return command.done.result()

    def database_names(self) -> list[str]:
        """Return the names of the databases, sorted."""
        return sorted(self._catalog.databases)

    def tables(self, database: str) -> dict[str, Table]:
        """Return a database's tables by name.

        Raises:
            UnknownDatabase: If it does not exist.
        """
        return dict(self._database(database).tables)

    def create_database(self, name: str) -> None:
        """Make a database.

        Raises:
            AlreadyExists: If it exists.
        """

        def check() -> None:
            if name in self._catalog.databases:
                raise AlreadyExists(f"attempted to create a resource that already exists: {name}")

        self._change({"op": "create_database", "database": name}, check)

    def drop_database(self, name: str) -> None:
        """Delete a database with its tables.

        Raises:
            UnknownDatabase: If it does not exist.
        """
        record = {"op": "drop_database", "database": name}
        self._change(record, lambda: self._database(name))
        self.flush()

    def create_table(self, database: str, table: str, columns: Columns) -> None:
        """Make a table; its database is made if missing.

        Raises:
            AlreadyExists: If it exists.
        """

        def check() -> None:
            known = self._catalog.databases.get(database)
            if known is not None and table in known.tables:
                raise AlreadyExists(f"attempted to create a resource that already exists: {table}")

        columns_entry = list(columns.items())
        record = {
            "op": "create_table", "database": database, "table": table, "columns": columns_entry,
        }  # fmt: skip
        self._change(record, check)

    def drop_table(self, database: str, table: str) -> None:
        """Delete a table with its rows.

        Raises:
            UnknownDatabase: If the database does not exist.
            UnknownTable: If the table does not exist.
        """

        def check() -> None:
            if table not in self._database(database).tables:
                raise UnknownTable(f"table not found: {table}")

        self._change({"op": "drop_table", "database": database, "table": table}, check)
        self.flush()

    def flush(self) -> None:
        """Move all rows that are only in the log into parts, and drop the log that held them.

        Raises:
            DiskFull: If the parts could not be written; the log still holds all rows.
            OperatorError: If they could not be written for another reason.
        """
        with self._flush_lock:
            published: list[tuple[Table, list[Part]]] = []
            try:
                segment, catalog = self._change_quietly(self._freeze)
                for database in catalog.databases.values():
                    for table in database.tables.values():
                        place = parts_folder(self.folder, database, table)
                        published.append((table, table.write_parts(place, segment)))
                named = self._change_quietly(lambda: self._publish(segment, published))
                remove_leftovers(self.folder, named)
            except OSError as error:
                raise storage_error(
                    error, "move rows into Parquet parts", "the log still holds them"
                ) from error

    def close(self) -> None:
        """Flush, stop the threads and release the folder."""
        if self._closed:
            return
        try:
            self.flush()
        except OperatorError as error:
            _log.error("the last flush failed; the log keeps its rows: %s", error)
        with self._put_lock:
            self._closed = True
            self._queue.put(None)
        self._closing.set()
        self._flush_wanted.set()
        self._flusher.join()
        self._committer.join()
        self._wal.close()
        os.close(self._folder_lock)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _database(self, name: str) -> Database:
        try:
            return self._catalog.databases[name]
        except KeyError:
            raise UnknownDatabase(f"database not found: {name}") from None

    def _put(self, command: Write | Change) -> None:
        with self._put_lock:
            if self._closed:
                raise ServiceUnavailable("the store is closing")
            self._queue.put(command)

    def _change(self, record: dict[str, Any], check: Callable[[], object]) -> None:
        command = Change(record, check, lambda: self._apply_record(record, memoryview(b"")))
        self._put(command)
        command.done.result()

    def _change_quietly(self, effect: Callable[[], Any]) -> Any:
        command = Change(None, lambda: None, effect)
        self._put(command)
        return command.done.result()

    def _freeze(self) -> tuple[int, Catalog]:
        """Start a new log segment and set aside the rows that the older ones hold."""
        segment = self._wal.rotate()
        databases = {}
        for name, database in self._catalog.databases.items():
            for table in database.tables.values():
                table.freeze()
            databases[name] = Database(name, database.identifier, dict(database.tables))
        return segment, Catalog(databases)

    def _publish(self, segment: int, published: list[tuple[Table, list[Part]]]) -> set[Path]:
        for table, parts in published:
            table.publish(parts)
        self._catalog.first_segment = segment
        save_catalog(self.folder, self._catalog)
        self._wal.drop_before(segment)
        return named_parts(self._catalog)

    def _replay(self) -> None:
        count = 0
        for payload in self._wal.replay():
            head, data = decode_record(payload)
            self._apply_record(head, data)
            count += 1
        if count:
            _log.info("replayed %d log records", count)

    def _apply_record(self, head: dict[str, Any], data: memoryview) -> None:
        """Do what a log record says; doing it twice in the log's order changes nothing."""
        operation, name = head["op"], head["database"]
        databases = self._catalog.databases
        if operation == "drop_database":
            databases.pop(name, None)
            return
        if name not in databases:
            databases[name] = Database(name, self._catalog.new_identifier())
        tables = databases[name].tables
        if operation == "create_table":
            table = self._table(tables, head["table"])
            table.columns = {**table.columns, **dict(head["columns"])}
        elif operation == "drop_table":
            tables.pop(head["table"], None)
        elif operation == "write":
            at = 0
            for entry in head["tables"]:
                batch = unpack(entry, data[at : at + entry["bytes"]])
                self._table(tables, batch.table).apply(batch)
                at += entry["bytes"]
        elif operation != "create_database":
            raise CorruptStore(
                f"the log holds an unknown operation {operation!r}",
                next_step="Update the software: a newer version may have written the folder.",
            )

    def _table(self, tables: dict[str, Table], name: str) -> Table:
        if name not in tables:
            tables[name] = Table(name, self._catalog.new_identifier(), {})
        return tables[name]

    def _commit_forever(self) -> None:
        while True:
            writes: list[Write] = []
            size = 0
            command = self._queue.get()
            while isinstance(command, Write):
                writes.append(command)
                size += command.body.size
                if size >= GROUP_BYTES or self._queue.empty():
                    break
                command = self._queue.get()
            if writes:
                self._commit(writes)
            if isinstance(command, Change):
                self._carry_out(command)
            elif command is None:
                return

    def _commit(self, writes: list[Write]) -> None:
        """Log, apply and answer a group of writes."""
        try:
            accepted = self._accept(writes)
            if accepted:
                self._wal.append([payload for _, _, payload, _ in accepted])
                for write, batches, _, _ in accepted:
                    tables = self._tables_for_write(write.database)
                    for batch in batches:
                        self._table(tables, batch.table).apply(batch)
            for write, batches, _, errors in accepted:
                write.done.set_result(
                    WriteResult(sum(len(batch.rows) for batch in batches), errors)
                )
        except OSError as error:
            failure = storage_error(error, "write to the log", "nothing of it is stored")
            _log.error("%s", failure)
            fail(writes, failure)
        except Exception as error:
            _log.exception("a write failed in a way that nobody foresaw")
            fail(writes, error)
        if self._wal.size >= self._flush_log_bytes or self._hot_rows() >= self._flush_rows:
            self._flush_wanted.set()

    def _accept(
        self, writes: list[Write]
    ) -> list[tuple[Write, list[TableBatch], bytes, list[LineError]]]:
        """Fit each write to the columns that it will meet; answer those that store nothing."""
        drafts: dict[tuple[str, str], Columns] = {}
        accepted = []
        for write in writes:
            batches = []
            errors = list(write.body.errors)
            for lines in write.body.tables:
                known = drafts.get((write.database, lines.name))
                if known is None:
                    known = self._known_columns(write.database, lines.name)
                batch, refused = fit(lines, write.body, known)
                errors += refused
                if batch is not None:
                    batches.append(batch)
            errors.sort()
            if not batches or (errors and not write.accept_partial):
                write.done.set_result(WriteResult(0, errors))
                continue
            for batch in batches:
                drafts[write.database, batch.table] = batch.columns
            accepted.append((write, batches, write_record(write.database, batches), errors))
        return accepted

    def _known_columns(self, database: str, table: str) -> Columns:
        known = self._catalog.databases.get(database)
        if known is None or table not in known.tables:
            return {}
        return known.tables[table].columns

    def _tables_for_write(self, name: str) -> dict[str, Table]:
        databases = self._catalog.databases
        if name not in databases:
            databases[name] = Database(name, self._catalog.new_identifier())
        return databases[name].tables

    def _carry_out(self, change: Change) -> None:
        try:
            change.check()
            if change.record is not None:
                self._wal.append([encode_record(change.record)])
            result = change.effect()
        except OSError as error:
            change.done.set_exception(
                error
                if change.record is None
                else storage_error(error, "write to the log", "nothing is changed")
            )
        except Exception as error:
            change.done.set_exception(error)
        else:
            change.done.set_result(result)

    def _hot_rows(self) -> int:
        return sum(
            table.hot_rows
            for database in self._catalog.databases.values()
            for table in database.tables.values()
        )

    def _flush_forever(self) -> None:
        while True:
            self._flush_wanted.wait()
            if self._closed:
                return
            self._flush_wanted.clear()
            try:
                self.flush()
            except (OperatorError, ServiceUnavailable) as error:
                _log.error("a flush failed; the log keeps its rows: %s", error)
                self._closing.wait(FLUSH_PAUSE_S)
