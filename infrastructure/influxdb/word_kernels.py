"""Look at eight bytes of a text at once: digits, keys and newlines cost a few steps each.

A word holds the text's first byte lowest, on any machine; LLVM makes one load of it. Who calls
sees to it that the eight bytes are within the text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]
Place = np.uint64

WORD_BYTES = 8
_ONE = np.uint64(1)
_WORD = np.uint64(WORD_BYTES)
_ONES = np.uint64(0x0101_0101_0101_0101)
_HIGHS = np.uint64(0x8080_8080_8080_8080)
_SEVENS = np.uint64(0x7F7F_7F7F_7F7F_7F7F)
_ZEROS = np.uint64(0x3030_3030_3030_3030)
_ABOVE_NINE = np.uint64(0x7676_7676_7676_7676)
_NEWLINES = np.uint64(0x0A0A_0A0A_0A0A_0A0A)
_PAIRS = np.uint64(0x00FF_00FF_00FF_00FF)
_FOURS = np.uint64(0x0000_FFFF_0000_FFFF)
_EIGHTS = np.uint64(0xFFFF_FFFF)
_TEN, _HUNDRED, _MYRIAD = np.uint64(10), np.uint64(100), np.uint64(10_000)
_B1, _B2, _B3, _B4, _B5, _B6, _B7 = (np.uint64(place) for place in range(1, 8))
_S1, _S2, _S3, _S4, _S5, _S6, _S7 = (np.uint64(8 * place) for place in range(1, 8))
_NEWLINE = ord("\n")


@kernel
def word_at(text: Bytes, at: Place) -> np.uint64:
    """Return the eight bytes from a place on, the first one lowest."""
    return (
        np.uint64(text[at])
        | np.uint64(text[at + _B1]) << _S1
        | np.uint64(text[at + _B2]) << _S2
        | np.uint64(text[at + _B3]) << _S3
        | np.uint64(text[at + _B4]) << _S4
        | np.uint64(text[at + _B5]) << _S5
        | np.uint64(text[at + _B6]) << _S6
        | np.uint64(text[at + _B7]) << _S7
    )


@kernel
def _bytes_below(marks: np.uint64) -> np.uint64:
    """Return how many bytes come before the first one whose highest bit is set; 8 if none is."""
    if marks == np.uint64(0):
        return _WORD
    # All ones up to the first mark; its own byte is shifted out, and the others are counted.
    return (((marks ^ (marks - _ONE)) >> _S1) & _ONES) * _ONES >> _S7


@kernel
def digits_at(text: Bytes, at: Place) -> tuple[np.uint64, np.uint64]:
    """Return how many digits stand at a place, 8 at most, and the number that they make."""
    # A digit is 0 to 9 now; a byte from 128 on keeps its highest bit.
    word = word_at(text, at) ^ _ZEROS
    count = _bytes_below((((word & _SEVENS) + _ABOVE_NINE) | word) & _HIGHS)
    if count == np.uint64(0):
        return count, count
    # The digits move up, and noughts come before them.
    word = word << ((_WORD - count) << np.uint64(3))
    word = (word & _PAIRS) * _TEN + ((word >> _S1) & _PAIRS)
    word = (word & _FOURS) * _HUNDRED + ((word >> _S2) & _FOURS)
    return count, (word & _EIGHTS) * _MYRIAD + (word >> _S4)


@kernel
def same_bytes(text: Bytes, one: Place, other: Place, length: np.uint64) -> bool:
    """Return whether two parts of a text, both within it, are equal."""
    if length < _WORD:
        index = np.uint64(0)
        while index < length and text[one + index] == text[other + index]:
            index += _ONE
        return bool(index == length)
    last = length - _WORD
    index = np.uint64(0)
    while index < last:
        if word_at(text, one + index) != word_at(text, other + index):
            return False
        index += _WORD
    return bool(word_at(text, one + last) == word_at(text, other + last))


@kernel
def find_newlines(text: Bytes, breaks: Longs) -> int:
    """Find all newlines.

    Args:
        text: Any.
        breaks: Receives their places; long enough for all.

    Returns:
        How many there are.
    """
    count = 0
    at = np.uint64(0)
    size = np.uint64(text.shape[0])
    while at + _WORD <= size:
        word = word_at(text, at) ^ _NEWLINES
        marks = ~(((word & _SEVENS) + _SEVENS) | word) & _HIGHS
        while marks != np.uint64(0):
            breaks[count] = np.int64(at + _bytes_below(marks))
            count += 1
            marks &= marks - _ONE
        at += _WORD
    while at < size:
        if text[at] == _NEWLINE:
            breaks[count] = np.int64(at)
            count += 1
        at += _ONE
    return count
