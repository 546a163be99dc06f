"""Lay columns out for the kernel that writes lines: all text in one pool, numbers as digits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.influxdb.encode_columns import (
    TEXT,
    NotANumber,
    escape_name,
    escaped_strings,
    escaped_tags,
    field_opening,
    finite_floats,
    flat,
    given_fields,
    no_field,
)
from infrastructure.influxdb.encode_kernels import NULL, split_floats, write_lines
from infrastructure.influxdb.encode_kernels import TEXT as IN_POOL
from infrastructure.influxdb.schema import TIME, Column, TableSchema

_LONGEST_NUMBER = 24
_SHORT_TAG_BYTES = 64
_ENDINGS = {"float": 0, "boolean": 0, "integer": ord("i"), "string": ord('"')}


def write_rows(
    schema: TableSchema, rows: pa.Table, start: int, not_a_number: NotANumber
) -> tuple[memoryview, npt.NDArray[np.int64]]:
    """Return the text of some rows and the end of each line in it.

    Args:
        schema: The table's declaration.
        rows: Columns in their declared types.
        start: Row of the first one in the whole table, for the errors.
        not_a_number: Whether NaN and infinities are refused, or written as nulls.

    Raises:
        InputError: As the path without compilation does.
    """
    count = rows.num_rows
    pool = _Pool()
    tags = np.empty((count, len(schema.tags)), np.int32)
    size = 0
    for place, column in enumerate(schema.tags):
        tags[:, place], used = _tag_codes(pool, schema, column, flat(rows, column.name))
        size += used
    columns = given_fields(schema, rows)
    numbers = np.empty((len(columns), count), np.int64)
    places = np.zeros((len(columns), count), np.int8)
    for place, column in enumerate(columns):
        values = flat(rows, column.name)
        size += _lay_out(
            pool, schema, column, values, start, not_a_number, numbers[place], places[place]
        )
    name = np.frombuffer(escape_name(schema.name).encode(), np.uint8)
    openings = [field_opening(column).encode() for column in columns]
    # A number, a separator and an ending a field; a number, a space and a newline a time.
    size += sum(map(len, openings)) * count + len(columns) * (_LONGEST_NUMBER + 2) * count
    size += (len(name) + _LONGEST_NUMBER + 2) * count
    out = np.empty(size, np.uint8)
    ends = np.empty(count, np.int64)
    texts, text_ends = pool.joined()
    bare = write_lines(
        out,
        ends,
        name,
        tags,
        numbers,
        places,
        np.frombuffer(b"".join(openings), np.uint8),
        np.cumsum([0, *map(len, openings)], dtype=np.int64),
        np.array([_ENDINGS[column.kind] for column in columns], np.uint8),
        texts,
        text_ends,
        flat(rows, TIME).to_numpy(),
    )
    if bare >= 0:
        raise no_field(schema, start + bare)
    return out.data, ends


class _Pool:
    """Texts, one after the other, each with its end."""

    def __init__(self) -> None:
        self._pieces: list[npt.NDArray[np.uint8]] = [np.empty(0, np.uint8)]
        self._ends: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
        self._size = 0
        self._count = 0

    def add(self, texts: pa.Array) -> int:
        """Add texts, nulls as empty ones; return the number of the first."""
        first = self._count
        if len(texts):
            _, offsets, data = texts.buffers()
            ends = np.frombuffer(offsets, np.int64)[texts.offset :][: len(texts) + 1]
            if ends[-1] > ends[0]:
                self._pieces.append(np.frombuffer(data, np.uint8)[ends[0] : ends[-1]])
            self._ends.append(ends[1:] - ends[0] + self._size)
            self._size += int(ends[-1] - ends[0])
            self._count += len(texts)
        return first

    def joined(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Return all bytes, and the ends after a leading 0."""
        return np.concatenate(self._pieces), np.concatenate(self._ends)


def _tag_codes(
    pool: _Pool, schema: TableSchema, column: Column, values: pa.Array
) -> tuple[npt.NDArray[np.int32], int]:
    """Return the text of each row's tag, NULL for none, and the bytes that all rows need."""
    coded = values.dictionary_encode()
    texts = pa.array(escaped_tags(schema, column, coded.dictionary.to_pylist()), TEXT)
    first = pool.add(texts)
    codes = coded.indices.fill_null(-1 - first).to_numpy() + np.int32(first)
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest <= _SHORT_TAG_BYTES:
        return codes, longest * len(codes)
    lengths = np.append(pc.binary_length(texts).to_numpy(), 0)
    used = int(lengths[np.where(codes == NULL, len(texts), codes - first)].sum())
    return codes, used


def _lay_out(
    pool: _Pool,
    schema: TableSchema,
    column: Column,
    values: pa.Array,
    start: int,
    not_a_number: NotANumber,
    numbers: npt.NDArray[np.int64],
    places: npt.NDArray[np.int8],
) -> int:
    """Fill in a field's numbers and places; return the bytes that its texts need."""
    if column.kind == "float":
        values = finite_floats(schema, column, values, start, not_a_number)
    if values.null_count:
        places[values.is_null().to_numpy(zero_copy_only=False)] = NULL
    if column.kind == "string":
        texts = escaped_strings(schema, column, values)
        numbers[:] = np.arange(pool.add(texts), pool.add(pa.array([], TEXT)))
        places[places != NULL] = IN_POOL
        return pc.sum(pc.binary_length(texts)).as_py() or 0
    if column.kind == "integer":
        numbers[:] = values.fill_null(0).to_numpy()
        return 0
    if column.kind == "boolean":
        first = pool.add(pa.array(["false", "true"], TEXT))
        numbers[:] = values.fill_null(False).to_numpy(zero_copy_only=False) + np.int64(first)
        places[places != NULL] = IN_POOL
        return 0
    floats = values.fill_null(0.0).to_numpy()
    if split_floats(floats, numbers, places):
        long = places == IN_POOL
        numbers[long] += pool.add(pa.array(floats[long]).cast(TEXT))
    return 0
