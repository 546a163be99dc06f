"""The store: acknowledged writes are in the log and in memory; flushes move them into parts."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import OperatorError, ServiceUnavailable
from infrastructure.influxdb.embedded.administration import Administration
from infrastructure.influxdb.embedded.catalog import (
    FILE_NAME,
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
from infrastructure.influxdb.embedded.faults import reach
from infrastructure.influxdb.embedded.folder_lock import lock_folder
from infrastructure.influxdb.embedded.limits import Limits
from infrastructure.influxdb.embedded.memory import give_back_memory
from infrastructure.influxdb.embedded.parts import Part
from infrastructure.influxdb.embedded.records import decode_record, encode_record
from infrastructure.influxdb.embedded.refusals import storage_error
from infrastructure.influxdb.embedded.state import Pins, State
from infrastructure.influxdb.embedded.table import Table
from infrastructure.influxdb.embedded.wal import WriteAheadLog
from infrastructure.influxdb.parse import ParsedBody
from infrastructure.logging import get_logger

NOT_STARTED = "the server is not started"
GROUP_BYTES = 32 * 1024 * 1024
FLUSH_PAUSE_S = 5.0
SWEEP_S = 1800.0  # Core's own period of looking for expired rows
HOT_SHARE = 4  # rows that are not in parts may take a quarter of the memory
ROOM_S = 30.0
ROOM_PAUSE_S = 0.1

_log = get_logger(__name__)


class Store(Administration):
    """One data folder, opened by one process.

    One thread commits: it takes all waiting writes, appends them to the log with one sync,
    applies them to the tables and then answers.

    Args:
        folder: The data folder; made if missing.
        clock: Tells the time of lines without a timestamp.
        limits: What it takes.

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
        limits: Limits | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.folder = folder
        self.limits = limits or Limits()
        self.pins = Pins()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder_lock = lock_folder(folder)
        except OSError as error:
            raise storage_error(error, f"open the data folder {folder}", NOT_STARTED) from error
        try:
            self._recover()
        except OSError as error:
            os.close(self._folder_lock)
            raise storage_error(error, f"recover {folder}", NOT_STARTED) from error
        except BaseException:
            os.close(self._folder_lock)
            raise
        self._queue: queue.SimpleQueue[Write | Change | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Event()
        self._room = threading.Condition()
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
            ServiceUnavailable: If the store is closing, or rows arrive faster than they can be
                moved out of the memory that they may take.
        """
        self._wait_for_room()
        command = Write(database, body, accept_partial)
        self._put(command)
        if not wait:
            command.done.add_done_callback(log_failure)
            return WriteResult(0, list(body.errors))
        return command.done.result()

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
                reach("flush.frozen")
                now_ns = self.clock.now_ns()
                for database in catalog.databases.values():
                    oldest_ns = database.oldest_ns(now_ns)
                    for table in database.tables.values():
                        place = parts_folder(self.folder, database, table)
                        published.append((table, table.write_parts(place, segment, oldest_ns)))
                reach("flush.parts_written")
                named = self._change_quietly(lambda: self._publish(segment, published))
                reach("flush.published")
                with self._room:
                    self._room.notify_all()
                remove_leftovers(self.folder, named | self.pins.held())
                if sum(map(_held, self.state.tables())) > self.limits.memory_bytes:
                    for table in self.state.tables():
                        table.release()
                give_back_memory()
            except OSError as error:
                raise storage_error(
                    error, "move rows into Parquet parts", "the log still holds them"
                ) from error

    def oldest_ns(self, database: str) -> int | None:
        """Return the time before which a database's rows have expired; None if none do."""
        return self._database(database).oldest_ns(self.clock.now_ns())

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

    def _wait_for_room(self) -> None:
        """Hold a write back while the rows that are not in parts take too much memory."""
        most = self.limits.memory_bytes // HOT_SHARE
        if sum(table.hot_bytes for table in self.state.tables()) <= most:
            return
        self._flush_wanted.set()
        end_ns = self.clock.monotonic_ns() + int(ROOM_S * 1e9)
        while sum(table.hot_bytes for table in self.state.tables()) > most:
            if self._closed or self.clock.monotonic_ns() > end_ns:
                raise ServiceUnavailable(
                    f"rows take more than {most} bytes of memory and cannot be moved to the disk "
                    "fast enough; nothing of the write is stored"
                )
            with self._room:
                self._room.wait(ROOM_PAUSE_S)

    def _put(self, command: Write | Change) -> None:
        with self._put_lock:
            if self._closed:
                raise ServiceUnavailable("the store is closing")
            self._queue.put(command)

    def _change(self, record: dict[str, Any], check: Callable[[], object]) -> None:
        command = Change(record, check, lambda: self.state.apply_record(record, memoryview(b"")))
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
            databases[name] = Database(
                name, database.identifier, dict(database.tables), database.retention_ns
            )
        return segment, Catalog(databases)

    def _publish(self, segment: int, published: list[tuple[Table, list[Part]]]) -> set[Path]:
        for table, parts in published:
            table.publish(parts)
        self._catalog.first_segment = segment
        save_catalog(self.folder, self._catalog)
        self._wal.drop_before(segment)
        return named_parts(self._catalog)

    def _recover(self) -> None:
        """Read the folder, bring back what only the log holds, and see that it can be written."""
        self._catalog = load_catalog(self.folder)
        self.state = State(self._catalog, self.limits, self.clock)
        self._wal = WriteAheadLog(self.folder / "wal", self._catalog.first_segment)
        remove_leftovers(self.folder, named_parts(self._catalog))
        self._replay()
        if not (self.folder / FILE_NAME).exists():
            save_catalog(self.folder, self._catalog)

    def _replay(self) -> None:
        count = 0
        for payload in self._wal.replay():
            head, data = decode_record(payload)
            self.state.apply_record(head, data)
            count += 1
        if count:
            _log.info("replayed %d log records", count)

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
            accepted = self.state.accept(writes)
            if accepted:
                self._wal.append([payload for _, _, payload, _ in accepted])
                for write, batches, _, _ in accepted:
                    self.state.apply(write.database, batches)
                reach("commit.applied")
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
        limits = self.limits
        if self._wal.size >= limits.flush_log_bytes or self.state.hot_rows() >= limits.flush_rows:
            self._flush_wanted.set()

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

    def _expires(self) -> bool:
        databases = list(self._catalog.databases.values())
        return any(database.retention_ns is not None for database in databases)

    def _flush_forever(self) -> None:
        while True:
            due = self._flush_wanted.wait(SWEEP_S)
            if self._closed:
                return
            if not due and not self._expires():
                continue
            self._flush_wanted.clear()
            try:
                self.flush()
            except (OperatorError, ServiceUnavailable) as error:
                _log.error("a flush failed; the log keeps its rows: %s", error)
                self._closing.wait(FLUSH_PAUSE_S)


def _held(table: Table) -> int:
    return table.held_bytes
