"""Encode Arrow columns to InfluxDB line protocol: exact floats, tags escaped once a distinct value.

Syntax: InfluxDB line protocol as InfluxDB 3's own parser reads it. In names and tag values a
backslash before a delimiter (or before another backslash) escapes; any other backslash is itself.

Lines are joined by Arrow, or, once a process has written many, by compiled code: both give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import InputError
from infrastructure.influxdb.encode_columns import (
    STRING_LIMIT_BYTES,
    TEXT,
    NotANumber,
    checked_table,
    escape_key,
    escape_name,
    escaped_strings,
    escaped_tags,
    field_opening,
    finite_floats,
    flat,
    given_fields,
    no_field,
)
from infrastructure.influxdb.kernel_choice import KernelChoice
from infrastructure.influxdb.schema import TIME, Column, TableSchema

__all__ = [
    "BLOCK_BYTES",
    "BLOCK_LINES",
    "REQUEST_LIMIT_BYTES",
    "STRING_LIMIT_BYTES",
    "NotANumber",
    "encode_lines",
    "escape_key",
    "escape_name",
]

REQUEST_LIMIT_BYTES = 10 * 1024 * 1024
BLOCK_BYTES = 8 * 1024 * 1024
BLOCK_LINES = 10_000

_CHOICE = KernelChoice()


def encode_lines(
    schema: TableSchema,
    table: pa.Table,
    *,
    block_bytes: int = BLOCK_BYTES,
    block_lines: int = BLOCK_LINES,
    not_a_number: NotANumber = "refuse",
    compiled: bool | None = None,
) -> Iterator[bytes]:
    """Yield blocks of lines, each line with its newline, in the order of the rows.

    Args:
        schema: The table's declaration.
        table: `time` (timestamp, or int64 ns UTC), every tag, and any of the fields. Null
            fields and null tags are left out of their line.
        block_bytes: The most bytes of a block; below the server's limit of 10 MiB.
        block_lines: The most lines of a block.
        not_a_number: Whether NaN and infinities are refused, or written as nulls.
        compiled: Whether compiled code writes the lines; None decides by how many were written.

    Raises:
        InputError: If a column is unknown or missing, does not fit its declared type, a time is
            null, a row has no field, a tag is empty or cannot be written, a float is not finite.
    """
    if not 0 < block_bytes <= REQUEST_LIMIT_BYTES:
        raise InputError(f"block_bytes is {block_bytes}, expected 1 to {REQUEST_LIMIT_BYTES}")
    if block_lines < 1:
        raise InputError(f"block_lines is {block_lines}, expected 1 or more")
    checked = checked_table(schema, table)
    wanted = _CHOICE.takes(checked.num_rows)
    if wanted if compiled is None else compiled:
        # Loading numba takes longer than a short command runs.
        from infrastructure.influxdb.encode_bulk import write_rows as write
    else:
        write = _write_rows
    for start in range(0, checked.num_rows, block_lines):
        text, ends = write(schema, checked.slice(start, block_lines), start, not_a_number)
        yield from _blocks(text, ends, block_bytes, schema.name, start)


def _write_rows(
    schema: TableSchema, rows: pa.Table, start: int, not_a_number: NotANumber
) -> tuple[memoryview, npt.NDArray[np.int64]]:
    """Return the text of the rows and the end of each line in it."""
    series = [pa.scalar(escape_name(schema.name), TEXT)]
    series += [_tag_texts(schema, column, flat(rows, column.name)) for column in schema.tags]
    pieces = [
        _field_texts(schema, column, flat(rows, column.name), start, not_a_number)
        for column in given_fields(schema, rows)
    ]
    empty = pa.scalar("", TEXT)
    heads = pc.binary_join_element_wise(*series, empty, null_handling="skip")
    if not isinstance(heads, pa.Array):
        heads = pa.repeat(heads, rows.num_rows)
    fields = _joined_fields(pieces)
    bare = pc.equal(fields, empty)
    if pc.any(bare).as_py():
        raise no_field(schema, start + pc.index(bare, pa.scalar(True)).as_py())
    times = pc.binary_join_element_wise(flat(rows, TIME).cast(TEXT), pa.scalar("\n", TEXT), empty)
    lines = pc.binary_join_element_wise(heads, fields, times, pa.scalar(" ", TEXT))
    ends = pc.cumulative_sum(pc.binary_length(lines)).to_numpy()
    _, _, data = lines.buffers()
    return memoryview(data), ends


def _joined_fields(pieces: list[pa.Array]) -> pa.Array:
    # One array alone would come back without its nulls, and so shorter: seen in pyarrow 26.
    if len(pieces) == 1:
        return pieces[0].fill_null("")
    return pc.binary_join_element_wise(*pieces, pa.scalar(",", TEXT), null_handling="skip")


def _tag_texts(schema: TableSchema, column: Column, values: pa.Array) -> pa.Array:
    coded = values.dictionary_encode()
    escaped = escaped_tags(schema, column, coded.dictionary.to_pylist())
    return pa.array(escaped, TEXT).take(coded.indices)


def _field_texts(
    schema: TableSchema, column: Column, values: pa.Array, start: int, not_a_number: NotANumber
) -> pa.Array:
    ending = ""
    if column.kind == "float":
        texts = finite_floats(schema, column, values, start, not_a_number).cast(TEXT)
    elif column.kind == "integer":
        texts, ending = values.cast(TEXT), "i"
    elif column.kind == "boolean":
        texts = pc.if_else(values, pa.scalar("true", TEXT), pa.scalar("false", TEXT))
    else:
        texts, ending = escaped_strings(schema, column, values), '"'
    key = pa.scalar(field_opening(column), TEXT)
    return pc.binary_join_element_wise(key, texts, pa.scalar(ending, TEXT), pa.scalar("", TEXT))


def _blocks(
    text: memoryview, ends: npt.NDArray[np.int64], block_bytes: int, name: str, start: int
) -> Iterator[bytes]:
    first, done = 0, 0
    while first < len(ends):
        after = int(ends.searchsorted(done + block_bytes, side="right"))
        if after == first:
            raise InputError(
                f"{name}: row {start + first} alone is longer than {block_bytes} bytes"
            )
        end = int(ends[after - 1])
        yield bytes(text[done:end])
        first, done = after, end
