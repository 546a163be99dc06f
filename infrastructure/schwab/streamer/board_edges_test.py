"""Edges of the compiled path, each by a value that stands at it; msgspec says what is right."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import msgspec
import pytest

from infrastructure.schwab.streamer.board import BOARD_SERVICES, Board
from infrastructure.schwab.streamer.board_layout import TABLE_AT, TABLE_END
from infrastructure.schwab.streamer.scan_layout import LONGEST_KEY, MOST_ENTRIES
from infrastructure.schwab.streamer.scanner import Scanner, frame_columns
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.updates import FrameBatch

EQUITIES = BOARD_SERVICES.index(Service.LEVELONE_EQUITIES)


def entry(content: str, service: str = "LEVELONE_EQUITIES", members: str = "") -> str:
    return f'{{"service":"{service}",{members}"content":[{content}]}}'


def frame(*entries: str) -> bytes:
    return f'{{"data":[{",".join(entries)}]}}'.encode()


def update(key: str, values: str) -> str:
    return f'{{"key":"{key}",{values}}}'


def same(mine: Any, theirs: Any) -> bool:
    """Return whether two values have one type and every bit in common."""
    if isinstance(theirs, float) and isinstance(mine, float):
        return struct.pack("<d", mine) == struct.pack("<d", theirs)
    return type(mine) is type(theirs) and bool(mine == theirs)


@pytest.mark.parametrize("size", range(13))
def test_a_text_of_any_length_is_kept_whole(size: int) -> None:
    text = "ABCDEFGHIJKLM"[:size]
    board = Board(slots=1)
    assert board.read(frame(entry(update("A", f'"15":"{text}","16":1')))) is not None
    assert board.record(EQUITIES, "A") == {"key": "A", "15": text, "16": 1}


@pytest.mark.parametrize("character", ["\x7f", "é", "\\u0041", "\\n", "\x1f"])
def test_a_text_that_is_not_plain_is_left_to_the_reference(character: str) -> None:
    for content in (update("A", f'"15":"a{character}b"'), update(f"a{character}b", '"1":1')):
        board = Board()
        read = board.read(frame(entry(content)))
        assert (read is not None) == (character == "\x7f")
        assert len(board.keys(EQUITIES)) == (character == "\x7f")


@pytest.mark.parametrize("size", [LONGEST_KEY - 1, LONGEST_KEY, LONGEST_KEY + 1])
def test_the_longest_key_fits_and_a_longer_one_is_left(size: int) -> None:
    key = "K" * size
    board = Board(slots=1)
    read = board.read(frame(entry(update(key, '"1":2.5'))))
    assert (read is not None) == (size <= LONGEST_KEY)
    if read is None:
        board.merge(EQUITIES, [{"key": key, "1": 2.5}])
    assert board.keys(EQUITIES) == (key,)
    assert board.record(EQUITIES, key) == {"key": key, "1": 2.5}
    in_arrays = [*board._slots[EQUITIES]]
    assert in_arrays == ([key] if size <= LONGEST_KEY else [])


def test_merging_by_hand_keeps_the_longest_key_in_the_arrays() -> None:
    board = Board()
    board.merge(EQUITIES, [{"key": "K" * LONGEST_KEY, "1": 2.5}])
    assert [*board._slots[EQUITIES]] == ["K" * LONGEST_KEY]


@pytest.mark.parametrize(
    "text",
    [
        "0", "-0", "0.0", "-0.0", "-0e0", "-0.00", "7", "-7", "0.1", "-0.1", "9007199254740991",
        "9007199254740992", "9007199254740993", "-9007199254740993", "18014398509481985",
        "900719925474099.3", "90071992547409.93", "123456789012345678", "1234567890123456789",
        "99999999999999999999999", "1e22", "1e23", "3e22", "3e23", "1e-22", "1e-23", "7e-23",
        "8.5e-30", "1E5", "1e+5", "1.5e300", "1e-300", "0.000000000000000000000001",
        "1.7976931348623157e308", "5e-324", "2.2250738585072011e-308",
        "0." + "3" * 57, "0." + "3" * 58, "0." + "3" * 59, "0." + "3" * 90, "1e250", "1e251",
        "1e400", "1e", "1e+", "1.", ".5", "-", "+1", "01", "-01", "00", "1.e5", "0x1", "1e5.5",
    ],
)  # fmt: skip
def test_a_number_is_what_msgspec_reads_or_is_left(text: str) -> None:
    payload = frame(entry(update("A", f'"1":{text}')))
    board = Board(slots=1)
    read = board.read(payload)
    try:
        expected = msgspec.json.decode(text)
    except msgspec.DecodeError:
        assert read is None
        return
    if read is not None:
        record = board.record(EQUITIES, "A")
        assert record is not None
        assert same(record["1"], expected)
        [[value]] = (
            FrameBatch(SPECS[Service.LEVELONE_EQUITIES], 0, 0, payload, 0, 1)
            .columns((1,))
            .values.tolist()
        )
        assert value == float(expected)


def test_a_number_merged_by_hand_past_53_bits_keeps_every_digit() -> None:
    board = Board()
    for number in (2**53, 2**53 + 1, -(2**53) - 1, 2**54 - 1):
        board.merge(EQUITIES, [{"key": "A", "1": number}])
        assert same((board.record(EQUITIES, "A") or {})["1"], number)


@pytest.mark.parametrize("count", [MOST_ENTRIES - 1, MOST_ENTRIES, MOST_ENTRIES + 1])
def test_a_frame_may_have_so_many_entries_and_more_are_left(count: int) -> None:
    board = Board()
    entries = [entry(update(f"S{number}", f'"1":{number}')) for number in range(count)]
    read = board.read(frame(*entries))
    assert (None if read is None else len(read)) == (count if count <= MOST_ENTRIES else None)
    assert len(board.keys(EQUITIES)) == (count if count <= MOST_ENTRIES else 0)


def test_an_entry_without_a_time_does_not_have_that_of_the_frame_before() -> None:
    board = Board()
    dated = entry(update("A", '"1":1'), members='"timestamp":77,')
    assert [one.timestamp_ms for one in board.read(frame(dated)) or ()] == [77]
    assert [one.timestamp_ms for one in board.read(frame(entry(update("A", '"1":1')))) or ()] == [0]


@pytest.mark.parametrize(
    "payload",
    [
        frame(entry(update("A", '"1":1,"key":"B"'))),
        frame(entry('{"1":1}')),
        frame(entry(update("A", '"1":1'), members='"command":"SUBS","command":"ADD",')),
        frame(entry(update("A", '"1":1'), members='"service":"LEVELONE_EQUITIES",')),
        frame(entry(update("A", '"52":1'))),
        frame(entry(update("A", '"1":1'))) + b"x",
        frame(entry(update("A", '"1":1'))) + b"{}",
        frame(entry(update("A", '"1":1')))[:-1],
    ],
)
def test_what_is_not_plain_is_left_and_changes_nothing(payload: bytes) -> None:
    board = Board()
    assert board.read(payload) is None
    assert board.keys(EQUITIES) == ()


def test_a_short_frame_after_a_long_one_does_not_read_on_in_it() -> None:
    board = Board()
    whole = frame(entry(update("A", '"1":1')))
    assert board.read(whole) is not None
    for size in range(len(whole)):
        assert board.read(whole) is not None
        assert board.read(whole[:size]) is None


def test_blanks_after_a_frame_before_do_not_belong_to_the_next() -> None:
    board = Board()
    whole = frame(entry(update("A", '"1":1')))
    assert board.read(whole + b"   ") is not None
    assert board.read(whole) is not None


def test_a_number_of_many_digits_that_was_replaced_in_the_same_frame_is_gone() -> None:
    board = Board()
    first, second = update("A", '"1":0.30000000000000004'), update("A", '"1":5')
    assert board.read(frame(entry(f"{first},{second}"))) is not None
    record = board.record(EQUITIES, "A")
    assert record is not None
    assert same(record["1"], 5)


def test_one_key_in_five_services_and_keys_of_one_beginning_stay_apart() -> None:
    board = Board(slots=1)
    keys = ["A", "AA", "AAA", "AB", "B"]
    for turn in range(2):
        for number, service in enumerate(BOARD_SERVICES):
            for place, key in enumerate(keys):
                value = 100 * turn + 10 * number + place
                assert board.read(frame(entry(update(key, f'"1":{value}'), service))) is not None
    for number in range(len(BOARD_SERVICES)):
        assert sorted(board.keys(number)) == sorted(keys)
        told = [board.record(number, key) for key in keys]
        assert told == [
            {"key": key, "1": 100 + 10 * number + place} for place, key in enumerate(keys)
        ]


def test_of_all_that_a_frame_leaves_to_python_each_is_written() -> None:
    values = '"15":"a description of some length","1":0.30000000000000004,"16":"another long text"'
    board = Board(slots=1)
    assert board.read(frame(entry(f"{update('A', values)},{update('B', values)}"))) is not None
    for key in ("A", "B"):
        assert board.record(EQUITIES, key) == {
            "key": key,
            "15": "a description of some length",
            "1": 0.30000000000000004,
            "16": "another long text",
        }


def test_a_cell_whose_long_text_was_replaced_in_the_same_frame_has_the_later_value() -> None:
    board = Board()
    first, second = update("A", '"15":"a long description"'), update("A", '"15":"N"')
    assert board.read(frame(entry(f"{first},{second}"))) is not None
    assert board.record(EQUITIES, "A") == {"key": "A", "15": "N"}


def test_columns_are_those_of_the_entry_that_was_asked_for() -> None:
    two = ",".join([update("A", '"1":1'), update("B", '"1":2.5,"2":7')])
    payload = frame(
        entry(two),
        entry(update("C", '"1":3'), "LEVELONE_FOREX"),
    )
    first, second = (frame_columns(payload, number, (2, 1)) for number in range(2))
    assert first is not None
    assert second is not None
    assert (first.keys, second.keys) == (("A", "B"), ("C",))
    assert str(first.values.tolist()) == "[[nan, 1.0], [7.0, 2.5]]"
    assert str(second.values.tolist()) == "[[nan, 3.0]]"
    assert frame_columns(payload, 2, (1,)) is None


def test_a_number_that_a_text_replaces_in_one_update_is_none_in_the_columns() -> None:
    found = Scanner().columns(frame(entry(update("A", '"1":5,"1":"text"'))), 0, (1,))
    assert found is not None
    assert math.isnan(found.values[0, 0])


@pytest.mark.parametrize("slots", range(1, 6))
def test_a_board_with_just_room_enough_takes_every_key(slots: int) -> None:
    for count in range(1, 9):
        board = Board(slots=slots)
        content = ",".join(update(f"S{number}", f'"1":{number}') for number in range(count))
        assert board.read(frame(entry(content))) is not None
        told = [board.record(EQUITIES, f"S{number}") for number in range(count)]
        assert told == [{"key": f"S{number}", "1": number} for number in range(count)]


def test_what_stands_beside_the_arrays_moves_with_its_key() -> None:
    board = Board()
    long = "a description of some length"
    odd = [{"key": key, "15": long, "news": {"of": key}} for key in ("A", "B", "C")]
    board.merge(EQUITIES, odd)
    board.forget(EQUITIES, ("A",))
    assert json.dumps([board.record(EQUITIES, key) for key in ("A", "B", "C")]) == json.dumps(
        [None, *odd[1:]]
    )


@pytest.mark.parametrize("letter", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
def test_in_a_crowded_table_service_and_length_tell_keys_apart(letter: str) -> None:
    for told in (
        [("LEVELONE_EQUITIES", letter * 2), ("LEVELONE_OPTIONS", "Z"), ("LEVELONE_EQUITIES", "Z")],
        [("LEVELONE_EQUITIES", f"Z{letter}"), ("LEVELONE_EQUITIES", "Z")],
    ):
        board = Board(slots=4)
        # Eight places: chains of keys pass over one another.
        board._memory[TABLE_END] = board._memory[TABLE_AT] + 4
        for number, (service, key) in enumerate(told):
            assert board.read(frame(entry(update(key, f'"1":{number}'), service))) is not None
        for number, (service, key) in enumerate(told):
            index = BOARD_SERVICES.index(Service(service))
            assert board.record(index, key) == {"key": key, "1": number}
