"""Read lines one by one: the exact reference, and the way for whatever is unusual.

Lines of one table with the same fields in the same order and types ("shape") share one compiled
pattern and become one columnar block; tags are parsed once a distinct series text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.influxdb.grammar import (
    TIME_PATTERN,
    TRUE_WORDS,
    VALUE_PATTERNS,
    Field,
    FieldKind,
    LineSyntaxError,
    SeriesKey,
    parse_fields,
    parse_series,
    split_head,
    unescape_string,
)
from infrastructure.influxdb.parsed import ARROW_TYPES, Block, ParsedBody, TableLines

_SHAPES_TRIED = 8
_LONGEST_NUMBER = 100
_BILLION = 1_000_000_000
_MAGNITUDES = ((5, 1_000_000_000), (5_000, 1_000_000), (5_000_000, 1_000))
_LONGEST_NS = 2**63 - 1
_INTEGER_RANGES = {
    "integer": (-(2**63), 2**63 - 1, "integer"),
    "uinteger": (0, 2**64 - 1, "unsigned integer"),
}


def nanoseconds(timestamp: int, unit: int | None) -> int:
    """Return a timestamp in nanoseconds.

    Args:
        timestamp: As written.
        unit: Nanoseconds of one of its units; None guesses s, ms, us or ns by magnitude.

    Raises:
        LineSyntaxError: If it does not fit 64 bits.
    """
    if unit is None:
        unit = _guessed_unit(timestamp)
    result = timestamp * unit
    if not -(2**63) <= result < 2**63:
        raise LineSyntaxError(f"Unable to parse timestamp value `{timestamp}`")
    return result


def _times(stamps: tuple[str | None, ...], unit: int | None, now_ns: int) -> npt.NDArray[np.int64]:
    """Return the nanoseconds of many timestamps; None stands for now."""
    if None not in stamps:
        try:
            numbers = pa.array(stamps, pa.string()).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            return np.array([_timestamp(text or "", unit) for text in stamps], np.int64)
        units = _guessed_units(numbers) if unit is None else np.int64(unit)
        if numbers.min() >= -_LONGEST_NS and (np.abs(numbers) <= _LONGEST_NS // units).all():
            return np.asarray(numbers * units, np.int64)
    return np.array(
        [now_ns if text is None else _timestamp(text, unit) for text in stamps], np.int64
    )


def _guessed_units(timestamps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    billions = np.abs(timestamps) // _BILLION
    steps = [billions < below for below, _ in _MAGNITUDES]
    return np.select(steps, [np.int64(unit) for _, unit in _MAGNITUDES], np.int64(1))


def _timestamp(text: str, unit: int | None) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise LineSyntaxError(f"Unable to parse timestamp value `{text}`")
    return nanoseconds(int(text), unit)


def _guessed_unit(timestamp: int) -> int:
    billions = abs(timestamp) // _BILLION
    for below, unit in _MAGNITUDES:
        if billions < below:
            return unit
    return 1


@dataclass(slots=True)
class _Shape:
    """One sequence of fields and types, and the rows that matched its pattern."""

    fields: tuple[Field, ...]
    pattern: re.Pattern[str]
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    line_numbers: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, fields: tuple[Field, ...]) -> _Shape:
        body = ",".join(f"{re.escape(raw)}={VALUE_PATTERNS[kind]}" for raw, _, kind in fields)
        return cls(fields, re.compile(body + TIME_PATTERN, re.DOTALL))

    def block(self, unit: int | None, now_ns: int) -> Block:
        *texts, stamps = zip(*self.rows, strict=True)
        return Block(
            kinds={name: kind for _, name, kind in self.fields},
            values={
                name: _column(kind, column)
                for (_, name, kind), column in zip(self.fields, texts, strict=True)
            },
            series=np.array(self.series, np.int32),
            time=_times(stamps, unit, now_ns),
            line_numbers=np.array(self.line_numbers, np.int64),
        )

    def refuse_rows(self, unit: int | None) -> list[tuple[int, str]]:
        """Take out the rows that do not convert and return their lines and reasons."""
        refused = []
        kept = []
        for index, row in enumerate(self.rows):
            try:
                for (_, _, kind), text in zip(self.fields, row[:-1], strict=True):
                    _column(kind, (text,))
                if row[-1] is not None:
                    _timestamp(row[-1], unit)
            except LineSyntaxError as error:
                refused.append((self.line_numbers[index], str(error)))
            else:
                kept.append(index)
        self.rows = [self.rows[index] for index in kept]
        self.series = [self.series[index] for index in kept]
        self.line_numbers = [self.line_numbers[index] for index in kept]
        return refused


@dataclass(slots=True)
class _Table:
    """The series and shapes of one table."""

    name: str
    series: dict[SeriesKey, int] = field(default_factory=dict)
    shapes: dict[tuple[Field, ...], _Shape] = field(default_factory=dict)
    recent: list[_Shape] = field(default_factory=list)

    def shape_of(self, rest: str) -> _Shape:
        fields = parse_fields(rest)
        shape = self.shapes.get(fields)
        if shape is None:
            shape = self.shapes[fields] = _Shape.of(fields)
        self.recent = [shape, *(other for other in self.recent if other is not shape)]
        del self.recent[_SHAPES_TRIED:]
        return shape


class LineReader:
    """Sort the lines of a body into tables and shapes.

    Args:
        lines: Line number to text.
        unit: Nanoseconds of one unit of the timestamps; None guesses each by its size.
        now_ns: Time of lines without a timestamp.
    """

    def __init__(self, lines: Mapping[int, str], unit: int | None, now_ns: int) -> None:
        self._unit = unit
        self._now_ns = now_ns
        self._tables: dict[str, _Table] = {}
        self._heads: dict[str, tuple[_Table, int]] = {}
        self._body = ParsedBody([], [], lines)

    def read_line(self, number: int, line: str) -> None:
        """Read one line, or note its error."""
        try:
            self._read_line(number, line)
        except LineSyntaxError as error:
            self._refuse(number, str(error))

    def series_of(self, head: str, name: str, tags: SeriesKey) -> tuple[str, int]:
        """Return table and series of a parsed head, which becomes known to the later lines."""
        table, series = self._heads[head] = self._added(name, tags)
        return table.name, series

    def finish(self, read: Mapping[tuple[str, tuple[Field, ...]], Block]) -> ParsedBody:
        """Return all tables and errors.

        Args:
            read: Blocks by table and fields that were read elsewhere, of tables known here.
        """
        for table in self._tables.values():
            blocks = {fields: read[name, fields] for name, fields in read if name == table.name}
            for fields, shape in table.shapes.items():
                block = self._block(shape)
                if block is not None:
                    other = blocks.get(fields)
                    blocks[fields] = block if other is None else _merged(block, other)
            if blocks:
                found = sorted(blocks.values(), key=lambda block: int(block.line_numbers[0]))
                self._body.tables.append(TableLines(table.name, list(table.series), found))
        self._body.errors.sort()
        return self._body

    def _read_line(self, number: int, line: str) -> None:
        head, rest = split_head(line)
        known = self._heads.get(head)
        if known is None:
            known = self._heads[head] = self._added(*parse_series(line))
        table, series = known
        for shape in table.recent:
            match = shape.pattern.fullmatch(rest)
            if match is not None:
                break
        else:
            shape = table.shape_of(rest)
            match = shape.pattern.fullmatch(rest)
            if match is None:
                raise LineSyntaxError("No fields were provided")
        shape.rows.append(match.groups())
        shape.series.append(series)
        shape.line_numbers.append(number)

    def _added(self, name: str, tags: SeriesKey) -> tuple[_Table, int]:
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = _Table(name)
        return table, table.series.setdefault(tags, len(table.series))

    def _block(self, shape: _Shape) -> Block | None:
        if not shape.rows:
            return None
        try:
            return shape.block(self._unit, self._now_ns)
        except LineSyntaxError:
            for number, message in shape.refuse_rows(self._unit):
                self._refuse(number, message)
        return shape.block(self._unit, self._now_ns) if shape.rows else None

    def _refuse(self, number: int, message: str) -> None:
        self._body.errors.append(self._body.error(number, message))


def _merged(one: Block, other: Block) -> Block:
    """Return the rows of two blocks of one shape in the order of their lines."""
    line_numbers = np.concatenate([one.line_numbers, other.line_numbers])
    order = np.argsort(line_numbers)
    return Block(
        kinds=one.kinds,
        values={
            name: pa.concat_arrays([values, other.values[name]]).take(pa.array(order))
            for name, values in one.values.items()
        },
        series=np.concatenate([one.series, other.series])[order],
        time=np.concatenate([one.time, other.time])[order],
        line_numbers=line_numbers[order],
    )


def _column(kind: FieldKind, texts: tuple[str | None, ...]) -> pa.Array:
    """Convert the texts of one field, or raise LineSyntaxError naming one that does not fit."""
    if kind == "float":
        floats = np.array(list(map(float, texts)), np.float64)  # type: ignore[arg-type]
        finite = np.isfinite(floats)
        if not finite.all():
            bad = texts[int(finite.argmin())]
            raise LineSyntaxError(f"Unable to parse floating-point value `{bad}`")
        return pa.array(floats)
    if kind == "boolean":
        return pa.array([text in TRUE_WORDS for text in texts], pa.bool_())
    if kind == "string":
        return pa.array([unescape_string(text or "") for text in texts], pa.string())
    try:
        return pa.array(texts, pa.string()).cast(ARROW_TYPES[kind])
    except pa.ArrowInvalid:
        return _integers(kind, texts)


def _integers(kind: Literal["integer", "uinteger"], texts: tuple[str | None, ...]) -> pa.Array:
    least, most, label = _INTEGER_RANGES[kind]
    numbers = []
    for text in texts:
        number = int(text) if text and len(text) <= _LONGEST_NUMBER else most + 1
        if not least <= number <= most:
            raise LineSyntaxError(f"Unable to parse {label} value `{text}`")
        numbers.append(number)
    return pa.array(numbers, ARROW_TYPES[kind])
