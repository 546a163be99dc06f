"""Read level-one frames byte by byte in machine code; the reference is `frames` with msgspec.

A frame is read whole before anything is written: every cell is noted, or the frame is UNUSUAL.
What is unusual (an escape, a byte past ASCII, a nested value, another service, an unknown word,
anything that is no JSON) is left to the reference.

Floats follow Clinger: digits that fit 53 bits times or divided by a power of ten up to 10^22 are
two exact doubles, so one correctly rounded operation gives the nearest double. Numbers with more
digits are checked here and left to Python, with their place in the text.
"""

from __future__ import annotations

import numpy as np

from infrastructure.compiling.kernel import kernel
from infrastructure.compiling.pointer import pointer
from infrastructure.schwab.streamer.scan_layout import (
    ABSENT,
    CELLS_AT,
    ENTRIES,
    ENTRIES_AT,
    ENTRY,
    FLOAT,
    HARD,
    INTEGER,
    LEFT_AT,
    LONG,
    LONGEST_KEY,
    MARKS_AT,
    MOST_ENTRIES,
    NUMBERED,
    READ,
    SERVICES,
    TEXT,
    TEXT_AT,
    TRUE,
    UNUSUAL,
    UPDATES,
    WORDS,
    Bytes,
    Floats,
    Longs,
)

_POWERS = 10.0 ** np.arange(23)
_LARGEST_EXACT = 2**53
_MOST_DIGITS = 18
_MOST_EXPONENT = 22
_LONGEST_NUMBER = 60
_LONGEST_EXPONENT = 250
_SHORT = 8


_MEMBERS = ("service", "timestamp", "command", "content")
_SERVICE, _TIMESTAMP, _COMMAND, _CONTENT = range(4)
_SPELLINGS = (*WORDS, *_MEMBERS, *(name for name, _ in SERVICES), "true", "false", "null", "data")
_LETTERS = np.frombuffer("".join(_SPELLINGS).encode(), np.uint8)
_ENDS = np.cumsum([0, *(len(one) for one in _SPELLINGS)]).astype(np.int64)
_MEMBERS_AT = len(WORDS)
_SERVICES_AT = _MEMBERS_AT + len(_MEMBERS)
_LITERALS_AT = _SERVICES_AT + len(SERVICES)
_DATA_AT = _LITERALS_AT + 3
_FIELD_COUNTS = np.array([count for _, count in SERVICES], np.int64)

_SPACE, _QUOTE, _BACKSLASH, _PAST_ASCII = ord(" "), ord('"'), ord("\\"), 128
_COMMA, _COLON, _MINUS, _PLUS, _DOT = ord(","), ord(":"), ord("-"), ord("+"), ord(".")
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = ord("{"), ord("}"), ord("["), ord("]")
_ZERO, _NINE, _UPPER_E, _LOWER_E = ord("0"), ord("9"), ord("E"), ord("e")
_TAB, _NEWLINE, _RETURN = ord("\t"), ord("\n"), ord("\r")
_LOWER_A, _LOWER_K, _LOWER_Y, _LOWER_Z = ord("a"), ord("k"), ord("y"), ord("z")

_HASH_START = np.uint64(14695981039346656037)
_HASH_FACTOR = np.uint64(1099511628211)
_HASH_SHIFT = np.uint64(32)
_HASH_BITS = np.uint64(0x7FFFFFFF)


@kernel
def _past_blanks(text: Bytes, at: int) -> int:
    while text[at] <= _SPACE:
        byte = text[at]
        if byte != _SPACE and byte != _NEWLINE and byte != _RETURN and byte != _TAB:
            return at
        at += 1
    return at


@kernel
def _past_string(text: Bytes, at: int) -> int:
    """Return where a plain string ends, its closing quote, or -1; `at` is its first byte."""
    while text[at] != _QUOTE:
        byte = text[at]
        if byte < _SPACE or byte >= _PAST_ASCII or byte == _BACKSLASH:
            return -1
        at += 1
    return at


@kernel
def _which(text: Bytes, start: int, end: int, first: int, last: int) -> int:
    """Return which spelling from `first` on, before `last`, the text is, from 0; -1 if none."""
    for number in range(first, last):
        begin = _ENDS[number]
        if _ENDS[number + 1] - begin != end - start:
            continue
        place = start
        while place < end and text[place] == _LETTERS[begin + place - start]:
            place += 1
        if place == end:
            return number - first
    return -1


@kernel
def _past_member(text: Bytes, at: int, first: int, last: int) -> tuple[int, int]:
    """Return where a member's value begins and which spelling its name is; -1 if none."""
    if text[at] != _QUOTE:
        return at, -1
    end = _past_string(text, at + 1)
    if end < 0:
        return at, -1
    number = _which(text, at + 1, end, first, last)
    at = _past_blanks(text, end + 1)
    if text[at] != _COLON:
        return at, -1
    return _past_blanks(text, at + 1), number


