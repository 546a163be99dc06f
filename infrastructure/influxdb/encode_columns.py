"""Check columns for line protocol and escape their texts, for both ways of writing lines."""

from __future__ import annotations

import re
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import InputError
from infrastructure.influxdb.schema import TIME, Column, TableSchema

NotANumber = Literal["refuse", "null"]

STRING_LIMIT_BYTES = 65_536
TEXT = pa.large_string()

_BARE_BACKSLASH = re.compile(r"\\(?=[,= \\])")
_CONTROL = re.compile(r"[\n\r\t\0]")


def escape_name(text: str) -> str:
    """Return a table's name, escaped for the head of a line."""
    return _BARE_BACKSLASH.sub(r"\\\\", text).replace(",", "\\,").replace(" ", "\\ ")


def escape_key(text: str) -> str:
    """Return a tag key, tag value or field key, escaped."""
    return escape_name(text).replace("=", "\\=")


def checked_table(schema: TableSchema, table: pa.Table) -> pa.Table:
    """Return the columns in the types that the declaration asks for, text as large strings.

    Raises:
        InputError: If a column is unknown, doubled, missing or does not fit, or a time is null.
    """
    names = table.column_names
    known = {column.name for column in schema.columns} | {TIME}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"table {schema.name} has no column {', '.join(map(repr, unknown))}")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"{schema.name}: column {', '.join(doubled)} is given twice")
    required = [TIME, *(column.name for column in schema.tags)]
    missing = [name for name in required if name not in names]
    if missing:
        raise InputError(f"{schema.name}: column {', '.join(missing)} is missing")
    arrays = {TIME: _time_column(schema, table.column(TIME))}
    for column in schema.columns:
        if column.name in names:
            arrays[column.name] = _typed(schema, column, table.column(column.name))
    return pa.table(arrays)


def _time_column(schema: TableSchema, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if values.null_count:
        raise InputError(f"{schema.name}.time holds {values.null_count} nulls; every row needs one")
    if not (pa.types.is_timestamp(values.type) or pa.types.is_int64(values.type)):
        raise InputError(f"{schema.name}.time is {values.type}, expected timestamp or int64 ns UTC")
    try:
        if pa.types.is_timestamp(values.type):
            values = values.cast(pa.timestamp("ns", tz=values.type.tz))
        return values.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise InputError(f"{schema.name}.time does not fit nanoseconds: {error}") from error


def _typed(schema: TableSchema, column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    expected = column.arrow_type
    text = pa.types.is_string(expected)
    given = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    is_text = (
        pa.types.is_string(given)
        or pa.types.is_large_string(given)
        or pa.types.is_string_view(given)
    )
    boolean = pa.types.is_boolean(given)
    number = pa.types.is_integer(given) or pa.types.is_floating(given)
    fits = (
        pa.types.is_null(given)
        or (text and is_text)
        or (column.kind == "boolean" and boolean)
        or (column.kind in ("float", "integer") and number)
    )
    if not fits:
        raise InputError(
            f"{schema.name}.{column.name} is {given}, but is declared a {column.kind} column"
        )
    try:
        return values.cast(TEXT if text else expected)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{schema.name}.{column.name} does not fit a {column.kind} column: {error}"
        ) from error


def escaped_tags(schema: TableSchema, column: Column, texts: list[str]) -> list[str]:
    """Return `,key=value` for each distinct value of a tag.

    Raises:
        InputError: If a value cannot be written.
    """
    escaped = []
    for text in texts:
        if not text or text.endswith("\\") or _CONTROL.search(text):
            raise InputError(
                f"{schema.name}.{column.name} holds {text!r}: a tag's value is not empty, has no "
                "control character and does not end with a backslash"
            )
        if len(text.encode()) > STRING_LIMIT_BYTES:
            raise InputError(f"{schema.name}.{column.name}: a tag is longer than 64 KiB")
        escaped.append(f",{escape_key(column.name)}={escape_key(text)}")
    return escaped


def finite_floats(
    schema: TableSchema, column: Column, values: pa.Array, start: int, not_a_number: NotANumber
) -> pa.Array:
    """Return floats of which none is NaN or infinite.

    Args:
        start: Row of the first value in the whole table.

    Raises:
        InputError: If one is, and that is to be refused.
    """
    finite = pc.fill_null(pc.is_finite(values), True)
    if pc.all(finite, min_count=0).as_py():
        return values
    if not_a_number == "refuse":
        row = pc.index(finite, pa.scalar(False)).as_py()
        raise InputError(
            f"{schema.name}.{column.name} is {values[row].as_py()} in row {start + row}; "
            "a float is finite or null"
        )
    return pc.if_else(finite, values, pa.scalar(None, pa.float64()))


def escaped_strings(schema: TableSchema, column: Column, values: pa.Array) -> pa.Array:
    """Return what stands between a string field's quotes.

    Raises:
        InputError: If a string is too long.
    """
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if longest > STRING_LIMIT_BYTES:
        raise InputError(f"{schema.name}.{column.name}: a string is longer than 64 KiB")
    texts = pc.replace_substring(values, pattern="\\", replacement="\\\\")
    return pc.replace_substring(texts, pattern='"', replacement='\\"')


def field_opening(column: Column) -> str:
    """Return what stands before a field's value."""
    return escape_key(column.name) + ('="' if column.kind == "string" else "=")


def given_fields(schema: TableSchema, rows: pa.Table) -> list[Column]:
    """Return the declared fields that the rows bring.

    Raises:
        InputError: If there is none.
    """
    fields = [column for column in schema.fields if column.name in rows.column_names]
    if not fields:
        raise InputError(f"{schema.name}: no field column is given")
    return fields


def no_field(schema: TableSchema, row: int) -> InputError:
    """Return the error of a row without a field."""
    return InputError(f"{schema.name}: row {row} has no field, and a line needs one")


def flat(rows: pa.Table, name: str) -> pa.Array:
    """Return a column as one array."""
    return rows.column(name).combine_chunks()
