"""Read uniform lines in machine code; `line_reader` is the reference and takes what is left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infrastructure.compiling.kernel import kernel
from infrastructure.compiling.pointer import pointer
from infrastructure.influxdb.value_kernels import (
    NOWHERE,
    read_boolean,
    read_float,
    read_integer,
    read_time,
)
from infrastructure.influxdb.word_kernels import (
    WORD_BYTES,
    Bytes,
    Longs,
    same_bytes,
    word_at,
)

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int16]

WAITING = -1
LEFT = -2

FLOAT, INTEGER, STRING, BOOLEAN = 0, 1, 2, 3

# Places are unsigned, which spares each access the check whether it counts from the end.
_ONE = np.uint64(1)
_WORD = np.uint64(WORD_BYTES)
_LONGEST_STRING = 65_536
_TAB, _SPACE, _QUOTE, _HASH = ord("\t"), ord(" "), ord('"'), ord("#")
_COMMA, _BACKSLASH, _DELETE = ord(","), ord("\\"), 127
_MINUS, _UNSIGNED = ord("-"), ord("u")


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
        keys: `key=` of the first field, `,key=` of each other one; none holds a backslash.
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
    raw = pointer(text)
    mask = slots.shape[0] - 1
    size = np.uint64(text.shape[0])
    key_words = np.zeros(kinds.shape[0], np.uint64)
    key_masks = np.zeros(kinds.shape[0], np.uint64)
    for field in range(kinds.shape[0]):
        for place in range(key_ends[field], min(key_ends[field + 1], key_ends[field] + WORD_BYTES)):
            shift = np.uint64(8 * (place - key_ends[field]))
            key_words[field] |= np.uint64(keys[place]) << shift
            key_masks[field] |= np.uint64(255) << shift
    # Batches go round the series: a head is likely what followed the one before the last time.
    follower = np.full(starts.shape[0] + 1, -1, np.int32)
    last_head = starts.shape[0]
    for line in range(starts.shape[0]):
        if states[line] != WAITING:
            continue
        start = np.uint64(starts[line])
        end = np.uint64(ends[line])
        code = np.uint64(14_695_981_039_346_656_037)
        guess = int(follower[last_head])
        if guess >= 0:
            other = np.uint64(starts[head_lines[guess]])
            length = np.uint64(head_ends[guess]) - other
            at = start + length
            if at >= end or raw[at] != _SPACE or not same_bytes(raw, start, other, length):
                guess = -1
        if guess < 0:
            at = start
            while at < end and raw[at] != _SPACE and raw[at] != _BACKSLASH:
                code = (code ^ np.uint64(raw[at])) * np.uint64(1_099_511_628_211)
                at += _ONE
            if at == end or raw[at] == _BACKSLASH:
                continue
        head_end = at
        while at < end and raw[at] == _SPACE:
            at += _ONE
        fits = True
        for field in range(kinds.shape[0]):
            first_place = np.uint64(key_ends[field])
            last_place = np.uint64(key_ends[field + 1])
            if at + _WORD <= size:
                if word_at(raw, at) & key_masks[field] != key_words[field]:
                    fits = False
                    break
                compared = min(last_place - first_place, _WORD)
                first_place += compared
                at += compared
            for place in range(first_place, last_place):
                if at >= end or raw[at] != keys[place]:
                    fits = False
                    break
                at += _ONE
            if not fits:
                break
            if at > end:
                fits = False
                break
            kind = kinds[field]
            if kind == FLOAT:
                first = at
                at, value, exact = read_float(raw, at, end)
                floats[field, line] = value
                numbers[field, line] = first
                lengths[field, line] = 0 if exact else np.int64(at - first)
            elif kind == INTEGER:
                if suffixes[field] == _UNSIGNED and at < end and raw[at] == _MINUS:
                    fits = False
                    break
                at, number = read_integer(raw, at, end)
                numbers[field, line] = number
                if at != NOWHERE:
                    at = at + _ONE if at < end and raw[at] == suffixes[field] else NOWHERE
            elif kind == STRING:
                if at >= end or raw[at] != _QUOTE:
                    fits = False
                    break
                at += _ONE
                first = at
                while at < end and raw[at] != _QUOTE and raw[at] != _BACKSLASH:
                    at += _ONE
                numbers[field, line] = first
                lengths[field, line] = at - first
                closed = at < end and raw[at] == _QUOTE and np.int64(at - first) <= _LONGEST_STRING
                at = at + _ONE if closed else NOWHERE
            else:
                at, number = read_boolean(raw, at, end)
                numbers[field, line] = number
            if at == NOWHERE:
                fits = False
                break
        if not fits:
            continue
        if at == end:
            time[line] = now_ns
        elif raw[at] == _SPACE:
            fits, time[line] = read_time(raw, at, end, unit)
            if not fits:
                continue
        else:
            continue
        head = guess
        slot = np.int64(code ^ (code >> np.uint64(32))) & mask
        while head < 0:
            head = int(slots[slot])
            if head < 0:
                head = head_count
                slots[slot] = head
                head_lines[head] = line
                head_ends[head] = head_end
                head_count += 1
                break
            other = np.uint64(starts[head_lines[head]])
            length = head_end - start
            if np.uint64(head_ends[head]) - other != length or not same_bytes(
                raw, start, other, length
            ):
                head = -1
                slot = (slot + 1) & mask
        heads[line] = head
        follower[last_head] = head
        last_head = head
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