@kernel
def _past_comma(text: Bytes, at: int, close: int) -> tuple[int, bool, bool]:
    """Return what follows a value: the place after it, whether the list ended, whether all is well.

    After a comma the place is that of the next value.
    """
    at = _past_blanks(text, at)
    if text[at] == _COMMA:
        return _past_blanks(text, at + 1), False, True
    return at + 1, True, text[at] == close


@kernel
def _number(text: Bytes, at: int) -> tuple[int, int, float]:
    """Return the end of a number, its kind and its value; ABSENT where it is none."""
    start = at
    negative = text[at] == _MINUS
    if negative:
        at += 1
    first = at
    digits = 0
    while _ZERO <= text[at] <= _NINE:
        digits = digits * 10 + (text[at] - _ZERO)
        at += 1
    count = at - first
    if count == 0 or (count > 1 and text[first] == _ZERO):
        return at, ABSENT, 0.0
    kind = INTEGER
    exponent = 0
    if text[at] == _DOT:
        kind = FLOAT
        at += 1
        first = at
        while _ZERO <= text[at] <= _NINE:
            digits = digits * 10 + (text[at] - _ZERO)
            at += 1
        exponent = first - at
        if exponent == 0:
            return at, ABSENT, 0.0
        count -= exponent
    if text[at] == _LOWER_E or text[at] == _UPPER_E:
        kind = FLOAT
        at += 1
        falling = text[at] == _MINUS
        if falling or text[at] == _PLUS:
            at += 1
        first = at
        power = 0
        while _ZERO <= text[at] <= _NINE:
            power = min(power * 10 + (text[at] - _ZERO), 100_000)
            at += 1
        if at == first or power > _LONGEST_EXPONENT:
            return at, ABSENT, 0.0
        exponent += -power if falling else power
    if at - start > _LONGEST_NUMBER:
        return at, ABSENT, 0.0
    if count > _MOST_DIGITS or digits > _LARGEST_EXACT or abs(exponent) > _MOST_EXPONENT:
        return at, HARD, 0.0
    value = np.float64(digits)
    if exponent < 0:
        value /= _POWERS[-exponent]
    elif exponent > 0:
        value *= _POWERS[exponent]
    return at, kind, -value if negative else value


@kernel
def _past_word(text: Bytes, at: int) -> tuple[int, int]:
    """Return the place after an update's word and its column; -1 for `key`, -2 if unknown.

    `at` is the byte after the opening quote; the place returned is after the closing one.
    """
    byte = text[at]
    if _ZERO <= byte <= _NINE:
        column = byte - _ZERO
        at += 1
        if text[at] != _QUOTE:
            if column == 0 or not _ZERO <= text[at] <= _NINE:
                return at, -2
            column = column * 10 + (text[at] - _ZERO)
            at += 1
        return at + 1, column if text[at] == _QUOTE and column < NUMBERED else -2
    if (
        byte == _LOWER_K
        and text[at + 1] == _LOWER_E
        and text[at + 2] == _LOWER_Y
        and text[at + 3] == _QUOTE
    ):
        return at + 4, -1
    end = _past_string(text, at)
    if end < 0:
        return at, -2
    number = _which(text, at, end, 0, _MEMBERS_AT)
    return end + 1, NUMBERED + number if number >= 0 else -2


@kernel
def _past_value(text: Bytes, at: int, cells: Longs, bits: Floats, cell: int) -> tuple[int, int]:
    """Note a value and return the place after it and its kind; ABSENT if it is not plain."""
    byte = text[at]
    if byte == _QUOTE:
        at += 1
        start = at
        short = np.int64(0)
        while text[at] != _QUOTE:
            byte = text[at]
            if byte < _SPACE or byte >= _PAST_ASCII or byte == _BACKSLASH:
                return at, ABSENT
            if at - start < _SHORT:
                short |= np.int64(byte) << (8 * (at - start))
            at += 1
        if at - start <= _SHORT:
            cells[2 * cell + 1] = short
            return at + 1, TEXT
        cells[2 * cell + 1] = start << 32 | at
        return at + 1, LONG
    if byte == _MINUS or _ZERO <= byte <= _NINE:
        end, kind, value = _number(text, at)
        if kind == HARD:
            cells[2 * cell + 1] = at << 32 | end
        else:
            bits[2 * cell + 1] = value
        return end, kind
    end = at
    while _LOWER_A <= text[end] <= _LOWER_Z:
        end += 1
    number = _which(text, at, end, _LITERALS_AT, _DATA_AT)
    cells[2 * cell + 1] = 0
    return end, TRUE + number if number >= 0 else ABSENT


