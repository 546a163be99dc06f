"""Write query results in the formats of `/api/v3/query_sql`."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

CONTENT_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "pretty": "text/plain; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
ACCEPTED = {
    "application/json": "json",
    "text/csv": "csv",
    "text/plain": "pretty",
    "application/vnd.apache.parquet": "parquet",
}


def format_for(name: str | None, accept: str | None) -> str | None:
    """Return the format asked for by parameter or Accept header, None if it is unknown."""
    if name is not None:
        return name if name in CONTENT_TYPES else None
    if accept is None or "*/*" in accept:
        return "json"
    return ACCEPTED.get(accept.partition(";")[0].strip().lower())


def render(table: pa.Table, form: str) -> bytes:
    """Return a result as bytes.

    Args:
        table: The result, in plain types.
        form: A key of CONTENT_TYPES. JSON leaves nulls out and writes times in ISO 8601
            without a zone, as InfluxDB 3 does; an empty Parquet answer has no bytes.
    """
    writers: dict[str, Callable[[pa.Table], bytes]] = {
        "json": _json,
        "jsonl": _json_lines,
        "csv": _csv,
        "pretty": _pretty,
        "parquet": _parquet,
    }
    return writers[form](table)


def _json(table: pa.Table) -> bytes:
    return ("[" + ",".join(_objects(table)) + "]").encode()


def _json_lines(table: pa.Table) -> bytes:
    return "".join(f"{text}\n" for text in _objects(table)).encode()


def _objects(table: pa.Table) -> Iterator[str]:
    columns = [_values(table.column(index)) for index in range(table.num_columns)]
    names = table.column_names
    for row in zip(*columns, strict=True):
        present = {name: value for name, value in zip(names, row, strict=True) if value is not None}
        yield json.dumps(present, separators=(",", ":"), ensure_ascii=False)


def _csv(table: pa.Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if table.num_columns:
        writer.writerow(table.column_names)
    for row in _texts(table):
        writer.writerow(row)
    return text.getvalue().encode()


def _pretty(table: pa.Table) -> bytes:
    rows = [table.column_names, *_texts(table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def line(row: list[str]) -> str:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        return "| " + " | ".join(cells) + " |"

    lines = [rule, line(rows[0]), rule, *map(line, rows[1:])]
    return "\n".join([*lines, rule] if len(rows) > 1 else lines).encode()


def _parquet(table: pa.Table) -> bytes:
    if not table.num_rows:
        return b""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _texts(table: pa.Table) -> Iterator[list[str]]:
    columns = [_values(table.column(index)) for index in range(table.num_columns)]
    for row in zip(*columns, strict=True):
        yield [_text(value) for value in row]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        return _iso_times(column)
    return [_plain(value) for value in column.to_pylist()]


def _iso_times(column: pa.ChunkedArray) -> list[str | None]:
    """Return times as `2024-01-02T03:04:05`, with 3, 6 or 9 digits of a second if needed.

    Times in a zone are those of its clocks, followed by the offset from UTC.
    """
    if column.type.tz is not None:
        local = pc.local_timestamp(column)
        ahead = pc.subtract(local.cast(pa.int64()), column.cast(pa.int64())).to_pylist()
        return [
            None if text is None else text + _offset(ns // 1_000_000_000)
            for text, ns in zip(_iso_times(local), ahead, strict=True)
        ]
    numbers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    texts = np.datetime_as_string(numbers.astype("M8[ns]"), unit="ns").tolist()
    valid = column.is_valid().to_pylist()
    return [_shortened(text) if good else None for text, good in zip(texts, valid, strict=True)]


def _offset(ahead_s: int) -> str:
    """Return an offset from UTC as RFC 3339 writes it."""
    if ahead_s == 0:
        return "Z"
    hours, minutes = divmod(abs(ahead_s) // 60, 60)
    return f"{'-' if ahead_s < 0 else '+'}{hours:02d}:{minutes:02d}"


def _shortened(text: str) -> str:
    whole, _, fraction = text.partition(".")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{whole}.{fraction}" if fraction else whole


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, datetime.timedelta)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
