"""Words of eight bytes give what Python's own bytes give."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.influxdb.word_kernels import digits_at, find_newlines, same_bytes, word_at

NEAR_DIGITS = st.binary(min_size=8, max_size=8) | st.text(
    st.sampled_from("0123456789/:. ,ei\xb0\xb9"), min_size=8, max_size=8
).map(lambda text: text.encode("latin-1"))


def as_array(content: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(content, np.uint8)


@settings(deadline=None)
@given(NEAR_DIGITS, st.binary(max_size=3))
def test_digits_are_counted_and_read_as_far_as_they_go(word: bytes, before: bytes) -> None:
    found = re.match(rb"[0-9]*", word)
    assert found is not None
    count, number = digits_at(as_array(before + word), np.uint64(len(before)))
    assert int(count) == len(found[0])
    assert int(number) == int(found[0] or b"0")
    assert int(word_at(as_array(word), np.uint64(0))) == int.from_bytes(word, "little")


@settings(deadline=None)
@given(st.integers(0, 10**8 - 1), st.integers(1, 8))
def test_every_number_of_every_length_is_read(number: int, length: int) -> None:
    text = f"{number % 10**length:0{length}d}"
    count, found = digits_at(as_array(f"{text}.       ".encode()), np.uint64(0))
    assert (int(count), int(found)) == (length, int(text))


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"\n", b"\x0b", b"\x8a", b"a", b"\n\n"]), max_size=70))
def test_newlines_are_found_where_python_finds_them(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    breaks = np.full(text.count(b"\n"), -1, np.int64)
    if text:
        assert find_newlines(as_array(text), breaks) == len(breaks)
    assert breaks.tolist() == [place for place, byte in enumerate(text) if byte == ord("\n")]


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 39), st.integers(0, 255))
def test_parts_are_equal_when_every_byte_is(part: bytes, place: int, byte: int) -> None:
    other = bytearray(part)
    if place < len(part):
        other[place] = byte
    text = as_array(b"#" + part + bytes(other))
    same = same_bytes(text, np.uint64(1), np.uint64(1 + len(part)), np.uint64(len(part)))
    assert bool(same) == (part == other)
