"""Merge level-one frames that were read into a board, in machine code.

The reference is `PlainRecords`.
"""

from __future__ import annotations

import numpy as np

from infrastructure.compiling.kernel import kernel
from infrastructure.schwab.streamer.scan_layout import (
    ENTRIES,
    ENTRIES_AT,
    ENTRY,
    FLOAT,
    HARD,
    INTEGER,
    LEFT,
    LONG,
    OTHER,
    SLOTS,
    Bytes,
    Floats,
    Ints,
    Longs,
)

_HASH_START = np.uint64(14695981039346656037)
_HASH_FACTOR = np.uint64(1099511628211)
_HASH_SHIFT = np.uint64(32)
_HASH_BITS = np.uint64(0x7FFFFFFF)
_SERVICE_STEP = 40503


@kernel
def find_slot(
    text: Bytes, start: int, size: int, code: int, service: int, table: Ints, names: Bytes
) -> tuple[int, int]:
    """Return a key's slot, -1 if it has none, and its place in the table.

    Args:
        text: Where the key is.
        start: Its first byte.
        size: Its length.
        code: Its hash.
        service: The service's number.
        table: Slots by hash, -1 where none is; its size is a power of two.
        names: Each slot's service, length and key, shape (slots, NAME).
    """
    mask = table.shape[0] - 1
    place = (code + _SERVICE_STEP * service) & mask
    while table[place] >= 0:
        slot = table[place]
        if names[slot, 0] == service and names[slot, 1] == size:
            same = 0
            while same < size and names[slot, 2 + same] == text[start + same]:
                same += 1
            if same == size:
                return slot, place
        place = (place + 1) & mask
    return -1, place


@kernel
def index_names(names: Bytes, first: int, last: int, table: Ints) -> None:
    """Write the slots from `first` on, before `last`, into the table; they are not in it."""
    for slot in range(first, last):
        code = _HASH_START
        for index in range(names[slot, 1]):
            code = (code ^ np.uint64(names[slot, 2 + index])) * _HASH_FACTOR
        hashed = int((code ^ (code >> _HASH_SHIFT)) & _HASH_BITS)
        _, place = find_slot(names[slot], 2, names[slot, 1], hashed, names[slot, 0], table, names)
        table[place] = slot


@kernel
def merge_frame(
    text: Bytes,
    cells: Longs,
    bits: Floats,
    marks: Longs,
    report: Longs,
    left: Longs,
    table: Ints,
    names: Bytes,
    kinds: Bytes,
    values: Floats,
) -> None:
    """Merge a frame that has been read into the slots; there is room for all its keys.

    Args:
        text: See `scan_layout`, as all that a scan has written.
        cells: What was scanned.
        bits: The same memory as floats.
        marks: What was scanned.
        report: What was scanned; SLOTS holds how many slots are in use, before and after.
        left: Receives slot, column, place and kind of LONG and HARD cells, shape (cells, 4);
            they are OTHER among the slots.
        table: See `find_slot`.
        names: See `find_slot`.
        kinds: Kind of each cell, shape (slots, WIDTH).
        values: Value of each cell; the bytes of a TEXT, shape (slots, WIDTH).
    """
    slots = report[SLOTS]
    count = 0
    for entry in range(report[ENTRIES]):
        at = ENTRIES_AT + ENTRY * entry
        service = report[at]
        for update in range(report[at + 2], report[at + 2] + report[at + 3]):
            start, size = marks[update, 1], marks[update, 2]
            slot, place = find_slot(text, start, size, marks[update, 3], service, table, names)
            if slot < 0:
                slot = slots
                slots += 1
                table[place] = slot
                names[slot, 0] = service
                names[slot, 1] = size
                for index in range(size):
                    names[slot, 2 + index] = text[start + index]
            for cell in range(marks[update, 0], marks[update + 1, 0]):
                column = cells[cell, 0] & 255
                kind = cells[cell, 0] >> 8
                if kind >= LONG:
                    left[count, 0] = slot
                    left[count, 1] = column
                    left[count, 2] = cells[cell, 1]
                    left[count, 3] = kind
                    count += 1
                    kind = OTHER
                kinds[slot, column] = kind
                values[slot, column] = bits[cell, 1]
    report[SLOTS] = slots
    report[LEFT] = count


@kernel
def spread_columns(
    cells: Longs, bits: Floats, marks: Longs, first: int, wanted: Longs, out: Floats
) -> int:
    """Write the numbers of an entry's updates as columns.

    Args:
        cells: See `scan_layout`.
        bits: The same memory as floats.
        marks: See `scan_layout`.
        first: The entry's first update.
        wanted: Place of each column among the wanted ones, -1 where it is not, shape (WIDTH,).
        out: Receives the numbers, shape (updates, wanted); NaN before.

    Returns:
        How many wanted numbers are HARD and left out.
    """
    hard = 0
    for update in range(out.shape[0]):
        for cell in range(marks[first + update, 0], marks[first + update + 1, 0]):
            place = wanted[cells[cell, 0] & 255]
            if place < 0:
                continue
            kind = cells[cell, 0] >> 8
            if kind in (INTEGER, FLOAT):
                out[update, place] = bits[cell, 1]
            elif kind == HARD:
                hard += 1
            else:
                out[update, place] = np.nan
    return hard
