"""The compiled path beside its reference: msgspec's objects, merged in plain dictionaries."""

from __future__ import annotations

import json
import math
import random
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infrastructure.schwab.streamer.board import BOARD_SERVICES, Board, BoardRecords
from infrastructure.schwab.streamer.frames import decode_frame
from infrastructure.schwab.streamer.services import SPECS, Delivery, Service
from infrastructure.schwab.streamer.state import ServiceState
from infrastructure.schwab.streamer.updates import FrameBatch, Update

Records = dict[str, dict[str, Update]]

SPACES = st.sampled_from(["", "", "", "", " ", "\n\t", "\r\n "])
WORDS = st.one_of(
    st.integers(1, 29).map(str),
    st.integers(0, 120).map(str),
    st.sampled_from(["delayed", "assetMainType", "assetSubType", "cusip", "seq", "01", "", "keys"]),
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(0, 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-99999, 99999, places=4).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][-+]?[0-9]{1,3})?", fullmatch=True),
)
STRINGS = st.one_of(
    st.text("ABCZaz09 .:/$_-", max_size=12), st.text(max_size=6), st.text("AB\x7f", max_size=9)
)
VALUES = st.one_of(
    NUMBERS,
    NUMBERS,
    STRINGS.map(json.dumps),
    STRINGS.map(lambda one: json.dumps(one, ensure_ascii=False)),
    st.sampled_from(["true", "false", "null", "[1,2]", '{"a":1}', "nul", "01", "1.", "-", "+1"]),
)
PLAIN_VALUES = st.one_of(
    st.floats(0, 1e6).map(lambda one: repr(round(one, 2))),
    st.integers(0, 2_000_000_000_000).map(str),
    st.sampled_from(["true", "false", "null", '"N"', '"XNAS"', '"Apple Inc. Common Stock"']),
)
KEYS = st.one_of(
    st.sampled_from(["AAPL", "MSFT", "$SPX", "AAPL  130316C00430000", "./OZCZ23C565", "EUR/USD"]),
    st.text(min_size=1, max_size=3),
    st.just("K" * 38),
    st.just("K" * 39),
)


@st.composite
def frame_texts(draw: st.DrawFn, *, plain: bool = False) -> str:
    """Make the text of a frame, with blanks where JSON allows them."""

    def blank() -> str:
        return "" if plain else draw(SPACES)

    def listed(parts: list[str]) -> str:
        return f"{blank()},{blank()}".join(parts)

    words = st.integers(1, 29).map(str) if plain else WORDS
    keys = st.sampled_from(["AAPL", "MSFT", "IBM"]) if plain else KEYS

    def update() -> str:
        members = [
            f"{json.dumps(draw(words))}{blank()}:{blank()}{draw(PLAIN_VALUES if plain else VALUES)}"
            for _ in range(draw(st.integers(0, 4)))
        ]
        members.insert(
            draw(st.integers(0, len(members))),
            f'"key"{blank()}:{blank()}{json.dumps(draw(keys))}',
        )
        return "{" + blank() + listed(members) + blank() + "}"

    def entry() -> str:
        service = draw(st.sampled_from(BOARD_SERVICES if plain else list(Service)))
        content = listed([update() for _ in range(draw(st.integers(0, 4)))])
        members = [
            f'"service"{blank()}:{blank()}"{service}"',
            f'"timestamp":{blank()}{draw(st.integers(0, 2**42))}',
            '"command":"SUBS"',
            f'"content":{blank()}[{blank()}{content}{blank()}]',
        ]
        if not plain:
            members = draw(st.permutations(members))[: draw(st.integers(3, 4))]
        return "{" + blank() + listed(members) + blank() + "}"

    entries = listed([entry() for _ in range(draw(st.integers(1, 3)))])
    return f'{blank()}{{"data"{blank()}:[{entries}{blank()}]{blank()}}}{blank()}'


class Reference:
    """Decode with msgspec and merge into dictionaries."""

    def __init__(self) -> None:
        self.records: Records = {service: {} for service in BOARD_SERVICES}

    def read(self, payload: bytes) -> list[tuple[str, int, int]]:
        """Merge a frame and return its entries.

        Raises:
            ValueError: If it is no frame.
        """
        entries = []
        for data in decode_frame(payload).data:
            for update in data.content:
                self.records[data.service].setdefault(update["key"], {}).update(update)
            entries.append((data.service, data.timestamp, len(data.content)))
        return entries


