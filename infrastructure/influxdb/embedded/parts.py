"""Parquet parts: sorted rows of one table and one span of time, written once, never changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infrastructure.errors import CorruptStore
from infrastructure.influxdb.embedded.faults import reach
from infrastructure.influxdb.embedded.rows import Rows, merge
from infrastructure.influxdb.grammar import SeriesKey

TIME = "time"
ROW_GROUP_ROWS = 65_536
"""Rows that are encoded in memory before they go to the file."""
_TIME_TYPE = pa.timestamp("ns")
_KIND = b"iox::column::type"

SeriesNumber = Callable[[SeriesKey], int]


@dataclass(slots=True)
class Part:
    """One Parquet file of a table.

    Attributes:
        path: The file.
        rows: How many rows it holds.
        first_ns: Its earliest time.
        last_ns: Its latest time; parts of a table do not overlap in time.
    """

    path: Path
    rows: int
    first_ns: int
    last_ns: int
    _cache: Rows | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def load(self, tags: list[str], number: SeriesNumber) -> Rows:
        """Return the rows, sorted by series and time; they are kept in memory after the first call.

        Args:
            tags: The table's tags.
            number: Gives a tag set its number in the table.

        Raises:
            CorruptStore: If the file cannot be read or does not match its checksums.
        """
        with self._lock:
            if self._cache is None:
                self._cache = _read(self.path, tags, number)
            return self._cache

    @property
    def held_bytes(self) -> int:
        """Return how much memory the rows take that are kept after the first `load`."""
        cache = self._cache
        return 0 if cache is None else cache.nbytes

    def release(self) -> None:
        """Keep the rows in memory no longer."""
        with self._lock:
            self._cache = None


def write_part(path: Path, rows: Rows, tag_columns: Mapping[str, pa.Array]) -> Part:
    """Write merged rows to a new part: to a temporary file, synced, then renamed.

    Args:
        path: The part's file; it does not exist yet.
        rows: At least one row, merged.
        tag_columns: Tag to its value in each row.
    """
    arrays = [*tag_columns.values(), pa.array(rows.time).cast(_TIME_TYPE), *rows.fields.values()]
    names = [*tag_columns, TIME, *rows.fields]
    _make_folder(path.parent)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(
                pa.table(arrays, names),
                file,
                compression="snappy",
                write_page_checksum=True,
                row_group_size=ROW_GROUP_ROWS,
            )
            file.flush()
            os.fsync(file.fileno())
        reach("part.written")
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    reach("part.renamed")
    part = Part(path, len(rows), int(rows.time.min()), int(rows.time.max()))
    part._cache = rows
    return part


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir()
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, tags: list[str], number: SeriesNumber) -> Rows:
    try:
        table = pq.read_table(
            path, page_checksum_verification=True, partitioning=None, memory_map=False
        ).combine_chunks()
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise CorruptStore(
            f"the part {path} cannot be read: {error}",
            next_step="Restore the data folder from a backup, or move it away and write its "
            "rows anew: what an archive was projected into is rebuilt by the next run.",
        ) from error
    held = [tag for tag in tags if tag in table.column_names]
    series = _series_numbers(table, held, number)
    time = table.column(TIME).cast(pa.int64()).to_numpy()
    fields = {
        name: table.column(name).combine_chunks()
        for name in table.column_names
        if name != TIME and name not in held
    }
    return merge([Rows(series, time, fields)], {name: v.type for name, v in fields.items()})


def _series_numbers(table: pa.Table, tags: list[str], number: SeriesNumber) -> np.ndarray:
    if not table.num_rows or not tags:
        return np.full(table.num_rows, number(()), np.int32)
    codes = np.zeros(table.num_rows, np.int64)
    for tag in tags:
        coded = table.column(tag).combine_chunks()
        if not pa.types.is_dictionary(coded.type):
            coded = coded.dictionary_encode()
        indexes = coded.indices.fill_null(len(coded.dictionary)).to_numpy()
        codes = codes * (len(coded.dictionary) + 1) + indexes
        codes = np.unique(codes, return_inverse=True)[1]
    _, firsts = np.unique(codes, return_index=True)
    rows = table.select(tags).take(pa.array(firsts)).to_pylist()
    numbers = [
        number(tuple(sorted((tag, row[tag]) for tag in tags if row[tag] is not None)))
        for row in rows
    ]
    return np.array(numbers, np.int32)[codes]
