"""Write line protocol row by row in machine code; the reference is `encode`'s Arrow path.

A float x is written as the integer m with a decimal point when m = rint(x * 10^d) is below 10^15
and m / 10^d is x again: m and 10^d (d <= 15) are exact doubles, so the division rounds once, as
reading the text does. Fifteen digits name a double uniquely, hence the text is also the shortest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Places = npt.NDArray[np.int8]

NULL = -1
TEXT = -2

_MOST_DIGITS = 1e15
# Arrow writes other sizes with an exponent, and both ways of writing give the same bytes.
_LARGEST = 1e10
_SMALLEST = 1e-5
_MOST_PLACES = 15
_POWERS = 10.0 ** np.arange(_MOST_PLACES + 1)
_PAIRS = np.frombuffer("".join(f"{number:02d}" for number in range(100)).encode(), np.uint8)
_WHOLE_POWERS = np.array([10**exponent for exponent in range(20)], np.uint64)
_MOST_POWERS = len(_WHOLE_POWERS)
_NONE, _ONE, _TWO, _TEN, _HUNDRED = (np.uint64(number) for number in (0, 1, 2, 10, 100))
_MINUS, _DOT, _ZERO = ord("-"), ord("."), np.uint64(ord("0"))
_COMMA, _SPACE, _NEWLINE = ord(","), ord(" "), ord("\n")


@kernel
def split_floats(values: npt.NDArray[np.float64], numbers: Longs, places: Places) -> int:
    """Find the decimal digits of finite floats.

    Args:
        values: Finite floats, shape (rows,).
        numbers: Receives the digits as an integer, or the place among the texts, shape (rows,).
        places: Receives the count of decimal places, or TEXT where the digits are not found.
            Rows that hold NULL are left alone.

    Returns:
        How many rows hold TEXT; their `numbers` count up from 0.
    """
    texts = 0
    likely = 0
    for row in range(values.shape[0]):
        if places[row] == NULL:
            continue
        value = values[row]
        size = abs(value)
        found = False
        if value == 0.0:
            if not np.signbit(value):
                numbers[row] = 0
                places[row] = 0
                found = True
        elif _SMALLEST <= size < _LARGEST:
            place = likely
            digits = np.rint(size * _POWERS[place])
            if digits >= _MOST_DIGITS or digits / _POWERS[place] != size:
                place = 0
                while place <= _MOST_PLACES:
                    digits = np.rint(size * _POWERS[place])
                    if digits >= _MOST_DIGITS or digits / _POWERS[place] == size:
                        break
                    place += 1
            if place <= _MOST_PLACES and digits < _MOST_DIGITS:
                likely = place
                whole = np.int64(digits)
                while place > 0 and whole % 10 == 0:
                    whole //= 10
                    place -= 1
                numbers[row] = whole if value > 0 else -whole
                places[row] = place
                found = True
        if not found:
            numbers[row] = texts
            places[row] = TEXT
            texts += 1
    return texts


@kernel
def _copy(out: Bytes, at: int, source: Bytes, start: int, end: int) -> int:
    # Unsigned places spare the check whether they count from the end.
    place = np.uint64(at)
    for index in range(np.uint64(start), np.uint64(end)):
        out[place] = source[index]
        place += _ONE
    return at + end - start


@kernel
def _write_number(out: Bytes, at: int, number: int, places: int) -> int:
    rest = np.uint64(number)
    if number < 0:
        out[at] = _MINUS
        at += 1
        rest = _NONE - rest
    digits = places + 1
    while digits < _MOST_POWERS and rest >= _WHOLE_POWERS[digits]:
        digits += 1
    end = at + digits + (1 if places > 0 else 0)
    place = np.uint64(end)
    for _ in range(places):
        quotient = rest // _TEN
        place -= _ONE
        out[place] = _ZERO + (rest - quotient * _TEN)
        rest = quotient
    if places > 0:
        place -= _ONE
        out[place] = _DOT
    while rest >= _HUNDRED:
        quotient = rest // _HUNDRED
        pair = _TWO * (rest - quotient * _HUNDRED)
        place -= _TWO
        out[place] = _PAIRS[pair]
        out[place + _ONE] = _PAIRS[pair + _ONE]
        rest = quotient
    place -= _ONE
    if rest >= _TEN:
        out[place] = _PAIRS[_TWO * rest + _ONE]
        out[place - _ONE] = _PAIRS[_TWO * rest]
    else:
        out[place] = _ZERO + rest
    return end


@kernel
def write_lines(
    out: Bytes,
    ends: Longs,
    name: Bytes,
    tags: Ints,
    fields: Longs,
    places: Places,
    openings: Bytes,
    opening_ends: Longs,
    endings: Bytes,
    texts: Bytes,
    text_ends: Longs,
    time: Longs,
) -> int:
    """Write all rows as lines.

    Args:
        out: Receives the text; long enough for all rows.
        ends: Receives the end of each line in `out`, shape (rows,).
        name: The escaped table name.
        tags: Text of each row's tags, NULL for none, shape (rows, tags).
        fields: Digits, or the text, of each field, shape (fields, rows).
        places: Decimal places, NULL or TEXT of each field, shape (fields, rows).
        openings: `key=` of all fields, one after the other.
        opening_ends: End of each field's opening, after a leading 0, shape (fields + 1,).
        endings: The byte after each field's value, 0 for none, shape (fields,).
        texts: All texts, one after the other.
        text_ends: End of each text, after a leading 0.
        time: Nanoseconds UTC, shape (rows,).

    Returns:
        The first row without a field, or -1 when all are written.
    """
    at = 0
    for row in range(time.shape[0]):
        at = _copy(out, at, name, 0, name.shape[0])
        for tag in range(tags.shape[1]):
            text = tags[row, tag]
            if text != NULL:
                at = _copy(out, at, texts, text_ends[text], text_ends[text + 1])
        separator = _SPACE
        for field in range(fields.shape[0]):
            place = places[field, row]
            if place == NULL:
                continue
            out[at] = separator
            at += 1
            separator = _COMMA
            at = _copy(out, at, openings, opening_ends[field], opening_ends[field + 1])
            if place == TEXT:
                text = fields[field, row]
                at = _copy(out, at, texts, text_ends[text], text_ends[text + 1])
            else:
                at = _write_number(out, at, fields[field, row], place)
            if endings[field] != 0:
                out[at] = endings[field]
                at += 1
        if separator == _SPACE:
            return row
        out[at] = _SPACE
        at = _write_number(out, at + 1, time[row], 0)
        out[at] = _NEWLINE
        at += 1
        ends[row] = at
    return -1
