"""The protobuf reader, judged by its inverse and by bytes out of the protobuf documentation."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.influxdb.embedded.flight_messages import (
    MalformedMessage,
    bytes_field,
    pack_any,
    read_fields,
    unpack_any,
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2**20), st.binary(max_size=300)), max_size=5))
def test_fields_are_read_back(fields: list[tuple[int, bytes]]) -> None:
    message = b"".join(bytes_field(number, value) for number, value in fields)
    expected: dict[int, list[bytes]] = {}
    for number, value in fields:
        expected.setdefault(number, []).append(value)
    assert read_fields(message) == expected


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_a_message_in_an_any_is_read_back(message: bytes) -> None:
    assert unpack_any(pack_any("CommandStatementQuery", message)) == (
        "CommandStatementQuery",
        message,
    )


def test_the_documentations_examples_are_read() -> None:
    """The bytes of protobuf.dev, "Encoding": a varint field 1 of 150, and "testing" in field 2."""
    assert read_fields(bytes.fromhex("089601")) == {1: [(150).to_bytes(8, "little")]}
    assert read_fields(bytes.fromhex("120774657374696e67")) == {2: [b"testing"]}


def test_fixed_width_fields_are_stepped_over() -> None:
    message = b"\x0d\x01\x02\x03\x04" + b"\x11" + bytes(8) + bytes_field(3, b"x")
    assert read_fields(message) == {1: [b"\x01\x02\x03\x04"], 2: [bytes(8)], 3: [b"x"]}


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x0a", b"\x0b", b"\xff" * 11, b"\x0d\x01"])
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_fields(data)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        unpack_any(data)