def records_of(board: Board) -> Records:
    return {
        service: {key: board.record(number, key) or {} for key in board.keys(number)}
        for number, service in enumerate(BOARD_SERVICES)
    }


def exactly(value: Any) -> Any:
    """Return a value in a form that is equal only if type and every bit are."""
    if isinstance(value, dict):
        return {word: exactly(one) for word, one in value.items()}
    if isinstance(value, float):
        return ("float", struct.pack("<d", value))
    return (type(value).__name__, value)


def follow(board: Board, reference: Reference, payload: bytes) -> None:
    """Let both read a frame; the board's caller merges what the kernels leave."""
    before = exactly(records_of(board))
    entries = board.read(payload)
    if entries is not None:
        assert [(one.service, one.timestamp_ms, one.count) for one in entries] == reference.read(
            payload
        )
        return
    assert exactly(records_of(board)) == before
    try:
        frame = decode_frame(payload)
    except ValueError:
        return
    placed = [one for one in frame.data if one.service in BOARD_SERVICES]
    for data in placed:
        if all(isinstance(one.get("key"), str) for one in data.content):
            board.merge(BOARD_SERVICES.index(Service(data.service)), data.content)
            for update in data.content:
                reference.records[data.service].setdefault(update["key"], {}).update(update)


@settings(max_examples=150, deadline=None)
@given(st.lists(frame_texts(), max_size=5))
def test_the_board_holds_exactly_what_msgspec_and_dictionaries_hold(texts: list[str]) -> None:
    board, reference = Board(slots=2), Reference()
    for text in texts:
        follow(board, reference, text.encode())
        assert exactly(records_of(board)) == exactly(reference.records)


@settings(max_examples=60, deadline=None)
@given(st.lists(frame_texts(plain=True), min_size=1, max_size=4))
def test_plain_frames_are_never_left_to_the_reference(texts: list[str]) -> None:
    board, reference = Board(slots=2), Reference()
    for text in texts:
        entries = board.read(text.encode())
        assert entries is not None
        assert [(one.service, one.timestamp_ms, one.count) for one in entries] == reference.read(
            text.encode()
        )
    assert exactly(records_of(board)) == exactly(reference.records)


@settings(max_examples=150, deadline=None)
@given(frame_texts(plain=True), st.randoms(use_true_random=False), st.integers(0, 3))
def test_a_corrupt_frame_changes_nothing_or_is_what_msgspec_reads(
    text: str, source: random.Random, kind: int
) -> None:
    payload = bytearray(text.encode())
    at = source.randrange(len(payload))
    if kind == 0:
        del payload[at:]
    elif kind == 1:
        payload[at] = source.randrange(256)
    elif kind == 2:
        payload.insert(at, source.choice(b'"\\{}[],:0-.eE \x00\xff'))
    else:
        del payload[at]
    board, reference = Board(), Reference()
    board.read(b'{"data":[{"service":"LEVELONE_EQUITIES","content":[{"key":"AAPL","1":1.5}]}]}')
    reference.records[Service.LEVELONE_EQUITIES]["AAPL"] = {"key": "AAPL", "1": 1.5}
    follow(board, reference, bytes(payload))
    assert exactly(records_of(board)) == exactly(reference.records)


@settings(max_examples=300, deadline=None)
@example("9007199254740993")
@example("-0")
@example("-0.0")
@example("1e22")
@example("1e23")
@example("123456789012345678e-22")
@example("0.30000000000000004")
@example("5e-324")
@example("1.7976931348623157e308")
@given(NUMBERS)
def test_every_number_is_the_nearest_double_or_the_whole_integer(text: str) -> None:
    board = Board(slots=1)
    payload = (
        b'{"data":[{"service":"LEVELONE_FOREX","content":[{"key":"A","1":%s}]}]}' % text.encode()
    )
    try:
        expected = json.loads(text)
        decode_frame(payload)
    except ValueError:
        assert board.read(payload) is None
        return
    if board.read(payload) is None:
        return
    record = board.record(BOARD_SERVICES.index(Service.LEVELONE_FOREX), "A")
    assert record is not None
    assert exactly(record["1"]) == exactly(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(frame_texts(), min_size=1, max_size=4))
