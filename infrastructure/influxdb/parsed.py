"""What a body of line protocol holds: columns by table and shape, an error for each bad line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.errors import LineError
from infrastructure.influxdb.grammar import FieldKind, SeriesKey

ORIGINAL_LINE_BYTES = 20
ARROW_TYPES: dict[FieldKind, pa.DataType] = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "uinteger": pa.uint64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


@dataclass(slots=True)
class Block:
    """Rows of one shape: the same fields, in the same types, none of them null.

    Attributes:
        kinds: Field name to its type.
        values: Field name to its values, shape (rows,).
        series: Index into the table's series, int32, shape (rows,).
        time: Nanoseconds UTC, int64, shape (rows,).
        line_numbers: Line of each row in the body, from 1, int64, shape (rows,).
    """

    kinds: dict[str, FieldKind]
    values: dict[str, pa.Array]
    series: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    line_numbers: npt.NDArray[np.int64]


@dataclass(slots=True)
class TableLines:
    """All good lines of one table.

    Attributes:
        name: The table.
        series: Distinct tag sets, each sorted by key.
        blocks: One a shape, in the order of their first lines.
    """

    name: str
    series: list[SeriesKey]
    blocks: list[Block]


@dataclass(slots=True)
class ParsedBody:
    """A parsed body.

    Attributes:
        tables: The good lines, by table in the order of their first lines.
        errors: The bad lines, by number.
        lines: Line number to text, of every line, in their order.
        size: Bytes of the body.
    """

    tables: list[TableLines]
    errors: list[LineError]
    lines: Mapping[int, str]
    size: int = 0

    def error(self, line_number: int, message: str) -> LineError:
        """Return the error entry for a line; its text is cut to the server's 20 bytes."""
        original = self.lines[line_number].encode()[:ORIGINAL_LINE_BYTES]
        return LineError(line_number, message, original.decode(errors="ignore"))
