"""The last-value and the distinct-value caches of a table, fed by each write.

As in InfluxDB 3 Core they hold what was written since they were made or the server started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.errors import InputError
from infrastructure.influxdb.embedded.batch import Columns, field_types
from infrastructure.influxdb.embedded.rows import Rows, empty_rows, merge
from infrastructure.influxdb.grammar import SeriesKey
from infrastructure.influxdb.parse import ARROW_TYPES

CacheKind = Literal["last", "distinct"]
LAST_COUNT, MOST_LAST_COUNT = 1, 10
LAST_TTL_S = 4 * 3600
DISTINCT_MOST = 100_000
DISTINCT_AGE_S = 24 * 3600

_SERIES, _ARRIVED = "\0series", "\0arrived"
_TIME = "time"


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """The definition of a cache.

    Attributes:
        kind: Whether it holds last rows or distinct values.
        name: Unique in its table and kind.
        columns: The key columns of a last cache, the columns of a distinct cache.
        values: The value columns of a last cache; None takes all others, new ones too.
        most: Rows a key, or distinct combinations in all.
        age_s: Seconds for which an entry is kept after it was written.
    """

    kind: CacheKind
    name: str
    columns: tuple[str, ...]
    values: tuple[str, ...] | None
    most: int
    age_s: int

    def as_dict(self) -> dict[str, Any]:
        """Return the definition as JSON-able values."""
        return asdict(self)


def spec_of(entry: dict[str, Any]) -> CacheSpec:
    """Return the definition that `as_dict` took apart."""
    values = entry["values"]
    return CacheSpec(
        entry["kind"], entry["name"], tuple(entry["columns"]),
        None if values is None else tuple(values), entry["most"], entry["age_s"],
    )  # fmt: skip


def checked_spec(kind: CacheKind, given: dict[str, Any], table: str, columns: Columns) -> CacheSpec:
    """Return the definition that a request asks for.

    Args:
        kind: Of the cache.
        given: The request's members.
        table: The table's name.
        columns: The table's columns.

    Raises:
        InputError: If a column is missing or of the wrong kind, or a number is out of range.
    """
    tags = [name for name, column in columns.items() if column == "tag"]
    if kind == "last":
        keys = _names(given, "key_columns", tags)
        values = _names(given, "value_columns", None)
        most = _number(given, "count", LAST_COUNT, MOST_LAST_COUNT)
        age_s = _number(given, "ttl", LAST_TTL_S, None)
    else:
        keys, values = _names(given, "columns", None), None
        if not keys:
            raise InputError("a distinct cache needs at least one column")
        most = _number(given, "max_cardinality", DISTINCT_MOST, None)
        age_s = _number(given, "max_age", DISTINCT_AGE_S, None)
    allowed = ("tag",) if kind == "last" else ("tag", "string")
    for name in keys or []:
        if columns.get(name) not in allowed:
            raise InputError(f"the column {name} of {table} is no {' or '.join(allowed)} column")
    for name in values or []:
        if name not in columns and name != _TIME:
            raise InputError(f"the table {table} has no column {name}")
    name = given.get("name") or "_".join([table, *(keys or []), f"{kind}_cache"])
    if not isinstance(name, str):
        raise InputError("the name of a cache is text")
    return CacheSpec(
        kind, name, tuple(keys or []), None if values is None else tuple(values), most, age_s
    )


class Cache:
    """A cache's content.

    Args:
        spec: Its definition.
    """

    def __init__(self, spec: CacheSpec) -> None:
        self.spec = spec
        self._keys: dict[SeriesKey, int] = {}
        self._key_of: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self._series: list[SeriesKey] = []
        self._last = empty_rows()
        self._distinct: dict[tuple[str | None, ...], int] = {}

    def take(self, rows: Rows, series: Sequence[SeriesKey], columns: Columns, now_ns: int) -> None:
        """Take in the rows of a write.

        Args:
            rows: With the table's numbers of their tag sets.
            series: All tag sets of the table, by number.
            columns: The table's columns.
            now_ns: When they were written.
        """
        if self.spec.kind == "distinct":
            self._take_distinct(rows, series, now_ns)
            return
        self._learn(series)
        extra = {
            _SERIES: pa.array(rows.series),
            _ARRIVED: pa.array(np.full(len(rows), now_ns, np.int64)),
        }
        keyed = Rows(self._key_of[rows.series], rows.time, {**rows.fields, **extra})
        types = {**field_types(columns), _SERIES: pa.int32(), _ARRIVED: pa.int64()}
        # Only the tails can matter, and most writes hold many rows of few keys.
        tail = _tails(merge([keyed], types), self.spec.most)
        self._last = _tails(merge([self._last, tail], types), self.spec.most)

    def table(self, columns: Columns, now_ns: int) -> pa.RecordBatch:
        """Return the entries that are not too old."""
        oldest = now_ns - self.spec.age_s * 1_000_000_000
        if self.spec.kind == "distinct":
            found = sorted(
                (key for key, seen in self._distinct.items() if seen > oldest),
                key=lambda key: [(value is None, value or "") for value in key],
            )
            arrays = [
                pa.array([key[at] for key in found], pa.string())
                for at in range(len(self.spec.columns))
            ]
            return pa.RecordBatch.from_arrays(arrays, list(self.spec.columns))
        return self._last_table(columns, oldest)

    def _last_table(self, columns: Columns, oldest: int) -> pa.RecordBatch:
        rows = self._last
        if len(rows):
            rows = rows.take(rows.fields[_ARRIVED].to_numpy() > oldest)
        values = self.spec.values
        if values is None:
            values = (*(name for name in columns if name not in self.spec.columns), _TIME)
        tags = [dict(key) for key in self._series]
        numbers = rows.fields[_SERIES].to_pylist() if len(rows) else []
        names = [*self.spec.columns, *values]
        arrays = []
        for name in names:
            if name == _TIME:
                arrays.append(pa.array(rows.time).cast(pa.timestamp("ns")))
            elif columns[name] == "tag":
                texts = [tags[number].get(name) for number in numbers]
                arrays.append(pa.array(texts, pa.string()))
            elif name in rows.fields:
                arrays.append(rows.fields[name])
            else:
                arrays.append(pa.nulls(len(rows), ARROW_TYPES[columns[name]]))  # type: ignore[index]
        return pa.RecordBatch.from_arrays(arrays, names)

    def _learn(self, series: Sequence[SeriesKey]) -> None:
        """Number the keys of tag sets that are new."""
        wanted = set(self.spec.columns)
        new = []
        for key in series[len(self._series) :]:
            mine = tuple(pair for pair in key if pair[0] in wanted)
            new.append(self._keys.setdefault(mine, len(self._keys)))
            self._series.append(key)
        if new:
            self._key_of = np.concatenate([self._key_of, np.array(new, np.int32)])

    def _take_distinct(self, rows: Rows, series: Sequence[SeriesKey], now_ns: int) -> None:
        names = self.spec.columns
        texts = [name for name in names if name in rows.fields]
        if texts:
            plain = pa.table(
                {_SERIES: pa.array(rows.series), **{name: rows.fields[name] for name in texts}}
            )
            groups = plain.group_by([_SERIES, *texts]).aggregate([]).to_pylist()
        else:
            groups = [{_SERIES: number} for number in np.unique(rows.series).tolist()]
        for group in groups:
            known = {**dict(series[group[_SERIES]]), **group}
            key = tuple(known.get(name) for name in names)
            self._distinct.pop(key, None)
            self._distinct[key] = now_ns
        while len(self._distinct) > self.spec.most:
            del self._distinct[next(iter(self._distinct))]


@dataclass(slots=True)
class Caches:
    """All caches of a table.

    Attributes:
        known: By kind and name.
    """

    known: dict[tuple[CacheKind, str], Cache] = field(default_factory=dict)

    def add(self, spec: CacheSpec) -> None:
        """Make an empty cache, unless it is there."""
        self.known.setdefault((spec.kind, spec.name), Cache(spec))

    def of_kind(self, kind: CacheKind) -> list[Cache]:
        """Return the caches of a kind."""
        return [cache for cache in self.known.values() if cache.spec.kind == kind]


def _tails(rows: Rows, most: int) -> Rows:
    """Return the last rows of each key; rows are sorted by key and time."""
    if not len(rows):
        return rows
    ends = np.append(np.flatnonzero(rows.series[1:] != rows.series[:-1]), len(rows) - 1)
    place_from_end = np.repeat(ends, np.diff(ends, prepend=-1)) - np.arange(len(rows))
    return rows.take(place_from_end < most)


def _names(given: dict[str, Any], member: str, default: list[str] | None) -> list[str] | None:
    names = given.get(member)
    if names is None:
        return default
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{member} is no list of names")
    if len(set(names)) < len(names):
        raise InputError(f"{member} names a column twice")
    return names


def _number(given: dict[str, Any], member: str, default: int, most: int | None) -> int:
    value = given.get(member)
    if value is None:
        return default
    if type(value) is not int or value < 1 or (most is not None and value > most):
        span = "1 or more" if most is None else f"1 to {most}"
        raise InputError(f"{member} is {value!r}, expected {span}")
    return value