def test_a_state_that_moves_to_a_board_goes_on_as_it_was(texts: list[str]) -> None:
    spec = SPECS[Service.LEVELONE_EQUITIES]
    moved, stays = ServiceState(spec), ServiceState(spec)
    for number, text in enumerate(texts):
        if number == len(texts) // 2:
            moved.move(BoardRecords(Board(slots=1), spec.service))
        try:
            frame = decode_frame(text.encode())
        except ValueError:
            continue
        for data in frame.data:
            for state in (moved, stays):
                state.merge([one.copy() for one in data.content])
    assert exactly(moved.records()) == exactly(stays.records())
    assert set(moved.keys()) == set(stays.keys())
    assert all(moved.latest(key) == stays.latest(key) for key in stays.records())
    mine, theirs = moved.columns((1, 2, 3, 60)), stays.columns((1, 2, 3, 60))
    rows = dict(zip(mine.keys, mine.values.tolist(), strict=True))
    for key, row in zip(theirs.keys, theirs.values.tolist(), strict=True):
        assert str(rows[key]) == str(row)
    gone = stays.keys()[::2]
    moved.forget(gone)
    stays.forget(gone)
    assert exactly(moved.records()) == exactly(stays.records())
    moved.forget()
    assert len(moved) == 0


@settings(max_examples=100, deadline=None)
@given(frame_texts(), st.lists(st.integers(0, 55), unique=True, max_size=5))
def test_a_batch_makes_the_columns_that_its_objects_have(text: str, numbers: list[int]) -> None:
    payload = text.encode()
    entries = Board().read(payload)
    for number, entry in enumerate(entries or []):
        batch = FrameBatch(
            SPECS[entry.service], entry.timestamp_ms, 5, payload, number, entry.count
        )
        columns = batch.columns(numbers)
        assert columns.keys == tuple(one["key"] for one in batch.updates)
        assert columns.values.shape == (len(batch), len(numbers)) == (entry.count, len(numbers))
        for row, update in zip(columns.values.tolist(), batch.updates, strict=True):
            for value, field in zip(row, numbers, strict=True):
                known = update.get(str(field))
                if isinstance(known, bool) or not isinstance(known, int | float):
                    assert math.isnan(value)
                else:
                    assert value == float(known)


def test_a_key_that_was_forgotten_begins_anew_and_the_others_stay() -> None:
    board = Board(slots=2)
    quote = '{{"data":[{{"service":"LEVELONE_EQUITIES","content":[{{"key":"{}","{}":{}}}]}}]}}'
    for number in range(40):
        assert board.read(quote.format(f"S{number}", 1, number).encode()) is not None
    equities = BOARD_SERVICES.index(Service.LEVELONE_EQUITIES)
    board.forget(equities, ("S3", "S30", "none"))
    assert board.read(quote.format("S3", 2, 9.5).encode()) is not None
    assert board.record(equities, "S3") == {"key": "S3", "2": 9.5}
    assert board.record(equities, "S30") is None
    assert board.record(equities, "S39") == {"key": "S39", "1": 39}
    assert len(board.keys(equities)) == 39


@pytest.mark.parametrize("service", BOARD_SERVICES)
def test_the_board_knows_the_services_that_send_changes_and_their_fields(service: Service) -> None:
    spec = SPECS[service]
    assert spec.delivery is Delivery.CHANGE
    content = json.dumps([{"key": "A", **{str(field.number): 1.5 for field in spec.fields}}])
    frame = f'{{"data":[{{"service":"{service}","content":{content}}}]}}'
    assert Board().read(frame.encode()) is not None
    more = frame.replace('"0": 1.5', f'"{len(spec.fields)}": 1.5')
    assert Board().read(more.encode()) is None
    assert {one.service for one in SPECS.values() if one.delivery is Delivery.CHANGE} == set(
        BOARD_SERVICES
    )
