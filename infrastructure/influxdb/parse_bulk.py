"""Read a body with the kernels, shape by shape; leave the unusual lines to the line reader.

The result is the reader's to the order of its series: each head that the kernels found, and each
line that they left, is handed to the reader in the order of the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.influxdb.grammar import (
    Field,
    FieldKind,
    LineSyntaxError,
    SeriesKey,
    parse_fields,
    parse_series,
    split_head,
)
from infrastructure.influxdb.line_reader import LineReader
from infrastructure.influxdb.lines import is_open
from infrastructure.influxdb.parse_kernels import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    LEFT,
    STRING,
    WAITING,
    first_lines,
    gather,
    match_lines,
    scan_lines,
)
from infrastructure.influxdb.parsed import Block, ParsedBody
from infrastructure.influxdb.word_kernels import find_newlines

_SHAPES_TRIED = 16
_LINES_TRIED = 64
_MOST_CELLS = 16_000_000
_KINDS: dict[FieldKind, int] = {
    "float": FLOAT,
    "integer": INTEGER,
    "uinteger": INTEGER,
    "string": STRING,
    "boolean": BOOLEAN,
}
_SUFFIXES = {"integer": ord("i"), "uinteger": ord("u")}

Fields = tuple[Field, ...]


def read_body(body: bytes, unit: int | None, now_ns: int) -> ParsedBody:
    """Return the tables and errors of a body.

    Args:
        body: UTF-8 text.
        unit: Nanoseconds of one unit of the timestamps; None guesses each by its size.
        now_ns: Time of lines without a timestamp.

    Raises:
        UnicodeDecodeError: If the body is not UTF-8.
    """
    if not body.isascii():
        body.decode()
    lines = _Lines(body)
    return _BulkReader(lines, unit, now_ns).read()


class _Lines(Mapping[int, str]):
    """The lines of a body by their numbers, decoded when they are looked at.

    Args:
        body: Valid UTF-8.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.bytes = np.frombuffer(body, np.uint8)
        plain = b'"' not in body and b"\\" not in body
        breaks = np.empty(np.count_nonzero(self.bytes == ord("\n")) + 1, np.int64)
        breaks[find_newlines(self.bytes, breaks)] = len(body)
        starts, ends, numbers = (np.empty(len(breaks), np.int64) for _ in range(3))
        line, count = scan_lines(self.bytes, breaks, 0, plain, starts, ends, numbers, 0)
        while line < len(breaks):
            start = int(breaks[line - 1]) + 1 if line else 0
            numbers[count] = line + 1
            text = body[start : int(breaks[line])].decode().lstrip(" \t")
            starts[count] = int(breaks[line]) - len(text.encode())
            line += 1
            if not (plain and text.isspace()):
                while line < len(breaks) and is_open(text):
                    text = f"{text}\n{body[int(breaks[line - 1]) + 1 : int(breaks[line])].decode()}"
                    line += 1
                ends[count] = breaks[line - 1]
                count += 1
            line, count = scan_lines(self.bytes, breaks, line, plain, starts, ends, numbers, count)
        self.starts, self.ends, self.numbers = starts[:count], ends[:count], numbers[:count]

    def text(self, index: int) -> str:
        """Return a line by its place among the lines."""
        return self.body[self.starts[index] : self.ends[index]].decode()

    def __getitem__(self, number: int) -> str:
        index = int(self.numbers.searchsorted(number))
        if index == len(self.numbers) or self.numbers[index] != number:
            raise KeyError(number)
        return self.text(index)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers.tolist())

    def __len__(self) -> int:
        return len(self.numbers)


class _Columns:
    """Room for what the kernel reads of one shape, shapes (fields, lines)."""

    def __init__(self, fields: Fields, lines: int) -> None:
        self.fields = fields
        self.numbers = np.empty((len(fields), lines), np.int64)
        self.floats = np.empty((len(fields), lines), np.float64)
        self.lengths = np.empty((len(fields), lines), np.int32)

    def values(self, body: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> list[pa.Array]:
        """Return the values of some lines, by field."""
        return [self._values(place, body, rows) for place in range(len(self.fields))]

    def _values(
        self, place: int, body: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
    ) -> pa.Array:
        kind = self.fields[place].kind
        if kind == "float":
            return pa.array(self.floats[place][rows])
        numbers = self.numbers[place][rows]
        if kind == "integer":
            return pa.array(numbers)
        if kind == "uinteger":
            return pa.array(numbers.astype(np.uint64))
        if kind == "boolean":
            return pa.array(numbers.astype(np.bool_))
        lengths = self.lengths[place][rows]
        text = np.empty(int(lengths.sum()), np.uint8)
        ends = np.empty(len(rows) + 1, np.int32)
        gather(body, numbers, lengths, text, ends)
        return pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends), pa.py_buffer(text))