@kernel
def _scan_update(
    text: Bytes, at: int, cells: Longs, bits: Floats, marks: Longs, update: int, cell: int
) -> tuple[int, int, int]:
    """Note an update; return the place after it, the cells so far, and its largest field or -1."""
    marks[4 * update] = cell
    named = False
    largest = 0
    while True:
        if text[at] != _QUOTE:
            return at, cell, -1
        at, column = _past_word(text, at + 1)
        if column == -2:
            return at, cell, -1
        if text[at] != _COLON:
            at = _past_blanks(text, at)
            if text[at] != _COLON:
                return at, cell, -1
        at = _past_blanks(text, at + 1)
        if column == -1:
            if named or text[at] != _QUOTE:
                return at, cell, -1
            named = True
            at += 1
            start = at
            code = _HASH_START
            while text[at] != _QUOTE:
                byte = text[at]
                if byte < _SPACE or byte >= _PAST_ASCII or byte == _BACKSLASH:
                    return at, cell, -1
                code = (code ^ np.uint64(byte)) * _HASH_FACTOR
                at += 1
            if at - start > LONGEST_KEY:
                return at, cell, -1
            marks[4 * update + 1] = start
            marks[4 * update + 2] = at - start
            marks[4 * update + 3] = np.int64((code ^ (code >> _HASH_SHIFT)) & _HASH_BITS)
            at += 1
        else:
            at, kind = _past_value(text, at, cells, bits, cell)
            if kind == ABSENT:
                return at, cell, -1
            cells[2 * cell] = column | kind << 8
            cell += 1
            if largest < column < NUMBERED:
                largest = column
        at, ended, well = _past_comma(text, at, _CLOSE)
        if not well:
            return at, cell, -1
        if ended:
            return at, cell, largest if named else -1


@kernel
def _scan(text: Bytes, length: int, cells: Longs, bits: Floats, marks: Longs, report: Longs) -> int:
    at = _past_blanks(text, 0)
    if text[at] != _OPEN:
        return UNUSUAL
    at, number = _past_member(text, _past_blanks(text, at + 1), _DATA_AT, _DATA_AT + 1)
    if number < 0 or text[at] != _OPEN_LIST:
        return UNUSUAL
    at = _past_blanks(text, at + 1)
    entries, updates, cell = 0, 0, 0
    ended = False
    while not ended:
        if text[at] != _OPEN or entries == MOST_ENTRIES:
            return UNUSUAL
        at = _past_blanks(text, at + 1)
        place = ENTRIES_AT + ENTRY * entries
        report[place + 1] = 0
        seen, service, largest = 0, -1, 0
        while not ended:
            at, member = _past_member(text, at, _MEMBERS_AT, _SERVICES_AT)
            if member < 0 or seen & 1 << member:
                return UNUSUAL
            seen |= 1 << member
            if member == _TIMESTAMP:
                at, kind, value = _number(text, at)
                if kind != INTEGER:
                    return UNUSUAL
                report[place + 1] = np.int64(value)
            elif member != _CONTENT:
                end = _past_string(text, at + 1) if text[at] == _QUOTE else -1
                if end < 0:
                    return UNUSUAL
                if member == _SERVICE:
                    service = _which(text, at + 1, end, _SERVICES_AT, _LITERALS_AT)
                    if service < 0:
                        return UNUSUAL
                at = end + 1
            else:
                if text[at] != _OPEN_LIST:
                    return UNUSUAL
                report[place + 2] = updates
                at = _past_blanks(text, at + 1)
                if text[at] == _CLOSE_LIST:
                    at += 1
                    ended = True
                while not ended:
                    if text[at] != _OPEN:
                        return UNUSUAL
                    at = _past_blanks(text, at + 1)
                    at, cell, field = _scan_update(text, at, cells, bits, marks, updates, cell)
                    if field < 0:
                        return UNUSUAL
                    largest = max(largest, field)
                    updates += 1
                    at, ended, well = _past_comma(text, at, _CLOSE_LIST)
                    if not well:
                        return UNUSUAL
                ended = False
            at, ended, well = _past_comma(text, at, _CLOSE)
            if not well:
                return UNUSUAL
        if service < 0 or not seen & 1 << _CONTENT or largest >= _FIELD_COUNTS[service]:
            return UNUSUAL
        report[place] = service
        report[place + 3] = updates - report[place + 2]
        entries += 1
        at, ended, well = _past_comma(text, at, _CLOSE_LIST)
        if not well:
            return UNUSUAL
    at = _past_blanks(text, at)
    if text[at] != _CLOSE or _past_blanks(text, at + 1) != length:
        return UNUSUAL
    marks[4 * updates] = cell
    report[ENTRIES], report[UPDATES] = entries, updates
    return READ


@kernel
def scan_frame(memory: Longs, length: int) -> int:
    """Note what a frame of level one holds.

    Args:
        memory: See `scan_layout`; its text is the frame. Receives cells, marks and report; there
            is room for a cell in four bytes and an update in eight.
        length: Bytes of the frame.

    Returns:
        READ or UNUSUAL.
    """
    cells = memory[memory[CELLS_AT] : memory[MARKS_AT]]
    return _scan(
        pointer(memory[memory[TEXT_AT] : memory[CELLS_AT]].view(np.uint8)),
        length,
        pointer(cells),
        pointer(cells.view(np.float64)),
        pointer(memory[memory[MARKS_AT] : memory[LEFT_AT]]),
        pointer(memory),
    )
