"""One table in memory: its columns, its series, the rows not yet in parts, and its parts."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.influxdb.embedded.batch import IOX_TYPES, Columns, TableBatch, field_types
from infrastructure.influxdb.embedded.parts import TIME, Part, write_part
from infrastructure.influxdb.embedded.rows import Rows, merge, overlay
from infrastructure.influxdb.grammar import SeriesKey
from infrastructure.influxdb.parse import ARROW_TYPES

PART_ROWS = 500_000

_KIND_KEY = b"iox::column::type"
_TAG_TYPE = pa.dictionary(pa.int32(), pa.string())


class Table:
    """A table's state. `apply` is called by one thread at a time; `view` by any.

    Args:
        name: The table's name.
        identifier: Its number in the store, which names its folder.
        columns: Its tags and fields.
        parts: Its Parquet files, ascending in time.
    """

    def __init__(
        self, name: str, identifier: int, columns: Columns, parts: list[Part] | None = None
    ) -> None:
        self.name = name
        self.identifier = identifier
        self.columns = columns
        self.parts = parts or []
        self._series: dict[SeriesKey, int] = {}
        self._tag_codes: dict[str, dict[str, int]] = {}
        self._hot: list[Rows] = []
        self._frozen: list[Rows] = []
        self._version = 0
        self._lock = threading.RLock()
        self._view_lock = threading.Lock()
        self._view: tuple[int, pa.Schema, list[pa.RecordBatch]] | None = None

    @property
    def tags(self) -> list[str]:
        """Return the names of the tags."""
        return [name for name, kind in self.columns.items() if kind == "tag"]

    @property
    def version(self) -> int:
        """Return a number that grows with every change of rows or columns."""
        return self._version

    @property
    def hot_rows(self) -> int:
        """Return how many rows arrived since the last freeze."""
        return sum(map(len, self._hot))

    def apply(self, batch: TableBatch) -> None:
        """Take in the rows of an acknowledged write."""
        with self._lock:
            self.columns = {**self.columns, **batch.columns}
            numbers = np.array([self._number(key) for key in batch.series], np.int32)
            rows = batch.rows
            self._hot.append(Rows(numbers[rows.series], rows.time, rows.fields))
            self._version += 1

    def schema(self) -> pa.Schema:
        """Return the Arrow schema that queries see: columns by name, tags as dictionaries."""
        kinds = {**self.columns, TIME: None}
        fields = []
        for name, kind in sorted(kinds.items()):
            if kind is None:
                meta = {_KIND_KEY: b"iox::column_type::timestamp"}
                fields.append(pa.field(name, pa.timestamp("ns"), nullable=False, metadata=meta))
            else:
                arrow = _TAG_TYPE if kind == "tag" else ARROW_TYPES[kind]
                fields.append(pa.field(name, arrow, metadata={_KIND_KEY: IOX_TYPES[kind].encode()}))
        return pa.schema(fields)

    def view(self) -> tuple[int, pa.Schema, list[pa.RecordBatch]]:
        """Return the version and all rows, each once, as record batches."""
        with self._view_lock:
            while True:
                with self._lock:
                    if self._view is not None and self._view[0] == self._version:
                        return self._view
                    version, columns, schema = self._version, self.columns, self.schema()
                    pending, parts = [*self._frozen, *self._hot], list(self.parts)
                try:
                    layers = self._layers(pending, parts, columns)
                except FileNotFoundError:
                    if parts == self.parts:
                        raise
                    continue
                batches = [
                    self._record_batch(rows, columns, schema) for rows in layers if len(rows)
                ]
                self._view = (version, schema, batches)
                return self._view

    def freeze(self) -> None:
        """Set the rows that arrived so far aside for the next `write_parts`."""
        with self._lock:
            self._frozen += self._hot
            self._hot = []

    def write_parts(self, folder: Path, generation: int) -> list[Part]:
        """Merge the frozen rows into new Parquet files and return all parts.

        Nothing of the table changes until `publish`.

        Args:
            folder: The table's folder.
            generation: A number that no earlier call had; it names the new files.
        """
        with self._lock:
            columns, parts = self.columns, list(self.parts)
            frozen = list(self._frozen)
        types = field_types(columns)
        newer = merge(frozen, types)
        if not len(newer):
            return parts
        result: list[Part] = []
        written = 0
        for part, rows in self._assign(newer, parts):
            if part is not None and not len(rows):
                result.append(part)
                continue
            if part is not None and part.rows >= PART_ROWS and rows.time.min() > part.last_ns:
                result.append(part)
                part = None
            if part is not None:
                rows = merge([part.load(self.tags, self._number), rows], types)
            for piece in _split(rows, PART_ROWS):
                path = folder / f"{generation:012d}-{written:04d}.parquet"
                result.append(write_part(path, piece, self._tag_columns(piece, columns)))
                written += 1
        return result

    def publish(self, parts: list[Part]) -> None:
        """Replace the parts by those that `write_parts` returned; the frozen rows are in them."""
        with self._lock:
            self.parts = parts
            self._frozen = []
            self._version += 1

    def _number(self, key: SeriesKey) -> int:
        with self._lock:
            number = self._series.setdefault(key, len(self._series))
            if number == len(self._series) - 1:
                for tag, value in key:
                    codes = self._tag_codes.setdefault(tag, {})
                    codes.setdefault(value, len(codes))
            return number

    def _layers(self, pending: list[Rows], parts: list[Part], columns: Columns) -> list[Rows]:
        tags = [name for name, kind in columns.items() if kind == "tag"]
        newer = merge(pending, field_types(columns))
        layers = []
        for part in parts:
            base = part.load(tags, self._number)
            if len(newer):
                base, newer = overlay(base, newer)
            layers.append(base)
        return [*layers, newer]

    def _assign(self, rows: Rows, parts: list[Part]) -> list[tuple[Part | None, Rows]]:
        """Give each part the rows of its span; the first and the last have no outer end."""
        if not parts:
            return [(None, rows)]
        starts = np.array([part.first_ns for part in parts], np.int64)
        owner = np.maximum(np.searchsorted(starts, rows.time, "right") - 1, 0)
        return [(part, rows.take(owner == index)) for index, part in enumerate(parts)]

    def _record_batch(self, rows: Rows, columns: Columns, schema: pa.Schema) -> pa.RecordBatch:
        tags = self._tag_columns(rows, columns)
        arrays = []
        for column in schema:
            if column.name == TIME:
                arrays.append(pa.array(rows.time).cast(pa.timestamp("ns")))
            elif column.name in tags:
                arrays.append(tags[column.name])
            elif column.name in rows.fields:
                arrays.append(rows.fields[column.name])
            else:
                arrays.append(pa.nulls(len(rows), column.type))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _tag_columns(self, rows: Rows, columns: Columns) -> dict[str, pa.Array]:
        with self._lock:
            series = list(self._series)
            codes = {
                name: dict(self._tag_codes.get(name, {}))
                for name, kind in columns.items()
                if kind == "tag"
            }
        return {
            tag: _dictionary_column(rows.series, tag, series, values)
            for tag, values in codes.items()
        }


def _dictionary_column(
    numbers: npt.NDArray[np.int32], tag: str, series: list[SeriesKey], codes: dict[str, int]
) -> pa.Array:
    code_of = np.array(
        [next((codes[value] for key, value in tags if key == tag), -1) for tags in series],
        np.int32,
    )
    indexes = code_of[numbers] if len(code_of) else np.empty(0, np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(indexes, mask=indexes < 0), pa.array(list(codes), pa.string())
    )


def _split(rows: Rows, most: int) -> list[Rows]:
    """Cut rows by time into spans of about `most` rows; equal times stay together."""
    if len(rows) <= most:
        return [rows]
    times = np.sort(rows.time)
    cuts = np.unique(times[most::most])
    span = np.searchsorted(cuts, rows.time, "right")
    return [rows.take(span == number) for number in range(len(cuts) + 1) if (span == number).any()]
