"""One DataFusion session a database, whose tables follow the store's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from datafusion import DataFrame, RuntimeEnvBuilder, SessionConfig, SessionContext

from infrastructure.influxdb.embedded.parts import Part
from infrastructure.influxdb.embedded.table import Table, View

CATALOG, SCHEMA = "public", "iox"
PARTITIONS = 2


@dataclass(slots=True)
class Session:
    """A database's session.

    Attributes:
        context: The engine's.
        lock: Held while tables are registered and a statement is planned.
        views: What is registered, by table.
    """

    context: SessionContext
    lock: threading.Lock = field(default_factory=threading.Lock)
    views: dict[str, tuple[Table, View]] = field(default_factory=dict)

    def refresh(
        self,
        tables: Mapping[str, Table],
        mentioned: set[str],
        oldest_ns: int | None,
        memory_bytes: int,
    ) -> list[Part]:
        """Bring the tables up to date, those that are mentioned with their rows.

        Returns:
            Parts that a plan would read from their files.
        """
        cold: list[Part] = []
        for name in self.views.keys() - tables.keys():
            self._forget(name)
        for name, table in tables.items():
            known = self.views.get(name)
            same = known is not None and known[0] is table
            if name not in mentioned:
                schema = table.schema()
                if not same or known is None or known[1].schema != schema:
                    self._register(name, table, View((-1, None), schema, []))
                continue
            view = table.view(oldest_ns, memory_bytes)
            if not same or known is None or known[1] is not view:
                self._register(name, table, view)
            cold += view.cold
        return cold

    def release(self) -> None:
        """Forget all tables, and with them their rows."""
        with self.lock:
            for name in list(self.views):
                self._forget(name)

    def add(self, name: str, batch: pa.RecordBatch) -> None:
        """Register a table of one batch."""
        self.context.register_record_batches(quoted(name), [[batch]])

    def remove(self, name: str) -> None:
        """Take a table out that `add` put in."""
        self.context.deregister_table(quoted(name))

    def _forget(self, name: str) -> None:
        self.context.deregister_table(quoted(name))
        del self.views[name]

    def _register(self, name: str, table: Table, view: View) -> None:
        if name in self.views:
            self._forget(name)
        partitions = [view.batches[start::PARTITIONS] for start in range(PARTITIONS)]
        filled = [part for part in partitions if part] or [[_no_rows(view.schema)]]
        if view.cold:
            hidden = f"\0{name}"
            self.context.register_record_batches(quoted(hidden), filled)
            frame = self.context.table(quoted(hidden))
            for part in view.cold:
                frame = frame.union(self._read(part, view.schema))
            self.context.deregister_table(quoted(hidden))
            self.context.register_view(quoted(name), frame)
        else:
            self.context.register_record_batches(quoted(name), filled)
        self.views[name] = (table, view)

    def _read(self, part: Part, schema: pa.Schema) -> DataFrame:
        return self.context.read_parquet(part.path, schema=schema)


def open_session(spill_folder: Path, memory_bytes: int) -> Session:
    """Make a session.

    Args:
        spill_folder: Where sorts and groups go that take more memory; made if missing.
        memory_bytes: What the work of queries may take.
    """
    spill_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    runtime = (
        RuntimeEnvBuilder()
        .with_disk_manager_specified(spill_folder)
        .with_fair_spill_pool(memory_bytes)
    )
    config = (
        SessionConfig()
        .with_information_schema(True)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_target_partitions(PARTITIONS)
        .with_parquet_pruning(True)
        .set("datafusion.execution.parquet.pushdown_filters", "true")
        # Each partition of a sort sets this aside; the default of 10 MB would fill a small pool.
        .set("datafusion.execution.sort_spill_reservation_bytes", str(memory_bytes // 16))
    )
    return Session(SessionContext(config, runtime))


def quoted(name: str) -> str:
    """Return a name as SQL takes it literally."""
    return '"' + name.replace('"', '""') + '"'


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([], column.type) for column in schema], schema=schema
    )
