"""All level-one quotes of a stream as one board of numbers: a row a key, a column a field.

Plain frames are read and merged by machine code; what it leaves is merged here, cell by cell, to
the same effect. Values that no cell can hold are kept beside the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from infrastructure.schwab.streamer.board_kernels import index_names, merge_frame
from infrastructure.schwab.streamer.board_layout import HEADER, SLOTS, TABLE_END, VALUES_AT
from infrastructure.schwab.streamer.records import PlainRecords
from infrastructure.schwab.streamer.scan_layout import (
    ABSENT,
    ENTRIES,
    ENTRIES_AT,
    ENTRY,
    FALSE,
    FLOAT,
    HARD,
    INTEGER,
    LEFT,
    LONGEST_KEY,
    NAME,
    NULL,
    NUMBERED,
    OTHER,
    SERVICES,
    TEXT,
    TRUE,
    UPDATES,
    WIDTH,
    WORDS,
)
from infrastructure.schwab.streamer.scanner import Scanner
from infrastructure.schwab.streamer.services import Delivery, Service
from infrastructure.schwab.streamer.updates import Columns, Update, columns_of, number_of

BOARD_SERVICES: Final = tuple(Service(name) for name, _ in SERVICES)
"""The services that a board holds, in the order of their numbers there."""

_FIRST_SLOTS = 1024
_LARGEST_EXACT = 2**53
_SHORT = 8
_OTHER_WORDS = {word: NUMBERED + index for index, word in enumerate(WORDS)}
_COLUMNS = tuple(
    {**{str(number): number for number in range(count)}, **_OTHER_WORDS} for _, count in SERVICES
)
_WORDS = (*(str(number) for number in range(NUMBERED)), *WORDS)


class Entry(msgspec.Struct, frozen=True):
    """What one entry of a frame was.

    Attributes:
        service: Its service.
        timestamp_ms: When the server sent it, milliseconds UTC.
        count: Its updates, which are merged.
    """

    service: Service
    timestamp_ms: int
    count: int


class Board:
    """Hold the newest value of every field of every level-one key of a stream.

    Args:
        slots: Keys that it has room for at first; it grows.
    """

    def __init__(self, slots: int = _FIRST_SLOTS) -> None:
        self._scanner = Scanner()
        self._make_room(slots)
        self._slots: list[dict[str, int]] = [{} for _ in SERVICES]
        self._known = 0
        self._others: dict[tuple[int, int], Any] = {}
        self._extras: dict[int, Update] = {}
        self._odd = [PlainRecords(Delivery.CHANGE) for _ in SERVICES]

    def read(self, payload: memoryview | bytes) -> list[Entry] | None:
        """Merge a frame and return its entries, None if it is left to the reference.

        A frame that is left has changed nothing.
        """
        scanner = self._scanner
        if not scanner.scan(payload):
            return None
        report = scanner.report
        if self._header[SLOTS] + report[UPDATES] > self._room:
            self._grow(report[UPDATES])
        merge_frame(scanner.memory, self._memory)
        if report[LEFT]:
            self._take_left(payload, scanner.left[: report[LEFT]].tolist())
        at = ENTRIES_AT
        entry = Entry(BOARD_SERVICES[report[at]], report[at + 1], report[at + 3])
        if report[ENTRIES] == 1:
            return [entry]
        return [entry, *self._later_entries()]

    def _later_entries(self) -> list[Entry]:
        report = self._scanner.report
        return [
            Entry(BOARD_SERVICES[report[at]], report[at + 1], report[at + 3])
            for at in range(ENTRIES_AT + ENTRY, ENTRIES_AT + ENTRY * report[ENTRIES], ENTRY)
        ]

    def merge(self, number: int, updates: Iterable[Update]) -> None:
        """Merge updates of the service with this number, which may hold anything."""
        for update in updates:
            key = update["key"]
            slot = self._slot(number, key)
            if slot is None:
                self._odd[number].merge((update,))
            else:
                self._write(number, slot, update)

    def keys(self, number: int) -> tuple[str, ...]:
        """Return the keys of a service."""
        return (*self._known_slots(number), *self._odd[number].keys())

    def record(self, number: int, key: str) -> Update | None:
        """Return a key's whole record, None without one."""
        slot = self._known_slots(number).get(key)
        if slot is None:
            return self._odd[number].record(key)
        record: Update = {"key": key}
        kinds, values = self._kinds[slot].tolist(), self._values[slot].tolist()
        bits = self._values[slot].view(np.int64).tolist()
        for column, kind in enumerate(kinds):
            if kind == FLOAT:
                record[_WORDS[column]] = values[column]
            elif kind == INTEGER:
                record[_WORDS[column]] = int(values[column])
            elif kind == TEXT:
                record[_WORDS[column]] = _text(bits[column])
            elif kind == OTHER:
                record[_WORDS[column]] = self._others[slot, column]
            elif kind != ABSENT:
                record[_WORDS[column]] = None if kind == NULL else kind == TRUE
        record.update(self._extras.get(slot, {}))
        return record

    def columns(self, number: int, numbers: Sequence[int]) -> Columns:
        """Return the numbers of these fields of all keys of a service."""
        slots = self._known_slots(number)
        if not all(0 <= one < len(_COLUMNS[number]) - len(WORDS) for one in numbers):
            keys = self.keys(number)
            return columns_of(keys, [self.record(number, key) or {} for key in keys], numbers)
        rows = np.fromiter(slots.values(), np.int64, len(slots))
        place = np.ix_(rows, np.array(numbers, np.int64))
        kinds = self._kinds[place]
        values = np.where((kinds == INTEGER) | (kinds == FLOAT), self._values[place], np.nan)
        for row, column in np.argwhere(kinds == OTHER).tolist():
            values[row, column] = number_of(self._others[int(rows[row]), numbers[column]])
        odd = self._odd[number].columns(numbers)
        return Columns(
            (*slots, *odd.keys), tuple(numbers), np.concatenate([values, odd.values], axis=0)
        )

    def forget(self, number: int, keys: tuple[str, ...] | None) -> None:
        """Drop the records of these keys of a service, of all when None."""
        self._odd[number].forget(keys)
        slots = self._known_slots(number)
        gone = {slots[key] for key in (slots if keys is None else keys) if key in slots}
        if not gone:
            return
        kept = [slot for slot in range(self._known) if slot not in gone]
        moved = {old: new for new, old in enumerate(kept)}
        for table in (self._names, self._kinds, self._values):
            table[: len(kept)] = table[kept]
            table[len(kept) :] = 0
        self._others = {
            (moved[slot], column): value
            for (slot, column), value in self._others.items()
            if slot in moved
        }
        self._extras = {moved[slot]: value for slot, value in self._extras.items() if slot in moved}
        self._header[SLOTS] = len(kept)
        self._slots = [{} for _ in SERVICES]
        self._known = 0
        self._table.fill(-1)
        index_names(self._memory, 0, len(kept))

    def _make_room(self, slots: int) -> None:
        """Begin empty memory for so many keys."""
        table = 1 << (4 * slots - 1).bit_length()
        ends = np.cumsum(
            [HEADER, slots * WIDTH, slots * NAME // 8, slots * WIDTH // 8 + 1, table // 2]
        )
        self._room = slots
        self._memory = memory = np.zeros(ends[-1], np.int64)
        memory[VALUES_AT : TABLE_END + 1] = ends
        values, names, kinds, slots_by_hash = np.split(memory, ends[:-1])[1:]
        self._header = memoryview(memory)  # type: ignore[arg-type]
        self._values = values.view(np.float64).reshape(slots, WIDTH)
        self._names = names.view(np.uint8).reshape(slots, NAME)
        self._kinds = kinds.view(np.uint8)[: slots * WIDTH].reshape(slots, WIDTH)
        self._table = slots_by_hash.view(np.int32)
        self._table.fill(-1)

    def _grow(self, wanted: int) -> None:
        count = self._header[SLOTS]
        old = (self._names, self._kinds, self._values)
        self._make_room(2 * max(self._room, wanted))
        names, kinds, values = old
        self._names[:count] = names[:count]
        self._kinds[:count] = kinds[:count]
        self._values[:count] = values[:count]
        self._header[SLOTS] = count
        index_names(self._memory, 0, count)

    def _known_slots(self, number: int) -> dict[str, int]:
        """Return the slots of a service by key; the kernel's new ones are noted first."""
        count = self._header[SLOTS]
        for slot in range(self._known, count):
            service, size = self._names[slot, :2].tolist()
            key = self._names[slot, 2 : 2 + size].tobytes().decode("ascii")
            self._slots[service][key] = slot
        self._known = count
        return self._slots[number]

    def _slot(self, number: int, key: str) -> int | None:
        """Return a key's slot, a new one if it has none; None if no slot can hold it."""
        if not key.isascii() or len(key) > LONGEST_KEY:
            return None
        slots = self._known_slots(number)
        slot = slots.get(key)
        if slot is None:
            if self._known == self._room:
                self._grow(0)
            slot = self._known
            name = (number, len(key), *key.encode())
            self._names[slot, : len(name)] = name
            self._header[SLOTS] = slot + 1
            index_names(self._memory, slot, slot + 1)
            self._known_slots(number)
        return slot

    def _write(self, number: int, slot: int, update: Update) -> None:
        columns = _COLUMNS[number]
        for word, value in update.items():
            column = columns.get(word)
            if column is not None:
                self._write_cell(slot, column, value)
            elif word != "key":
                self._extras.setdefault(slot, {})[word] = value

    def _write_cell(self, slot: int, column: int, value: Any) -> None:
        kind, number = OTHER, 0.0
        if value is None:
            kind = NULL
        elif isinstance(value, bool):
            kind = TRUE if value else FALSE
        elif isinstance(value, float):
            kind, number = FLOAT, value
        elif isinstance(value, int) and abs(value) <= _LARGEST_EXACT:
            kind, number = INTEGER, float(value)
        else:
            self._others[slot, column] = value
        self._kinds[slot, column] = kind
        self._values[slot, column] = number

    def _take_left(self, payload: memoryview | bytes, left: list[list[int]]) -> None:
        """Write the long texts and numbers that the kernel left, the last of each cell."""
        newest = {(slot, column): (place, kind) for slot, column, place, kind in left}
        for (slot, column), (place, kind) in newest.items():
            if self._kinds[slot, column] != OTHER:
                continue
            text = str(payload[place >> 32 : place & 0xFFFFFFFF], "ascii")
            if kind == HARD:
                self._write_cell(slot, column, _number(text))
            else:
                self._others[slot, column] = text


class BoardRecords:
    """The records of one service on a board.

    Args:
        board: Where they are.
        service: Which.
    """

    def __init__(self, board: Board, service: Service) -> None:
        self._board = board
        self._number = BOARD_SERVICES.index(service)

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def keys(self) -> tuple[str, ...]:
        """Return the keys of which something is known."""
        return self._board.keys(self._number)

    def merge(self, updates: Iterable[Update]) -> None:
        """Take updates in, in their order."""
        self._board.merge(self._number, updates)

    def record(self, key: str) -> Update | None:
        """Return a key's whole record by field numbers, None without one."""
        return self._board.record(self._number, key)

    def columns(self, numbers: Sequence[int]) -> Columns:
        """Return the numbers of these fields of all keys."""
        return self._board.columns(self._number, numbers)

    def forget(self, keys: tuple[str, ...] | None) -> None:
        """Drop the records of these keys, of all when None."""
        self._board.forget(self._number, keys)


def _text(bits: int) -> str:
    return bits.to_bytes(_SHORT, "little").rstrip(b"\0").decode("ascii")


def _number(text: str) -> int | float:
    return float(text) if any(mark in text for mark in ".eE") else int(text)
