"""Rows in memory: batches as they arrive, runs that are sorted and hold each row once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table.

    Attributes:
        series: The table's number of each row's tag set, int32, shape (rows,).
        time: Nanoseconds UTC, int64, shape (rows,).
        fields: Field name to values with nulls, each of length rows; an absent field is all null.
    """

    series: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    fields: Mapping[str, pa.Array]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """Return the bytes that the columns take."""
        fields = sum(values.nbytes for values in self.fields.values())
        return int(self.series.nbytes + self.time.nbytes + fields)

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Rows:
        """Return the rows at these places, or where the mask is true."""
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        places = pa.array(index)
        fields = {name: values.take(places) for name, values in self.fields.items()}
        return Rows(self.series[index], self.time[index], fields)


def empty_rows() -> Rows:
    """Return no rows."""
    return Rows(np.empty(0, np.int32), np.empty(0, np.int64), {})


def concatenate(pieces: Sequence[Rows], kinds: Mapping[str, pa.DataType]) -> Rows:
    """Return all rows in order; a field that a piece lacks is null there.

    Args:
        pieces: Rows of one table.
        kinds: Field name to its type, of every field that a piece may hold.
    """
    if len(pieces) == 1:
        return pieces[0]
    fields = {name: _joined(pieces, name, kinds) for name in _names(pieces, kinds)}
    if not pieces:
        return empty_rows()
    series = np.concatenate([piece.series for piece in pieces])
    return Rows(series, np.concatenate([piece.time for piece in pieces]), fields)


def _names(pieces: Sequence[Rows], kinds: Mapping[str, pa.DataType]) -> list[str]:
    return [name for name in kinds if any(name in piece.fields for piece in pieces)]


def _joined(pieces: Sequence[Rows], name: str, kinds: Mapping[str, pa.DataType]) -> pa.Array:
    return pa.concat_arrays(
        [
            piece.fields[name] if name in piece.fields else pa.nulls(len(piece), kinds[name])
            for piece in pieces
        ]
    )


def merge(pieces: Sequence[Rows], kinds: Mapping[str, pa.DataType]) -> Rows:
    """Return the rows sorted by series and time, each (series, time) once.

    Of rows with one identity the last non-null value of each field wins; later pieces, and
    later rows of a piece, are later.
    """
    if sum(map(len, pieces)) < 2:
        return concatenate(pieces, kinds)
    series = np.concatenate([piece.series for piece in pieces])
    time = np.concatenate([piece.time for piece in pieces])
    order: Index | None = None
    if not _is_sorted(series, time):
        order = np.lexsort((time, series)).astype(np.int64)
        series, time = series[order], time[order]
    last = np.empty(len(time), np.bool_)
    last[-1] = True
    last[:-1] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
    groups: tuple[Index, Index] | None = None
    if not last.all():
        ends = np.flatnonzero(last)
        groups = np.concatenate([[0], ends[:-1] + 1]), ends
        series, time = series[ends], time[ends]
    elif order is None:
        return concatenate(pieces, kinds)
    places = None if order is None else pa.array(order)
    names = _names(pieces, kinds) if len(pieces) > 1 else list(pieces[0].fields)
    fields = {}
    for name in names:
        # One column after the other: a second copy of all rows would take the most memory.
        values = _joined(pieces, name, kinds) if len(pieces) > 1 else pieces[0].fields[name]
        values = values if places is None else values.take(places)
        fields[name] = values if groups is None else _last_values(values, *groups)
    return Rows(series, time, fields)


def overlay(base: Rows, newer: Rows) -> tuple[Rows, Rows]:
    """Lay newer rows over older ones without copying more than needed.

    Args:
        base: Merged rows.
        newer: Merged rows that win over them.

    Returns:
        The base without the rows that are overwritten, and the newer rows with their nulls
        filled from those. Together they hold every row once.
    """
    places = find(base, newer)
    hits = places >= 0
    if not hits.any():
        return base, newer
    kept = np.ones(len(base), np.bool_)
    kept[places[hits]] = False
    old = pa.array(places, mask=~hits)
    fields = dict(newer.fields)
    for name, values in base.fields.items():
        older = values.take(old)
        fields[name] = pc.coalesce(fields[name], older) if name in fields else older
    return base.take(kept), Rows(newer.series, newer.time, fields)


def find(base: Rows, wanted: Rows) -> Index:
    """Return where each wanted row stands in base, -1 where it does not; both are merged."""
    places = np.full(len(wanted), -1, np.int64)
    if not len(base) or not len(wanted):
        return places
    numbers, firsts = np.unique(wanted.series, return_index=True)
    ends = np.append(firsts[1:], len(wanted))
    lows = np.searchsorted(base.series, numbers, "left")
    highs = np.searchsorted(base.series, numbers, "right")
    for first, end, low, high in zip(firsts, ends, lows, highs, strict=True):
        if low == high:
            continue
        times = wanted.time[first:end]
        at = low + np.searchsorted(base.time[low:high], times)
        inside = at < high
        hit = np.zeros(len(times), np.bool_)
        hit[inside] = base.time[at[inside]] == times[inside]
        places[first:end] = np.where(hit, at, -1)
    return places


def _is_sorted(series: npt.NDArray[np.int32], time: npt.NDArray[np.int64]) -> bool:
    higher = series[1:] > series[:-1]
    return bool((higher | ((series[1:] == series[:-1]) & (time[1:] >= time[:-1]))).all())


def _last_values(values: pa.Array, starts: Index, ends: Index) -> pa.Array:
    """Return the last non-null value of each group of neighbouring rows."""
    if not values.null_count:
        return values.take(pa.array(ends))
    places = np.arange(len(values))
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    latest = np.maximum.accumulate(np.where(valid, places, -1))[ends]
    return values.take(pa.array(latest, mask=latest < starts))
