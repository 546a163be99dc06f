"""The catalog file: which databases, tables, columns and parts the folder holds."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.errors import CorruptStore, StoreNewer
from infrastructure.influxdb.embedded.caches import spec_of
from infrastructure.influxdb.embedded.faults import reach
from infrastructure.influxdb.embedded.parts import Part, sync_folder
from infrastructure.influxdb.embedded.table import Table

FORMAT_VERSION = 2  # 2 adds retention and caches
FILE_NAME = "catalog.json"


@dataclass(slots=True)
class Database:
    """A database.

    Attributes:
        name: Its name.
        identifier: Its number in the store, which names its folder.
        tables: By name.
        retention_ns: How old rows may become; None keeps all.
    """

    name: str
    identifier: int
    tables: dict[str, Table] = field(default_factory=dict)
    retention_ns: int | None = None

    def oldest_ns(self, now_ns: int) -> int | None:
        """Return the time before which rows have expired, in whole seconds; None if none do."""
        if self.retention_ns is None:
            return None
        return (now_ns - self.retention_ns) // 1_000_000_000 * 1_000_000_000


@dataclass(slots=True)
class Catalog:
    """What the folder holds.

    Attributes:
        databases: By name.
        next_identifier: For the next database, table or part.
        first_segment: The oldest log segment whose records are not all in parts.
    """

    databases: dict[str, Database] = field(default_factory=dict)
    next_identifier: int = 1
    first_segment: int = 1

    def new_identifier(self) -> int:
        """Return a number that nothing else in this store has."""
        identifier = self.next_identifier
        self.next_identifier += 1
        return identifier


def parts_folder(folder: Path, database: Database, table: Table) -> Path:
    """Return where a table's parts lie."""
    return folder / "parts" / f"{database.identifier}" / f"{table.identifier}"


def load_catalog(folder: Path) -> Catalog:
    """Read the catalog, an empty one if the folder has none.

    Raises:
        StoreNewer: If a newer version of the software wrote it.
        CorruptStore: If it does not match its checksum.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return Catalog()
    text, _, checksum = path.read_bytes().rpartition(b"\n")
    if checksum != _checksum(text):
        raise CorruptStore(
            f"{path} does not match its checksum",
            next_step="Restore the data folder from a backup, or move it away and write its rows "
            "anew: what an archive was projected into is rebuilt by the next run.",
        )
    data = json.loads(text)
    if data["format_version"] > FORMAT_VERSION:
        raise StoreNewer(
            f"{folder} is of format {data['format_version']}, and this version reads "
            f"up to {FORMAT_VERSION}",
            next_step="Update the software, or name another folder.",
        )
    catalog = Catalog(next_identifier=data["next_identifier"], first_segment=data["first_segment"])
    for entry in data["databases"]:
        database = Database(entry["name"], entry["id"], retention_ns=entry.get("retention_ns"))
        catalog.databases[database.name] = database
        for item in entry["tables"]:
            table = Table(item["name"], item["id"], dict(item["columns"]))
            place = parts_folder(folder, database, table)
            table.parts = [
                Part(place / part["file"], part["rows"], part["first_ns"], part["last_ns"])
                for part in item["parts"]
            ]
            for definition in item.get("caches", ()):
                table.caches.add(spec_of(definition))
            database.tables[table.name] = table
    return catalog


def save_catalog(folder: Path, catalog: Catalog) -> None:
    """Replace the catalog file at once."""
    data = {
        "format_version": FORMAT_VERSION,
        "next_identifier": catalog.next_identifier,
        "first_segment": catalog.first_segment,
        "databases": [
            {
                "name": database.name,
                "id": database.identifier,
                "retention_ns": database.retention_ns,
                "tables": [_table_entry(table) for table in database.tables.values()],
            }
            for database in catalog.databases.values()
        ],
    }
    text = json.dumps(data, indent=1).encode()
    replace_file(folder / FILE_NAME, text + b"\n" + _checksum(text))


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        reach("catalog.written")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    reach("catalog.replaced")


def named_parts(catalog: Catalog) -> set[Path]:
    """Return the files of all parts that the catalog names."""
    return {
        part.path
        for database in catalog.databases.values()
        for table in database.tables.values()
        for part in table.parts
    }


def remove_leftovers(folder: Path, named: set[Path]) -> int:
    """Delete the part files that are not named and return how many they were."""
    leftovers = [
        path
        for path in (folder / "parts").rglob("*")
        if path.suffix in (".parquet", ".tmp") and path not in named
    ]
    for path in leftovers:
        path.unlink()
    return len(leftovers)


def _table_entry(table: Table) -> dict[str, object]:
    return {
        "name": table.name,
        "id": table.identifier,
        "columns": list(table.columns.items()),
        "caches": [cache.spec.as_dict() for cache in table.caches.known.values()],
        "parts": [
            {
                "file": part.path.name,
                "rows": part.rows,
                "first_ns": part.first_ns,
                "last_ns": part.last_ns,
            }
            for part in table.parts
        ],
    }


def _checksum(text: bytes) -> bytes:
    return f"crc32 {zlib.crc32(text):08x}".encode()
