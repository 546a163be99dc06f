"""The grammar of one line of InfluxDB line protocol, with the real parser's messages.

Source: InfluxDB 3's influxdb_line_protocol crate (rules and wording of its errors).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

FieldKind = Literal["float", "integer", "uinteger", "string", "boolean"]
SeriesKey = tuple[tuple[str, str], ...]

STRING_LIMIT_BYTES = 65_536
TRUE_WORDS = ("true", "True", "TRUE", "t", "T")
FALSE_WORDS = ("false", "False", "FALSE", "f", "F")

_CONTEXT_CHARACTERS = 10
_NUMBER = "-?[0-9]+"
VALUE_PATTERNS: dict[FieldKind, str] = {
    "integer": f"({_NUMBER})i",
    "uinteger": "([0-9]+)u",
    "float": rf"({_NUMBER}(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)",
    "string": r'"((?:[^"\\]|\\.)*)"',
    "boolean": f"({'|'.join(TRUE_WORDS + FALSE_WORDS)})",
}
TIME_PATTERN = f"(?: +({_NUMBER}) *)?"

_VALUES = [(kind, re.compile(text, re.DOTALL)) for kind, text in VALUE_PATTERNS.items()]
_TIME = re.compile(TIME_PATTERN)
_MEASUREMENT = re.compile(r"(?:[^ \t\n\0,\\]|\\.|\\$)+", re.DOTALL)
_KEY = re.compile(r"(?:[^ \t\n=\\]|\\.|\\$)+", re.DOTALL)
_TAG_VALUE = re.compile(r"(?:[^ \t\n,\\]|\\.|\\$)+", re.DOTALL)
_HEAD = re.compile(r"(?:[^ \\]|\\.|\\$)*", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\,= ])")
_MEASUREMENT_ESCAPE = re.compile(r"\\([\\, ])")
_STRING_ESCAPE = re.compile(r'\\([\\"])')


class LineSyntaxError(ValueError):
    """Report why one line is no line protocol."""


class Field(NamedTuple):
    """A field as a line names it.

    Attributes:
        raw: The key as written, with its escapes.
        name: The key itself.
        kind: The type of its value.
    """

    raw: str
    name: str
    kind: FieldKind


def split_head(line: str) -> tuple[str, str]:
    """Return a line's series text (up to the first bare space) and what follows its spaces."""
    head, _, rest = line.partition(" ")
    if "\\" in head:
        found = _HEAD.match(line)
        head = found.group() if found else head
        rest = line[len(head) + 1 :]
    return head, rest.lstrip(" ") if rest[:1] == " " else rest


def parse_series(line: str) -> tuple[str, SeriesKey]:
    """Return the table and the tags, sorted by key, of a line.

    Raises:
        LineSyntaxError: If the line does not begin with them and a space.
    """
    found = _MEASUREMENT.match(line)
    if not found:
        raise LineSyntaxError("Invalid measurement was provided")
    name = _unescaped(found.group(), _MEASUREMENT_ESCAPE)
    at = found.end()
    tags: dict[str, str] = {}
    tag_set = line[at + 1 :]
    while line[at : at + 1] == ",":
        key, at = _tag_part(_KEY, line, at + 1, "key")
        if line[at : at + 1] != "=":
            raise LineSyntaxError(
                f"Tag set malformed: could not find equals sign in `{_cut(tag_set)}`"
            )
        value, at = _tag_part(_TAG_VALUE, line, at + 1, "value")
        if key in tags:
            raise LineSyntaxError(f"Must not contain duplicate tags, but `{key}` was repeated")
        tags[key] = value
    if line[at : at + 1] != " ":
        rest = f"`{line[at:]}`" if line[at:] else "end of input"
        raise LineSyntaxError(f"Expected at least one space character, got {rest}")
    _refuse_time(tags)
    return name, tuple(sorted(tags.items()))


def parse_fields(text: str) -> tuple[Field, ...]:
    """Return the fields of a line.

    Args:
        text: What follows the series and its spaces: fields, perhaps a timestamp.

    Raises:
        LineSyntaxError: If there is none, one is repeated, or something else follows.
    """
    fields: list[Field] = []
    at = 0
    while True:
        field, end = _field(text, at)
        if field is None:
            if not fields:
                raise LineSyntaxError("No fields were provided")
            end = at if len(fields) == 1 else at - 1
            break
        fields.append(field)
        if text[end : end + 1] != ",":
            break
        at = end + 1
    time = _TIME.match(text, end)
    end = time.end() if time else end
    if end != len(text):
        raise LineSyntaxError(
            f"Could not parse entire line. Found trailing content: `{_cut(text[end:])}`"
        )
    names = [field.name for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise LineSyntaxError(f"Must not contain duplicate fields, but `{name}` was repeated")
    _refuse_time(names)
    return tuple(fields)


def unescape_string(text: str) -> str:
    """Return the value of a quoted string, given what stands between its quotes.

    Raises:
        LineSyntaxError: If it is longer than the server takes.
    """
    value = _STRING_ESCAPE.sub(r"\1", text) if "\\" in text else text
    _refuse_long(value)
    return value


def _tag_part(
    pattern: re.Pattern[str], line: str, at: int, what: Literal["key", "value"]
) -> tuple[str, int]:
    found = pattern.match(line, at)
    if not found:
        rest = f"`{_cut(line[at:])}`" if line[at:] else "end of input"
        raise LineSyntaxError(f"Expected tag {what}, got {rest}")
    return _unescaped(found.group(), _ESCAPE), found.end()


def _field(text: str, at: int) -> tuple[Field | None, int]:
    key = _KEY.match(text, at)
    if not key or text[key.end() : key.end() + 1] != "=":
        return None, at
    for kind, pattern in _VALUES:
        value = pattern.match(text, key.end() + 1)
        if value:
            return Field(key.group(), _unescaped(key.group(), _ESCAPE), kind), value.end()
    return None, at


def _unescaped(text: str, escape: re.Pattern[str]) -> str:
    value = escape.sub(r"\1", text) if "\\" in text else text
    if value.endswith("\\"):
        raise LineSyntaxError(
            "Measurements, tag keys and values, and field keys may not end with a backslash"
        )
    _refuse_long(value)
    return value


def _refuse_long(value: str) -> None:
    if len(value) > STRING_LIMIT_BYTES // 4 and len(value.encode()) > STRING_LIMIT_BYTES:
        raise LineSyntaxError("String is greater than 64KB")


def _refuse_time(names: list[str] | dict[str, str]) -> None:
    if "time" in names:
        raise LineSyntaxError("The column `time` holds the timestamp and cannot be a tag or field")


def _cut(text: str) -> str:
    return f"{text[:_CONTEXT_CHARACTERS]}..." if len(text.encode()) > _CONTEXT_CHARACTERS else text
