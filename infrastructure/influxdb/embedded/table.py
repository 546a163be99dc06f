"""One table in memory: its columns, its series, the rows not yet in parts, and its parts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.influxdb.embedded.batch import IOX_TYPES, Columns, TableBatch, field_types
from infrastructure.influxdb.embedded.caches import Cache, CacheKind, Caches
from infrastructure.influxdb.embedded.limits import StrictCore
from infrastructure.influxdb.embedded.parts import TIME, Part, write_part
from infrastructure.influxdb.embedded.rows import Rows, concatenate, merge, overlay
from infrastructure.influxdb.grammar import SeriesKey
from infrastructure.influxdb.parse import ARROW_TYPES

PART_ROWS = 500_000
SMALL_ROWS = 2048
ROW_BYTES, COLUMN_BYTES = 12, 8  # of a row in memory: series and time; a value

_KIND_KEY = b"iox::column::type"
_TAG_TYPE = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True)
class View:
    """All rows of a table at one moment, each once.

    Attributes:
        version: Of the table, and the time before which rows were left out.
        schema: As queries see it.
        batches: The rows in memory.
        cold: Parts to be read from their files, with the schema's columns as far as they have them.
    """

    version: tuple[int, int | None]
    schema: pa.Schema
    batches: list[pa.RecordBatch]
    cold: tuple[Part, ...] = ()


class Table:
    """A table's state. `apply` is called by one thread at a time; `view` by any.

    Args:
        name: The table's name.
        identifier: Its number in the store, which names its folder.
        columns: Its tags and fields.
        strict: If given, which of several writes of one row wins is left to chance.
    """

    def __init__(
        self, name: str, identifier: int, columns: Columns, strict: StrictCore | None = None
    ) -> None:
        self.name = name
        self.identifier = identifier
        self.columns = columns
        self.parts: list[Part] = []
        self.caches = Caches()
        self.strict = strict
        self._series_list: list[SeriesKey] = []
        self._series: dict[SeriesKey, int] = {}
        self._tag_codes: dict[str, dict[str, int]] = {}
        self._hot: list[Rows] = []
        self._frozen: list[Rows] = []
        self._hot_rows = self._hot_bytes = self._frozen_bytes = 0
        self._version = 0
        self._lock = threading.RLock()
        self._view_lock = threading.Lock()
        self._view: View | None = None
        self._older_wins = False

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
        return self._hot_rows

    @property
    def hot_bytes(self) -> int:
        """Return how much memory the rows take that are not yet in parts."""
        return self._hot_bytes + self._frozen_bytes

    @property
    def held_bytes(self) -> int:
        """Return how much memory all rows take that are kept for queries."""
        return self.hot_bytes + sum(part.held_bytes for part in list(self.parts))

    def apply(self, batch: TableBatch, now_ns: int = 0) -> None:
        """Take in the rows of an acknowledged write, at this time."""
        with self._lock:
            self.columns = {**self.columns, **batch.columns}
            numbers = np.array([self._number(key) for key in batch.series], np.int32)
            rows = batch.rows
            rows = Rows(numbers[rows.series], rows.time, rows.fields)
            self._hot_rows += len(rows)
            self._hot_bytes += rows.nbytes
            self._add(rows)
            self._version += 1
            for cache in self.caches.known.values():
                cache.take(rows, self._series_list, self.columns, now_ns)

    def cache_table(self, kind: CacheKind, name: str | None, now_ns: int) -> pa.RecordBatch:
        """Return what a cache holds.

        Args:
            kind: Of the cache.
            name: Of the cache; None takes the only one of its kind.
            now_ns: Decides which entries are too old.

        Raises:
            KeyError: If there is none of that name, or not one alone.
        """
        found: list[Cache] = [
            cache for cache in self.caches.of_kind(kind) if name in (None, cache.spec.name)
        ]
        if len(found) != 1:
            raise KeyError(name)
        with self._lock:
            return found[0].table(self.columns, now_ns)

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

    def view(self, oldest_ns: int | None = None, memory_bytes: int | None = None) -> View:
        """Return all rows.

        Args:
            oldest_ns: Earlier rows are left out; None takes all.
            memory_bytes: Where all rows would take more, parts that no newer row touches are named
                instead of loaded; None loads all.
        """
        with self._view_lock:
            while True:
                with self._lock:
                    version = (self._version, oldest_ns)
                    if self._view is not None and self._view.version == version:
                        return self._view
                    columns, schema = self.columns, self.schema()
                    pending, parts = [*self._frozen, *self._hot], list(self.parts)
                    older_wins = self._older_wins
                try:
                    cold = _cold_parts(parts, pending, columns, oldest_ns, memory_bytes)
                    warm = [part for part in parts if part not in cold]
                    layers = self._layers(pending, warm, columns, older_wins)
                except FileNotFoundError:
                    if parts == self.parts:
                        raise
                    continue
                batches = [
                    self._record_batch(rows, columns, schema)
                    for rows in (_since(layer, oldest_ns) for layer in layers)
                    if len(rows)
                ]
                self._view = View(version, schema, batches, tuple(cold))
                return self._view

    def release(self) -> None:
        """Keep no more rows in memory than those that are not in parts."""
        with self._view_lock:
            self._view = None
        for part in list(self.parts):
            part.release()

    def times(self) -> list[npt.NDArray[np.int64]]:
        """Return the times of all rows, layer by layer."""
        with self._lock:
            parts, pending = list(self.parts), [*self._frozen, *self._hot]
        return [part.load(self.tags, self._number).time for part in parts] + [
            rows.time for rows in pending
        ]

    def freeze(self) -> None:
        """Set the rows that arrived so far aside for the next `write_parts`."""
        with self._lock:
            self._frozen += self._hot
            self._frozen_bytes += self._hot_bytes
            self._hot = []
            self._hot_rows = self._hot_bytes = 0

    def write_parts(
        self, folder: Path, generation: int, oldest_ns: int | None = None
    ) -> list[Part]:
        """Merge the frozen rows into new Parquet files and return all parts.

        Nothing of the table changes until `publish`.

        Args:
            folder: The table's folder.
            generation: A number that no earlier call had; it names the new files.
            oldest_ns: Parts that hold earlier rows only are left out, and so are earlier rows.
        """
        with self._lock:
            columns, parts = self.columns, list(self.parts)
            frozen = list(self._frozen)
            older_wins = self._older_wins
        types = field_types(columns)
        if oldest_ns is not None:
            parts = [part for part in parts if part.last_ns >= oldest_ns]
        newer = _since(merge(frozen, types), oldest_ns)
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
                pieces = [part.load(self.tags, self._number), rows]
                rows = merge(pieces[::-1] if older_wins else pieces, types)
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
            self._frozen_bytes = 0
            self._version += 1
            if self.strict is not None:
                self._older_wins = self.strict.random.random() < 0.5

    def _add(self, rows: Rows) -> None:
        """Put rows behind those that arrived, and put small pieces together."""
        if self.strict is not None:
            self._hot.insert(self.strict.random.randint(0, len(self._hot)), rows)
            return
        hot = self._hot
        hot.append(rows)
        # Pieces double in size, so a row is copied a few times in all, however small writes are.
        while len(hot) > 1 and len(hot[-2]) <= len(hot[-1]) < SMALL_ROWS:
            hot[-2:] = [concatenate(hot[-2:], field_types(self.columns))]

    def _number(self, key: SeriesKey) -> int:
        with self._lock:
            number = self._series.setdefault(key, len(self._series))
            if number == len(self._series_list):
                self._series_list.append(key)
                for tag, value in key:
                    codes = self._tag_codes.setdefault(tag, {})
                    codes.setdefault(value, len(codes))
            return number

    def _layers(
        self, pending: list[Rows], parts: list[Part], columns: Columns, older_wins: bool
    ) -> list[Rows]:
        tags = [name for name, kind in columns.items() if kind == "tag"]
        newer = merge(pending, field_types(columns))
        layers = []
        for part in parts:
            base = part.load(tags, self._number)
            if len(newer) and older_wins:
                newer, base = overlay(newer, base)
            elif len(newer):
                base, newer = overlay(base, newer)
            layers.append(base)
        return [*layers, newer]

    def _assign(self, rows: Rows, parts: list[Part]) -> list[tuple[Part | None, Rows]]:
        """Give each part the rows of its span; the first and the last have no outer end."""
        if not parts:
            return [(None, rows)]
        starts = np.array([part.first_ns for part in parts], np.int64)
        owner = np.maximum(np.searchsorted(starts, rows.time, "right") - 1, 0)
        if (owner == owner[0]).all():
            nothing = rows.take(np.empty(0, np.int64))
            return [
                (part, rows if index == owner[0] else nothing) for index, part in enumerate(parts)
            ]
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


def _since(rows: Rows, oldest_ns: int | None) -> Rows:
    """Return the rows that are not earlier."""
    if oldest_ns is None or not len(rows) or rows.time.min() >= oldest_ns:
        return rows
    return rows.take(rows.time >= oldest_ns)


def _cold_parts(
    parts: list[Part],
    pending: list[Rows],
    columns: Mapping[str, object],
    oldest_ns: int | None,
    memory_bytes: int | None,
) -> list[Part]:
    """Return the parts that are better read from their files, none if all fit into memory."""
    if memory_bytes is None:
        return []
    estimate = sum(part.rows for part in parts) * (ROW_BYTES + COLUMN_BYTES * len(columns))
    if estimate <= memory_bytes:
        return []
    times = np.sort(np.concatenate([np.empty(0, np.int64), *(rows.time for rows in pending)]))
    return [
        part
        for part in parts
        if (oldest_ns is None or part.first_ns >= oldest_ns)
        and np.searchsorted(times, part.first_ns) == np.searchsorted(times, part.last_ns, "right")
    ]


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
