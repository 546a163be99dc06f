"""Read the values of a line in machine code.

Floats follow Clinger: digits that fit 53 bits times or divided by a power of ten up to 10^22 are
two exact doubles, so one correctly rounded operation gives the nearest double. Others are left
to the caller, who has the text's place. What is short, as most values are, is read by words.
"""

from __future__ import annotations

import numpy as np

from infrastructure.compiling.kernel import kernel
from infrastructure.influxdb.word_kernels import WORD_BYTES, Bytes, Place, digits_at

NOWHERE = np.uint64(2**64 - 1)
"""The end of what is no value."""

_ONE = np.uint64(1)
_WORD = np.uint64(WORD_BYTES)
_TWO_WORDS = np.uint64(2 * WORD_BYTES)
_POWERS = 10.0 ** np.arange(23)
_TENS = 10 ** np.arange(WORD_BYTES, dtype=np.int64)
_MOST_DIGITS = 18
_LARGEST_EXACT = 2**53
_LONGEST_EXPONENT = 10_000
_LONGEST_NS = 2**63 - 1
_BILLION = 1_000_000_000
_HUNDRED_MILLIONS = 100_000_000
_SPACE, _COMMA, _MINUS, _PLUS, _DOT = ord(" "), ord(","), ord("-"), ord("+"), ord(".")
_ZERO, _NINE = ord("0"), ord("9")
_UPPER_E, _LOWER_E = ord("E"), ord("e")
_WORDS = np.frombuffer(b"trueTrueTRUEfalseFalseFALSE", np.uint8)
_WORD_STARTS = np.array([0, 4, 8, 12, 17, 22, 27])


@kernel
def _digits(text: Bytes, at: Place, end: Place, number: int) -> tuple[Place, int]:
    while at < end and _ZERO <= text[at] <= _NINE:
        number = number * 10 + (text[at] - _ZERO)
        at += _ONE
    return at, number


@kernel
def _read_any_float(text: Bytes, at: Place, end: Place) -> tuple[Place, float, bool]:
    """Return the end of a float or NOWHERE, its value, and whether that is exact."""
    negative = at < end and text[at] == _MINUS
    if negative:
        at += _ONE
    first = at
    at, number = _digits(text, at, end, 0)
    digits = np.int64(at - first)
    if digits == 0:
        return NOWHERE, 0.0, False
    exponent = np.int64(0)
    if at < end and text[at] == _DOT:
        first = at + _ONE
        at, number = _digits(text, first, end, number)
        if at == first:
            return NOWHERE, 0.0, False
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
            return NOWHERE, 0.0, False
        exponent += -power if falling else power
    if digits > _MOST_DIGITS or number > _LARGEST_EXACT or exponent < -22 or exponent > 22:
        return at, 0.0, False
    value = np.float64(number)
    value = value * _POWERS[exponent] if exponent >= 0 else value / _POWERS[-exponent]
    return at, -value if negative else value, True


@kernel
def read_float(text: Bytes, at: Place, end: Place) -> tuple[Place, float, bool]:
    """As `_read_any_float`, at once where a few digits stand on each side of a point."""
    if at + _TWO_WORDS + _ONE > end:
        return _read_any_float(text, at, end)
    count, whole = digits_at(text, at)
    stop = at + count
    if count == 0 or count == _WORD or text[stop] == _LOWER_E or text[stop] == _UPPER_E:
        return _read_any_float(text, at, end)
    if text[stop] != _DOT:
        return stop, np.float64(whole), True
    count, part = digits_at(text, stop + _ONE)
    stop += _ONE + count
    if count == 0 or count == _WORD or text[stop] == _LOWER_E or text[stop] == _UPPER_E:
        return _read_any_float(text, at, end)
    # Fourteen digits at most: a number below 2^53.
    number = np.int64(whole) * _TENS[count] + np.int64(part)
    return stop, np.float64(number) / _POWERS[count], True


@kernel
def read_integer(text: Bytes, at: Place, end: Place) -> tuple[Place, int]:
    """As `_read_any_integer`, at once where there are a few digits."""
    if at + _WORD <= end:
        count, number = digits_at(text, at)
        if count != 0 and count != _WORD:
            return at + count, int(np.int64(number))
    return _read_any_integer(text, at, end)


@kernel
def _read_any_integer(text: Bytes, at: Place, end: Place) -> tuple[Place, int]:
    """Return the end of an integer (NOWHERE if there is none, or a long one), and its value."""
    negative = at < end and text[at] == _MINUS
    if negative:
        at += _ONE
    first = at
    at, number = _digits(text, at, end, 0)
    # Nineteen digits that overflow turn negative.
    if at == first or np.int64(at - first) > _MOST_DIGITS + 1 or number < 0:
        return NOWHERE, 0
    return at, -number if negative else number


@kernel
def _read_long_integer(text: Bytes, at: Place, end: Place) -> tuple[Place, int]:
    """As `_read_any_integer`, at once where there are sixteen digits or some more."""
    if at + _TWO_WORDS <= end:
        count, high = digits_at(text, at)
        if count == _WORD:
            count, low = digits_at(text, at + _WORD)
            if count == _WORD:
                stop, number = _digits(
                    text,
                    at + _TWO_WORDS,
                    end,
                    int(np.int64(high) * _HUNDRED_MILLIONS + np.int64(low)),
                )
                if np.int64(stop - at) <= _MOST_DIGITS + 1 and number >= 0:
                    return stop, number
    return _read_any_integer(text, at, end)


@kernel
def read_boolean(text: Bytes, at: Place, end: Place) -> tuple[Place, int]:
    """Return the end of a truth value (NOWHERE if there is none), and the value."""
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
    return NOWHERE, 0


@kernel
def read_time(text: Bytes, at: Place, end: Place, unit: int) -> tuple[bool, int]:
    """Return whether a line ends with a timestamp, and its nanoseconds."""
    while at < end and text[at] == _SPACE:
        at += _ONE
    at, stamp = _read_long_integer(text, at, end)
    if at == NOWHERE:
        return False, 0
    while at < end and text[at] == _SPACE:
        at += _ONE
    if at != end:
        return False, 0
    if unit == 1:
        return True, stamp
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