class _BulkReader:
    """Read the lines of a body shape by shape."""

    def __init__(self, lines: _Lines, unit: int | None, now_ns: int) -> None:
        count = len(lines)
        self._lines = lines
        self._unit = unit or 0
        self._now_ns = now_ns
        self._reader = LineReader(lines, unit, now_ns)
        self._shapes: list[_Columns] = []
        self._states = np.full(count, WAITING, np.int16)
        self._time = np.empty(count, np.int64)
        self._heads = np.empty(count, np.int32)
        self._slots = np.full(1 << (2 * count + 1).bit_length(), -1, np.int32)
        self._head_lines = np.empty(count, np.int64)
        self._head_ends = np.empty(count, np.int64)
        self._head_count = 0

    def read(self) -> ParsedBody:
        self._match()
        for shape, columns in enumerate(self._shapes):
            self._complete(shape, columns)
        return self._reader.finish(self._blocks(*self._hand_over()))

    def _match(self) -> None:
        """Try the shape of the first waiting line on all of them, until none waits."""
        shapes: set[Fields] = set()
        tried = 0
        waiting = np.flatnonzero(self._states == WAITING)
        while len(waiting) and tried < _LINES_TRIED and len(shapes) < _SHAPES_TRIED:
            fields = self._fields(int(waiting[0]))
            if fields is not None and fields not in shapes:
                shapes.add(fields)
                self._match_shape(fields)
            if self._states[waiting[0]] == WAITING:
                self._states[waiting[0]] = LEFT
            waiting = np.flatnonzero(self._states == WAITING)
            tried += 1
        self._states[waiting] = LEFT

    def _fields(self, index: int) -> Fields | None:
        """Return the fields of a line, None if it is not for the kernels."""
        text = self._lines.text(index)
        if "\\" in text:
            return None
        try:
            fields = parse_fields(split_head(text)[1])
        except LineSyntaxError:
            return None
        return fields if len(fields) * len(self._lines) <= _MOST_CELLS else None

    def _match_shape(self, fields: Fields) -> None:
        keys = [f"{',' if place else ''}{each.raw}=".encode() for place, each in enumerate(fields)]
        columns = _Columns(fields, len(self._lines))
        self._head_count = match_lines(
            self._lines.bytes,
            self._lines.starts,
            self._lines.ends,
            self._states,
            len(self._shapes),
            np.frombuffer(b"".join(keys), np.uint8),
            np.cumsum([0, *map(len, keys)], dtype=np.int64),
            np.array([_KINDS[field.kind] for field in fields], np.uint8),
            np.array([_SUFFIXES.get(field.kind, 0) for field in fields], np.uint8),
            self._unit,
            self._now_ns,
            columns.numbers,
            columns.floats,
            columns.lengths,
            self._time,
            self._heads,
            self._slots,
            self._head_lines,
            self._head_ends,
            self._head_count,
        )
        self._shapes.append(columns)

    def _complete(self, shape: int, columns: _Columns) -> None:
        """Convert the floats that the kernel could not, and leave lines with infinite ones."""
        mine = self._states == shape
        for place, field in enumerate(columns.fields):
            if field.kind != "float":
                continue
            long = np.flatnonzero(mine & (columns.lengths[place] > 0))
            starts = columns.numbers[place][long]
            ends = starts + columns.lengths[place][long]
            body = self._lines.body
            spans = zip(starts.tolist(), ends.tolist(), strict=True)
            floats = np.array([float(body[start:end]) for start, end in spans], np.float64)
            columns.floats[place][long] = floats
            self._states[long[~np.isfinite(floats)]] = LEFT

    def _hand_over(self) -> tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Give heads and left lines to the reader, in the order of the lines.

        Returns:
            The names of the tables; the table, and the series, of each head.
        """
        tables = np.zeros(self._head_count, np.int32)
        series = np.zeros(self._head_count, np.int32)
        names: dict[str, int] = {}
        parsed = self._parsed_heads()
        firsts = np.empty(self._head_count, np.int64)
        first_lines(self._states, self._heads, firsts)
        events = [(line, head) for head, line in enumerate(firsts.tolist()) if line >= 0]
        events += [(line, -1) for line in np.flatnonzero(self._states == LEFT).tolist()]
        for line, head in sorted(events):
            if head < 0:
                self._reader.read_line(int(self._lines.numbers[line]), self._lines.text(line))
            else:
                name, series[head] = self._reader.series_of(*parsed[head])
                tables[head] = names.setdefault(name, len(names))
        return list(names), tables, series

    def _parsed_heads(self) -> dict[int, tuple[str, str, SeriesKey]]:
        """Return text, table and tags of the good heads; leave the lines of the others."""
        parsed = {}
        bad = np.zeros(self._head_count, np.bool_)
        for head in range(self._head_count):
            line = int(self._head_lines[head])
            text = self._lines.body[self._lines.starts[line] : self._head_ends[head]].decode()
            try:
                parsed[head] = (text, *parse_series(f"{text} "))
            except LineSyntaxError:
                bad[head] = True
        matched = np.flatnonzero(self._states >= 0)
        self._states[matched[bad[self._heads[matched]]]] = LEFT
        return parsed

    def _blocks(
        self,
        names: list[str],
        tables: npt.NDArray[np.int32],
        series: npt.NDArray[np.int32],
    ) -> dict[tuple[str, Fields], Block]:
        blocks = {}
        for shape, columns in enumerate(self._shapes):
            lines = np.flatnonzero(self._states == shape)
            table_of = tables[self._heads[lines]]
            for number, name in enumerate(names):
                rows = lines if len(names) == 1 else lines[table_of == number]
                if not len(rows):
                    continue
                values = columns.values(self._lines.bytes, rows)
                blocks[name, columns.fields] = Block(
                    kinds={field.name: field.kind for field in columns.fields},
                    values={
                        field.name: column
                        for field, column in zip(columns.fields, values, strict=True)
                    },
                    series=series[self._heads[rows]],
                    time=self._time[rows],
                    line_numbers=self._lines.numbers[rows],
                )
        return blocks
