"""Merge level-one frames that were read into a board, in machine code.

The reference is `PlainRecords`.
"""

from __future__ import annotations

import numpy as np

from infrastructure.compiling.kernel import kernel
from infrastructure.compiling.pointer import pointer
from infrastructure.schwab.streamer.board_layout import (
    KINDS_AT,
    NAMES_AT,
    SLOTS,
    TABLE_AT,
    TABLE_END,
    VALUES_AT,
)
from infrastructure.schwab.streamer.scan_layout import (
    CELLS_AT,
    ENTRIES,
    ENTRIES_AT,
    ENTRY,
    FLOAT,
    HARD,
    INTEGER,
    LEFT,
    LEFT_AT,
    LONG,
    MARKS_AT,
    NAME,
    OTHER,
    TEXT_AT,
    WIDTH,
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
def _find(
    text: Bytes,
    start: int,
    size: int,
    code: int,
    service: int,
    table: Ints,
    mask: int,
    names: Bytes,
) -> tuple[int, int]:
    """Return a key's slot, -1 if it has none, and its place in the table.

    Args:
        text: Where the key is.
        start: Its first byte.
        size: Its length.
        code: Its hash.
        service: The service's number.
        table: See `board_layout`.
        mask: One less than the table's size.
        names: See `board_layout`.
    """
    place = (code + _SERVICE_STEP * service) & mask
    while table[place] >= 0:
        slot = table[place]
        name = NAME * slot
        if names[name] == service and names[name + 1] == size:
            same = 0
            while same < size and names[name + 2 + same] == text[start + same]:
                same += 1
            if same == size:
                return slot, place
        place = (place + 1) & mask
    return -1, place


@kernel
def index_names(board: Longs, first: int, last: int) -> None:
    """Write the slots from `first` on, before `last`, into the table; they are not in it."""
    names = pointer(board[board[NAMES_AT] : board[KINDS_AT]].view(np.uint8))
    slots = board[board[TABLE_AT] : board[TABLE_END]].view(np.int32)
    table, mask = pointer(slots), slots.shape[0] - 1
    for slot in range(first, last):
        name = NAME * slot
        code = _HASH_START
        for index in range(names[name + 1]):
            code = (code ^ np.uint64(names[name + 2 + index])) * _HASH_FACTOR
        hashed = int(np.int64((code ^ (code >> _HASH_SHIFT)) & _HASH_BITS))
        service, size = names[name], names[name + 1]
        _, place = _find(names, name + 2, size, hashed, service, table, mask, names)
        table[place] = slot


@kernel
def merge_frame(memory: Longs, board: Longs) -> None:
    """Merge a frame that has been scanned into a board that has room for all its keys.

    Args:
        memory: What `scan_frame` noted; its list of what is left is written. Cells that are left
            are OTHER on the board.
        board: See `board_layout`.
    """
    text = pointer(memory[memory[TEXT_AT] : memory[CELLS_AT]].view(np.uint8))
    noted = memory[memory[CELLS_AT] : memory[MARKS_AT]]
    cells, bits = pointer(noted), pointer(noted.view(np.float64))
    marks = pointer(memory[memory[MARKS_AT] : memory[LEFT_AT]])
    left = pointer(memory[memory[LEFT_AT] :])
    values = pointer(board[board[VALUES_AT] : board[NAMES_AT]].view(np.float64))
    names = pointer(board[board[NAMES_AT] : board[KINDS_AT]].view(np.uint8))
    kinds = pointer(board[board[KINDS_AT] : board[TABLE_AT]].view(np.uint8))
    indexed = board[board[TABLE_AT] : board[TABLE_END]].view(np.int32)
    table, mask = pointer(indexed), indexed.shape[0] - 1
    slots = board[SLOTS]
    count = 0
    for entry in range(memory[ENTRIES]):
        at = ENTRIES_AT + ENTRY * entry
        service = memory[at]
        for update in range(memory[at + 2], memory[at + 2] + memory[at + 3]):
            mark = 4 * update
            start, size = marks[mark + 1], marks[mark + 2]
            slot, place = _find(text, start, size, marks[mark + 3], service, table, mask, names)
            if slot < 0:
                slot = slots
                slots += 1
                table[place] = slot
                name = NAME * slot
                names[name] = service
                names[name + 1] = size
                for index in range(size):
                    names[name + 2 + index] = text[start + index]
            for cell in range(marks[mark], marks[mark + 4]):
                column = cells[2 * cell] & 255
                kind = cells[2 * cell] >> 8
                if kind >= LONG:
                    left[4 * count] = slot
                    left[4 * count + 1] = column
                    left[4 * count + 2] = cells[2 * cell + 1]
                    left[4 * count + 3] = kind
                    count += 1
                    kind = OTHER
                kinds[WIDTH * slot + column] = kind
                values[WIDTH * slot + column] = bits[2 * cell + 1]
    board[SLOTS] = slots
    memory[LEFT] = count


@kernel
def spread_columns(memory: Longs, first: int, wanted: Longs, out: Floats) -> int:
    """Write the numbers of an entry's updates as columns.

    Args:
        memory: What `scan_frame` noted.
        first: The entry's first update.
        wanted: Place of each column among the wanted ones, -1 where it is not, shape (WIDTH,).
        out: Receives the numbers, NaN where there is none, shape (updates, wanted).

    Returns:
        How many wanted numbers are HARD and left out.
    """
    noted = memory[memory[CELLS_AT] : memory[MARKS_AT]]
    cells, bits = pointer(noted), pointer(noted.view(np.float64))
    marks = pointer(memory[memory[MARKS_AT] : memory[LEFT_AT]])
    hard = 0
    out[:] = np.nan
    for update in range(out.shape[0]):
        for cell in range(marks[4 * (first + update)], marks[4 * (first + update) + 4]):
            place = wanted[cells[2 * cell] & 255]
            if place < 0:
                continue
            kind = cells[2 * cell] >> 8
            if kind in (INTEGER, FLOAT):
                out[update, place] = bits[2 * cell + 1]
            elif kind == HARD:
                hard += 1
            else:
                out[update, place] = np.nan
    return hard
