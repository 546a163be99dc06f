"""What a store holds in memory, and what its log records do to it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from threading import Lock
from typing import Any

from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore, LineError
from infrastructure.influxdb.embedded.batch import Columns, TableBatch, fit, unpack
from infrastructure.influxdb.embedded.caches import spec_of
from infrastructure.influxdb.embedded.catalog import Catalog, Database
from infrastructure.influxdb.embedded.commands import Write, WriteResult
from infrastructure.influxdb.embedded.limits import LimitExceeded, Limits
from infrastructure.influxdb.embedded.records import write_record
from infrastructure.influxdb.embedded.table import Table

Accepted = tuple[Write, list[TableBatch], bytes, list[LineError]]


class State:
    """Databases and tables; changed by one thread at a time.

    Args:
        catalog: What the folder holds.
        limits: What may be made.
        clock: Tells when a write arrived.
    """

    def __init__(self, catalog: Catalog, limits: Limits, clock: Clock) -> None:
        self.catalog = catalog
        self.limits = limits
        self._clock = clock
        for database in catalog.databases.values():
            for table in database.tables.values():
                table.strict = limits.strict

    def tables(self) -> list[Table]:
        """Return all tables of all databases."""
        databases = list(self.catalog.databases.values())
        return [table for database in databases for table in list(database.tables.values())]

    def hot_rows(self) -> int:
        """Return how many rows arrived since the last freeze."""
        return sum(table.hot_rows for table in self.tables())

    def apply_record(self, head: dict[str, Any], data: memoryview) -> None:
        """Do what a log record says; doing it twice in the log's order changes nothing.

        Raises:
            CorruptStore: If the record asks for something unknown.
        """
        operation, name = head["op"], head["database"]
        databases = self.catalog.databases
        if operation == "drop_database":
            databases.pop(name, None)
            return
        database = self._database(name)
        tables = database.tables
        if operation in ("create_database", "set_retention"):
            database.retention_ns = head.get("retention_ns", database.retention_ns)
        elif operation == "create_table":
            table = self._table(tables, head["table"])
            table.columns = {**table.columns, **dict(head["columns"])}
        elif operation == "drop_table":
            tables.pop(head["table"], None)
        elif operation == "create_cache":
            self._table(tables, head["table"]).caches.add(spec_of(head["cache"]))
        elif operation == "drop_cache":
            known = self._table(tables, head["table"]).caches.known
            known.pop((head["kind"], head["cache"]), None)
        elif operation == "write":
            at = 0
            batches = []
            for entry in head["tables"]:
                batches.append(unpack(entry, data[at : at + entry["bytes"]]))
                at += entry["bytes"]
            self.apply(name, batches)
        else:
            raise CorruptStore(
                f"the log holds an unknown operation {operation!r}",
                next_step="Update the software: a newer version may have written the folder.",
            )

    def apply(self, database: str, batches: list[TableBatch]) -> None:
        """Take in the rows of an acknowledged write."""
        tables = self._database(database).tables
        now_ns = self._clock.now_ns()
        for batch in batches:
            self._table(tables, batch.table).apply(batch, now_ns)

    def accept(self, writes: list[Write]) -> list[Accepted]:
        """Fit each write to the columns that it will meet; answer those that store nothing."""
        drafts: dict[tuple[str, str], Columns] = {}
        accepted: list[Accepted] = []
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
            try:
                self._check(write.database, batches, drafts)
            except LimitExceeded as error:
                write.done.set_exception(error)
                continue
            for batch in batches:
                drafts[write.database, batch.table] = batch.columns
            accepted.append((write, batches, write_record(write.database, batches), errors))
        return accepted

    def _check(
        self, database: str, batches: list[TableBatch], drafts: dict[tuple[str, str], Columns]
    ) -> None:
        """Refuse a write that would make more than the limits allow."""
        if self.limits.strict is None:
            return
        databases = self.catalog.databases
        self.limits.check_databases(len({*databases, *(name for name, _ in drafts), database}))
        names = {(name, table) for name in databases for table in databases[name].tables}
        names |= {*drafts, *((database, batch.table) for batch in batches)}
        for batch in batches:
            self.limits.check_table(len(names), len(batch.columns) + 1)

    def _known_columns(self, database: str, table: str) -> Columns:
        known = self.catalog.databases.get(database)
        if known is None or table not in known.tables:
            return {}
        return known.tables[table].columns

    def _database(self, name: str) -> Database:
        databases = self.catalog.databases
        if name not in databases:
            databases[name] = Database(name, self.catalog.new_identifier())
        return databases[name]

    def _table(self, tables: dict[str, Table], name: str) -> Table:
        if name not in tables:
            tables[name] = Table(name, self.catalog.new_identifier(), {}, self.limits.strict)
        return tables[name]


class Pins:
    """Part files that queries read at the moment, and that must not be deleted until then."""

    def __init__(self) -> None:
        self._counts: Counter[Path] = Counter()
        self._lock = Lock()

    def add(self, paths: list[Path]) -> None:
        """Keep files."""
        with self._lock:
            self._counts.update(paths)

    def remove(self, paths: list[Path]) -> None:
        """Keep files no longer."""
        with self._lock:
            self._counts.subtract(paths)
            self._counts += Counter()

    def held(self) -> set[Path]:
        """Return the files that are kept."""
        with self._lock:
            return set(self._counts)
