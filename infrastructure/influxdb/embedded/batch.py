"""Fit the parsed lines of one write to the tables' columns, and carry them to the log."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.errors import LineError
from infrastructure.influxdb.embedded.rows import Rows, concatenate
from infrastructure.influxdb.grammar import FieldKind, SeriesKey
from infrastructure.influxdb.parse import ARROW_TYPES, Block, ParsedBody, TableLines

ColumnKind = FieldKind | Literal["tag"]
Columns = dict[str, ColumnKind]

IOX_TYPES: dict[ColumnKind, str] = {
    "tag": "iox::column_type::tag",
    "float": "iox::column_type::field::float",
    "integer": "iox::column_type::field::integer",
    "uinteger": "iox::column_type::field::uinteger",
    "string": "iox::column_type::field::string",
    "boolean": "iox::column_type::field::boolean",
}


@dataclass(frozen=True, slots=True)
class TableBatch:
    """The accepted rows of one write for one table, in the order of their lines.

    Attributes:
        table: Its name.
        columns: All columns that the rows touch, tags first, as the table must know them.
        series: Distinct tag sets; `rows.series` are indexes into this list.
        rows: The rows.
    """

    table: str
    columns: Columns
    series: list[SeriesKey]
    rows: Rows


def field_types(columns: Mapping[str, ColumnKind]) -> dict[str, pa.DataType]:
    """Return the Arrow type of each field among the columns."""
    return {name: ARROW_TYPES[kind] for name, kind in columns.items() if kind != "tag"}


def fit(
    lines: TableLines, body: ParsedBody, known: Columns
) -> tuple[TableBatch | None, list[LineError]]:
    """Check parsed lines against a table's columns.

    Args:
        lines: The table's lines.
        body: The body that they come from.
        known: The table's columns; not changed.

    Returns:
        The rows that fit, None if there are none, and the lines that do not.
    """
    columns = dict(known)
    errors: list[LineError] = []
    pieces: list[Rows] = []
    numbers: list[npt.NDArray[np.int64]] = []
    for block in lines.blocks:
        kept, refused = _fit_block(block, lines.series, columns)
        errors += [body.error(int(number), message) for number, message in refused]
        if kept.any():
            rows = Rows(block.series, block.time, block.values)
            pieces.append(rows if kept.all() else rows.take(kept))
            numbers.append(block.line_numbers[kept])
    if not pieces:
        return None, errors
    rows = concatenate(pieces, field_types(columns))
    if len(pieces) > 1:
        rows = rows.take(np.argsort(np.concatenate(numbers), kind="stable"))
    return TableBatch(lines.name, columns, lines.series, rows), errors


def _fit_block(
    block: Block, series: list[SeriesKey], columns: Columns
) -> tuple[npt.NDArray[np.bool_], list[tuple[int, str]]]:
    """Return which rows of a block fit, and the others' lines and reasons; extend the columns."""
    kept = np.ones(len(block.time), np.bool_)
    refused: list[tuple[int, str]] = []
    for number in np.unique(block.series).tolist():
        wanted: Columns = {key: "tag" for key, _ in series[number]}
        message = _conflict(wanted, columns) or _conflict(block.kinds, {**columns, **wanted})
        if message is None:
            columns.update(wanted)
            columns.update(block.kinds)
        else:
            mine = block.series == number
            kept[mine] = False
            refused += [(line, message) for line in block.line_numbers[mine].tolist()]
    return kept, refused


def _conflict(wanted: Mapping[str, ColumnKind], columns: Columns) -> str | None:
    for name, kind in wanted.items():
        known = columns.get(name, kind)
        if known != kind:
            return (
                f"invalid column type for column '{name}', expected {IOX_TYPES[known]}, "
                f"got {IOX_TYPES[kind]}"
            )
    return None


def pack(batch: TableBatch) -> tuple[dict[str, Any], bytes]:
    """Return a batch as a JSON-able head and an Arrow IPC stream, for the log."""
    arrays = [pa.array(batch.rows.series), pa.array(batch.rows.time), *batch.rows.fields.values()]
    names = ["series", "time", *(f"field:{name}" for name in batch.rows.fields)]
    record = pa.RecordBatch.from_arrays(arrays, names)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, record.schema) as writer:
        writer.write_batch(record)
    head = {
        "table": batch.table,
        "columns": list(batch.columns.items()),
        "series": [list(map(list, key)) for key in batch.series],
        "bytes": sink.tell(),
    }
    return head, sink.getvalue()


def unpack(head: Mapping[str, Any], data: memoryview) -> TableBatch:
    """Return the batch that `pack` took apart."""
    with pa.ipc.open_stream(pa.py_buffer(bytes(data))) as reader:
        record = reader.read_next_batch()
    fields = {
        name.removeprefix("field:"): record.column(index)
        for index, name in enumerate(record.schema.names)
        if index > 1
    }
    rows = Rows(record.column(0).to_numpy(), record.column(1).to_numpy(), fields)
    series = [tuple((key, value) for key, value in tags) for tags in head["series"]]
    return TableBatch(head["table"], dict(head["columns"]), series, rows)
