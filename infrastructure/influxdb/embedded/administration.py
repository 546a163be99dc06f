"""Make and drop databases, tables and caches: each a check, a log record and its effect."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from infrastructure.influxdb.embedded.batch import Columns
from infrastructure.influxdb.embedded.caches import CacheKind, CacheSpec, checked_spec
from infrastructure.influxdb.embedded.catalog import Database
from infrastructure.influxdb.embedded.refusals import (
    AlreadyExists,
    UnknownCache,
    UnknownDatabase,
    UnknownTable,
)
from infrastructure.influxdb.embedded.state import State
from infrastructure.influxdb.embedded.table import Table


class Administration:
    """The part of a store that changes its catalog."""

    state: State

    @abstractmethod
    def flush(self) -> None:
        """Move all rows into parts."""

    @abstractmethod
    def _change(self, record: dict[str, Any], check: Callable[[], object]) -> None:
        """Check, then log the record and apply it."""

    def database_names(self) -> list[str]:
        """Return the names of the databases, sorted."""
        return sorted(self.state.catalog.databases)

    def tables(self, database: str) -> dict[str, Table]:
        """Return a database's tables by name.

        Raises:
            UnknownDatabase: If it does not exist.
        """
        return dict(self._database(database).tables)

    def retention_ns(self, database: str) -> int | None:
        """Return how old a database's rows may become, None if they are kept for ever.

        Raises:
            UnknownDatabase: If it does not exist.
        """
        return self._database(database).retention_ns

    def create_database(self, name: str, retention_ns: int | None = None) -> None:
        """Make a database.

        Args:
            name: A valid name.
            retention_ns: How old its rows may become; None keeps them for ever.

        Raises:
            AlreadyExists: If it exists.
            LimitExceeded: If there would be too many.
        """

        def check() -> None:
            databases = self.state.catalog.databases
            if name in databases:
                raise AlreadyExists(f"attempted to create a resource that already exists: {name}")
            self.state.limits.check_databases(len(databases) + 1)

        self._change({"op": "create_database", "database": name, "retention_ns": retention_ns},
                     check)  # fmt: skip

    def set_retention(self, name: str, retention_ns: int | None) -> None:
        """Change how old a database's rows may become.

        Raises:
            UnknownDatabase: If it does not exist.
        """
        record = {"op": "set_retention", "database": name, "retention_ns": retention_ns}
        self._change(record, lambda: self._database(name))

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
            LimitExceeded: If it has too many columns, or there are too many tables.
        """

        def check() -> None:
            databases = self.state.catalog.databases
            known = databases.get(database)
            if known is not None and table in known.tables:
                raise AlreadyExists(f"attempted to create a resource that already exists: {table}")
            self.state.limits.check_databases(len({*databases, database}))
            self.state.limits.check_table(len(self.state.tables()) + 1, len(columns) + 1)

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
        record = {"op": "drop_table", "database": database, "table": table}
        self._change(record, lambda: self.table(database, table))
        self.flush()

    def create_cache(
        self, kind: CacheKind, database: str, table: str, given: dict[str, Any]
    ) -> CacheSpec | None:
        """Make a cache and return its definition, None if the same one is there.

        Raises:
            UnknownDatabase: If the database does not exist.
            UnknownTable: If the table does not exist.
            AlreadyExists: If another cache has the name.
            InputError: If the definition does not fit the table.
        """
        found = self.table(database, table)
        spec = checked_spec(kind, given, table, found.columns)
        known = found.caches.known.get((kind, spec.name))
        if known is not None and known.spec == spec:
            return None

        def check() -> None:
            if (kind, spec.name) in self.table(database, table).caches.known:
                raise AlreadyExists(
                    f"attempted to create a resource that already exists: {spec.name}"
                )

        record = {
            "op": "create_cache", "database": database, "table": table, "cache": spec.as_dict(),
        }  # fmt: skip
        self._change(record, check)
        return spec

    def drop_cache(self, kind: CacheKind, database: str, table: str, name: str) -> None:
        """Delete a cache.

        Raises:
            UnknownDatabase: If the database does not exist.
            UnknownTable: If the table does not exist.
            UnknownCache: If the cache does not exist.
        """

        def check() -> None:
            if (kind, name) not in self.table(database, table).caches.known:
                raise UnknownCache(f"cache not found: {name}")

        record = {
            "op": "drop_cache", "database": database, "table": table, "kind": kind, "cache": name,
        }  # fmt: skip
        self._change(record, check)

    def table(self, database: str, table: str) -> Table:
        """Return a table.

        Raises:
            UnknownDatabase: If the database does not exist.
            UnknownTable: If the table does not exist.
        """
        try:
            return self._database(database).tables[table]
        except KeyError:
            raise UnknownTable(f"table not found: {table}") from None

    def _database(self, name: str) -> Database:
        try:
            return self.state.catalog.databases[name]
        except KeyError:
            raise UnknownDatabase(f"database not found: {name}") from None
