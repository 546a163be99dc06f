"""Updates as they reach a reader: objects as the wire has them, or columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from infrastructure.schwab.streamer.frames import decode_frame
from infrastructure.schwab.streamer.services import ServiceSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Update = dict[str, Any]
"""One update as the wire has it: `key`, and values by field number as text."""


class Columns(msgspec.Struct, frozen=True):
    """Numbers of several keys or updates.

    Attributes:
        keys: The key of each row.
        numbers: The field number of each column.
        values: float64, shape (rows, columns); NaN where a row has no number in that field.
    """

    keys: tuple[str, ...]
    numbers: tuple[int, ...]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Batch:
    """The updates of one service out of one frame, in their order.

    Attributes:
        spec: The service.
        timestamp_ms: When the server sent them, milliseconds UTC.
        received_ns: When they arrived here, nanoseconds UTC.
        updates: One object an update, as the wire has it.
        conflated: Updates of the same keys that newer ones here took the place of.
    """

    spec: ServiceSpec
    timestamp_ms: int
    received_ns: int
    updates: tuple[Update, ...]
    conflated: int = 0

    def __len__(self) -> int:
        return len(self.updates)

    def named(self) -> Iterator[dict[str, Any]]:
        """Yield each update with names in place of numbers; what is unknown keeps its word."""
        for update in self.updates:
            yield named(self.spec, update)

    def columns(self, numbers: Sequence[int]) -> Columns:
        """Return what changed as columns: a row an update, NaN where a field has not changed.

        Args:
            numbers: The field numbers that are wanted.
        """
        return columns_of([update["key"] for update in self.updates], self.updates, numbers)


class FrameBatch(Batch):
    """A batch that keeps its frame, and makes objects or columns of it when it is asked.

    Args:
        spec: The service.
        timestamp_ms: When the server sent it, milliseconds UTC.
        received_ns: When it arrived here, nanoseconds UTC.
        frame: The whole frame, known to be plain.
        entry: Which of the frame's entries this is, from 0.
        count: How many updates the entry has.
    """

    __slots__ = ("_count", "_entry", "_frame", "_made")

    def __init__(
        self,
        spec: ServiceSpec,
        timestamp_ms: int,
        received_ns: int,
        frame: bytes,
        entry: int,
        count: int,
    ) -> None:
        put = object.__setattr__
        put(self, "spec", spec)
        put(self, "timestamp_ms", timestamp_ms)
        put(self, "received_ns", received_ns)
        put(self, "conflated", 0)
        put(self, "_frame", frame)
        put(self, "_entry", entry)
        put(self, "_count", count)
        put(self, "_made", None)

    _count: int
    _entry: int
    _frame: bytes
    _made: tuple[Update, ...] | None

    @property
    def updates(self) -> tuple[Update, ...]:
        """One object an update, as the wire has it; made the first time they are asked for."""
        made = self._made
        if made is None:
            made = tuple(decode_frame(self._frame).data[self._entry].content)
            object.__setattr__(self, "_made", made)
        return made

    def __len__(self) -> int:
        return self._count

    def columns(self, numbers: Sequence[int]) -> Columns:
        """Return what changed as columns, straight from the frame."""
        from infrastructure.schwab.streamer.scanner import frame_columns

        found = frame_columns(self._frame, self._entry, numbers)
        return Batch.columns(self, numbers) if found is None else found


def named(spec: ServiceSpec, update: Mapping[str, Any]) -> dict[str, Any]:
    """Return an update or a record with names in place of field numbers."""
    names = spec.names
    return {names.get(word, word): value for word, value in update.items()}


def columns_of(
    keys: Sequence[str], updates: Sequence[Mapping[str, Any]], numbers: Sequence[int]
) -> Columns:
    """Return the numbers of updates or records as columns.

    Args:
        keys: The key of each.
        updates: Values by field number as text.
        numbers: The field numbers that are wanted.
    """
    import numpy as np

    words = [str(number) for number in numbers]
    rows = [[number_of(update.get(word)) for word in words] for update in updates]
    values = np.array(rows, np.float64).reshape(len(updates), len(words))
    return Columns(tuple(keys), tuple(numbers), values)


def number_of(value: object) -> float:
    """Return a value as a float, NaN where it is none or too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
