"""Declare a table once: its tags, fields, units and how long it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

ColumnKind = Literal["tag", "float", "integer", "string", "boolean"]

TIME = "time"
RESERVED = frozenset({TIME})

ARROW_TYPES: dict[ColumnKind, pa.DataType] = {
    "tag": pa.string(),
    "float": pa.float64(),
    "integer": pa.int64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        name: As in the store; not empty, not `time`.
        kind: A tag (part of the row's identity) or the type of a field.
        unit: Of the values, "" where there is none.
        description: One line for people.

    Raises:
        ValueError: If the name cannot be stored or the kind is unknown.
    """

    name: str
    kind: ColumnKind
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if not self.name or self.name in RESERVED or self.name.endswith("\\"):
            raise ValueError(f"{self.name!r} cannot name a column")
        if any(character in self.name for character in "\n\r\t\0"):
            raise ValueError(f"{self.name!r} holds a control character and cannot name a column")
        if self.kind not in ARROW_TYPES:
            raise ValueError(f"{self.kind!r} is no column kind; expected {sorted(ARROW_TYPES)}")

    @property
    def arrow_type(self) -> pa.DataType:
        """Return the type of this column's values in Arrow."""
        return ARROW_TYPES[self.kind]


@dataclass(frozen=True)
class TableSchema:
    """A table of the store: rows are identified by all tags and `time` (int64 ns UTC).

    Args:
        name: The table's name.
        tags: Columns of kind "tag".
        fields: All other columns, at least one.
        description: One line for people.
        retention: How long rows are kept, as "30d"; None for ever.
        private: Whether it belongs into the database that anonymous viewers cannot read.

    Raises:
        ValueError: If a column stands on the wrong side, is doubled, or there is no field.
    """

    name: str
    tags: tuple[Column, ...]
    fields: tuple[Column, ...]
    description: str = ""
    retention: str | None = None
    private: bool = False

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith("#") or self.name.endswith("\\"):
            raise ValueError(f"{self.name!r} cannot name a table")
        if any(character in self.name for character in "\n\r\t\0"):
            raise ValueError(f"{self.name!r} holds a control character and cannot name a table")
        if not self.fields:
            raise ValueError(f"table {self.name} needs at least one field")
        for column in self.tags:
            if column.kind != "tag":
                raise ValueError(f"{self.name}.{column.name} stands among the tags, but is a field")
        for column in self.fields:
            if column.kind == "tag":
                raise ValueError(f"{self.name}.{column.name} stands among the fields, but is a tag")
        names = [column.name for column in self.columns]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"table {self.name} declares {', '.join(doubled)} twice")

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return tags, then fields; `time` is not among them."""
        return self.tags + self.fields

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """Return the Arrow schema of a full table: tags, fields, `time` as timestamp[ns]."""
        columns = [pa.field(column.name, column.arrow_type) for column in self.columns]
        return pa.schema([*columns, pa.field(TIME, pa.timestamp("ns"), nullable=False)])

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: If the table declares none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}")
