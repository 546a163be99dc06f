"""Read uniform lines in machine code; `line_reader` is the reference and takes what is left.

Floats follow Clinger: digits that fit 53 bits times or divided by a power of ten up to 10^22 are
two exact doubles, so one correctly rounded operation gives the nearest double. Others are left
to the caller, who has the text's place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Place = np.uint64
States = npt.NDArray[np.int16]

WAITING = -1
LEFT = -2

FLOAT, INTEGER, STRING, BOOLEAN = 0, 1, 2, 3

# Places are unsigned, which spares each access the check whether it counts from the end.
_ONE = np.uint64(1)
_NOWHERE = np.uint64(2**64 - 1)
_POWERS = 10.0 ** np.arange(23)
_MOST_DIGITS = 18
_LARGEST_EXACT = 2**53
_LONGEST_EXPONENT = 10_000
_LONGEST_STRING = 65_536
_LONGEST_NS = 2**63 - 1
_BILLION = 1_000_000_000
_TAB, _NEWLINE, _SPACE, _QUOTE, _HASH = ord("\t"), ord("\n"), ord(" "), ord('"'), ord("#")
_COMMA, _MINUS, _PLUS, _DOT, _ZERO, _NINE = (
    ord(","),
    ord("-"),
    ord("+"),
    ord("."),
    ord("0"),
    ord("9"),
)
_EQUALS, _BACKSLASH, _DELETE = ord("="), ord("\\"), 127
_UPPER_E, _LOWER_E, _LOWER_I, _LOWER_U = ord("E"), ord("e"), ord("i"), ord("u")
_WORDS = np.frombuffer(b"trueTrueTRUEfalseFalseFALSE", np.uint8)
_WORD_STARTS = np.array([0, 4, 8, 12, 17, 22, 27])


@kernel
def scan_lines(
    text: Bytes,
    breaks: Longs,
    line: int,
    plain: bool,
    starts: Longs,
    ends: Longs,
    numbers: Longs,
    count: int,
) -> tuple[int, int]:
    """Find the lines that hold something, until one needs a closer look.

    Args:
        text: The body.
        breaks: Place of each newline, and the end of the body, shape (physical lines,).
        line: First physical line to look at.
        plain: Whether the body has neither quotes nor backslashes.
        starts: Receives each line's first byte that is no blank, from `count` on.
        ends: Receives each line's end, from `count` on.
        numbers: Receives each line's number, from 1, from `count` on.
        count: Lines found before.

    Returns:
        The physical line that needs a closer look (or the count of all), and the lines found.
    """
    while line < breaks.shape[0]:
        at = breaks[line - 1] + 1 if line > 0 else 0
        end = breaks[line]
        while at < end and (text[at] == _SPACE or text[at] == _TAB):
            at += 1
        if at < end and text[at] != _HASH:
            if plain:
                if text[at] < _SPACE or text[at] >= _DELETE:
                    return line, count
            else:
                quotes = 0
                in_fields = False
                for place in range(at, end):
                    byte = text[place]
                    if byte == _BACKSLASH:
                        return line, count
                    if byte == _SPACE:
                        in_fields = True
                    elif byte == _QUOTE and in_fields:
                        quotes += 1
                if quotes % 2 != 0:
                    return line, count
            starts[count] = at
            ends[count] = end
            numbers[count] = line + 1
            count += 1
        line += 1
    return line, count


@kernel
def _digits(text: Bytes, at: Place, end: Place, number: int) -> tuple[Place, int]:
    while at < end and _ZERO <= text[at] <= _NINE:
        number = number * 10 + (text[at] - _ZERO)
        at += _ONE
    return at, number


@kernel
def _read_float(text: Bytes, at: Place, end: Place) -> tuple[Place, float, bool]:
    """Return the end of a float or _NOWHERE, its value, and whether that is exact."""
    negative = at < end and text[at] == _MINUS
    if negative:
        at += _ONE
    first = at
    at, number = _digits(text, at, end, 0)
    digits = np.int64(at - first)
    if digits == 0:
        return _NOWHERE, 0.0, False
    exponent = np.int64(0)
    if at < end and text[at] == _DOT:
        first = at + _ONE
        at, number = _digits(text, first, end, number)
        if at == first:
            return _NOWHERE, 0.0, False
        exponent = np.int64(first) - np.int64(at)
        digits += np.int64(at - first)
    if at < end and (text[at] == _LOWER_E or text[at] == _UPPER_E):
        at += _ONE
        falling = at < end and text[at] == _MINUS
        if at < end and (text[at] == _MINUS or text[at] == _PLUS):
            at += _ONE
        first = at
        power = 0
        while at < end and _ZERO <= text[at] <= _NINE:
            power = min(power * 10 + (text[at] - _ZERO), _LONGEST_EXPONENT)
            at += _ONE
        if at == first:
            return _NOWHERE, 0.0, False
        exponent += -power if falling else power
    if digits > _MOST_DIGITS or number > _LARGEST_EXACT or exponent < -22 or exponent > 22:
        return at, 0.0, False
    value = np.float64(number)
    value = value * _POWERS[exponent] if exponent >= 0 else value / _POWERS[-exponent]
    return at, -value if negative else value, True


@kernel
def _read_integer(text: Bytes, at: Place, end: Place) -> tuple[Place, int]:
    """Return the end of an integer (_NOWHERE if there is none, or a long one), and its value."""
    negative = at < end and text[at] == _MINUS
    if negative:
        at += _ONE
    first = at
    at, number = _digits(text, at, end, 0)
    # Nineteen digits that overflow turn negative.
    if at == first or np.int64(at - first) > _MOST_DIGITS + 1 or number < 0:
        return _NOWHERE, 0
    return at, -number if negative else number


@kernel
def _read_boolean(text: Bytes, at: Place, end: Place) -> tuple[Place, int]:
    """Return the end of a truth value (_NOWHERE if there is none), and the value."""
    stop = at
    while stop < end and text[stop] != _COMMA and text[stop] != _SPACE:
        stop += _ONE
    for word in range(6):
        start = _WORD_STARTS[word]
        given = np.int64(stop - at)
        if given != _WORD_STARTS[word + 1] - start and not (given == 1 and word % 3 != 1):
            continue
        same = True
        for index in range(given):
            same = same and text[at + np.uint64(index)] == _WORDS[start + index]
        if same:
            return stop, 1 if word < 3 else 0
    return _NOWHERE, 0


@kernel
def _read_time(text: Bytes, at: Place, end: Place, unit: int) -> tuple[bool, int]:
    """Return whether a line ends with a timestamp, and its nanoseconds."""
    while at < end and text[at] == _SPACE:
        at += _ONE
    at, stamp = _read_integer(text, at, end)
    if at == _NOWHERE:
        return False, 0
    while at < end and text[at] == _SPACE:
        at += _ONE
    if at != end:
        return False, 0
    if unit == 0:
        billions = abs(stamp) // _BILLION
        if billions < 5:
            unit = 1_000_000_000
        elif billions < 5_000:
            unit = 1_000_000
        elif billions < 5_000_000:
            unit = 1_000
        else:
            unit = 1
    return abs(stamp) <= _LONGEST_NS // unit, stamp * unit


@kernel
def match_lines(
    text: Bytes,
    starts: Longs,
    ends: Longs,
    states: States,
    shape: int,
    keys: Bytes,
    key_ends: Longs,
    kinds: Bytes,
    suffixes: Bytes,
    unit: int,
    now_ns: int,
    numbers: Longs,
    floats: Floats,
    lengths: Ints,
    time: Longs,
    heads: Ints,
    slots: Ints,
    head_lines: Longs,
    head_ends: Longs,
    head_count: int,
) -> int:
    """Read all waiting lines that have one shape; the others keep waiting.

    Args:
        text: The body.
        starts: First byte of each line, shape (lines,).
        ends: End of each line, shape (lines,).
        states: WAITING lines are tried; receives `shape` where a line has it.
        shape: Number of the shape.
        keys: `key=` of all fields, one after the other; none holds a backslash.
        key_ends: End of each field's key, after a leading 0, shape (fields + 1,).
        kinds: FLOAT, INTEGER, STRING or BOOLEAN of each field.
        suffixes: The byte after each integer, `i` or `u`.
        unit: Nanoseconds of one unit of the timestamps; 0 guesses each by its size.
        now_ns: Time of lines without a timestamp.
        numbers: Receives integers, truth values, and the places of strings and of floats that
            are not exact, shape (fields, lines).
        floats: Receives floats, shape (fields, lines).
        lengths: Receives the bytes of strings and of floats that are not exact, otherwise 0.
        time: Receives nanoseconds UTC, shape (lines,).
        heads: Receives the number of each line's head, shape (lines,).
        slots: Hash table of the heads, -1 where empty, a power of two long.
        head_lines: Receives a line that has the head, by the head's number.
        head_ends: Receives the end of that line's head, by the head's number.
        head_count: Heads known before.

    Returns:
        Heads known now.
    """
    mask = slots.shape[0] - 1
    for line in range(starts.shape[0]):
        if states[line] != WAITING:
            continue
        start = np.uint64(starts[line])
        end = np.uint64(ends[line])
        at = start
        code = np.uint64(14_695_981_039_346_656_037)
        while at < end and text[at] != _SPACE and text[at] != _BACKSLASH:
            code = (code ^ np.uint64(text[at])) * np.uint64(1_099_511_628_211)
            at += _ONE
        if at == end or text[at] == _BACKSLASH:
            continue
        head_end = at
        while at < end and text[at] == _SPACE:
            at += _ONE
        fits = True
        for field in range(kinds.shape[0]):
            if field > 0:
                if at >= end or text[at] != _COMMA:
                    fits = False
                    break
                at += _ONE
            for place in range(np.uint64(key_ends[field]), np.uint64(key_ends[field + 1])):
                if at >= end or text[at] != keys[place]:
                    fits = False
                    break
                at += _ONE
            if not fits:
                break
            kind = kinds[field]
            if kind == FLOAT:
                first = at
                at, value, exact = _read_float(text, at, end)
                floats[field, line] = value
                numbers[field, line] = first
                lengths[field, line] = 0 if exact else np.int64(at - first)
            elif kind == INTEGER:
                at, number = _read_integer(text, at, end)
                numbers[field, line] = number
                if at != _NOWHERE:
                    at = at + _ONE if at < end and text[at] == suffixes[field] else _NOWHERE
            elif kind == STRING:
                if at >= end or text[at] != _QUOTE:
                    fits = False
                    break
                at += _ONE
                first = at
                while at < end and text[at] != _QUOTE and text[at] != _BACKSLASH:
                    at += _ONE
                numbers[field, line] = first
                lengths[field, line] = at - first
                closed = at < end and text[at] == _QUOTE and np.int64(at - first) <= _LONGEST_STRING
                at = at + _ONE if closed else _NOWHERE
            else:
                at, number = _read_boolean(text, at, end)
                numbers[field, line] = number
            if at == _NOWHERE:
                fits = False
                break
        if not fits:
            continue
        if at == end:
            time[line] = now_ns
        elif text[at] == _SPACE:
            fits, time[line] = _read_time(text, at, end, unit)
            if not fits:
                continue
        else:
            continue
        slot = np.int64(code ^ (code >> np.uint64(32))) & mask
        while True:
            head = slots[slot]
            if head < 0:
                slots[slot] = head_count
                head_lines[head_count] = line
                head_ends[head_count] = head_end
                heads[line] = head_count
                head_count += 1
                break
            other = np.uint64(starts[head_lines[head]])
            length = head_end - start
            same = np.uint64(head_ends[head]) - other == length
            index = np.uint64(0)
            while same and index < length:
                same = text[other + index] == text[start + index]
                index += _ONE
            if same:
                heads[line] = head
                break
            slot = (slot + 1) & mask
        states[line] = shape
    return head_count


@kernel
def first_lines(states: States, heads: Ints, firsts: Longs) -> None:
    """Find the first line of each head.

    Args:
        states: Lines with a shape have one from 0 on.
        heads: Number of each such line's head.
        firsts: Receives the line, by the head's number; -1 where none is left.
    """
    firsts[:] = -1
    for line in range(states.shape[0]):
        if states[line] >= 0 and firsts[heads[line]] < 0:
            firsts[heads[line]] = line


@kernel
def gather(text: Bytes, starts: Longs, lengths: Ints, out: Bytes, ends: Ints) -> None:
    """Copy texts one after the other.

    Args:
        text: Where they stand.
        starts: First byte of each, shape (texts,).
        lengths: Bytes of each, shape (texts,).
        out: Receives the texts; as long as all together.
        ends: Receives the end of each, after a leading 0, shape (texts + 1,).
    """
    at = 0
    ends[0] = 0
    for index in range(starts.shape[0]):
        for place in range(starts[index], starts[index] + lengths[index]):
            out[at] = text[place]
            at += 1
        ends[index + 1] = at
