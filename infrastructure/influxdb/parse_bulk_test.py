"""The compiled reader gives what the line reader gives: tables, series, order, errors, words."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.influxdb.kernel_choice import KernelChoice
from infrastructure.influxdb.line_reader import LineReader
from infrastructure.influxdb.parse import PRECISIONS, ParsedBody, parse_lines

NOW = 1_700_000_000_123_456_789
HEADS = ["m,a=x,b=y", "m,b=y,a=x", "n", "m", "m,a=x", "m,a=", "é,t=ü", "m,a=x\\ y", 'm,q="', "m\t"]
FLOATS = [
    "1",
    "-0",
    "0.1",
    "-12.50",
    "1e5",
    "2.5E-3",
    "1e22",
    "1e23",
    "9007199254740993",
    "1.",
    "-",
]
LONG = ["0.1234567890123456789", "1e999", "123456789012345678901", "4.35e-310", "5e-324", "1e-22"]
INTEGERS = [
    "1i",
    "-7i",
    "9223372036854775807i",
    "9223372036854775808i",
    "3u",
    "18446744073709551615u",
]
WORDS = [
    "t",
    "T",
    "true",
    "True",
    "TRUE",
    "f",
    "F",
    "false",
    "False",
    "FALSE",
    "tRUE",
    "tr",
    "fals",
]
STRINGS = ['""', '"a b"', '"a,b=1"', '"é"', '"a\\"b"', '"two\nlines"', '"open', '"#"']
VALUES = st.sampled_from(FLOATS + LONG + INTEGERS + WORDS + STRINGS)
TIMES = st.sampled_from(
    ["", " 1", " -1", "  5000000000  ", " 9223372036854775807", " 1e3", " ", " 1 2", "\r"]
) | st.integers(-(2**63), 2**63).map(lambda time: f" {time}")
FIELDS = st.lists(
    st.tuples(st.sampled_from(["f", "g", "h", "é", "a b", "time", "f\\ "]), VALUES),
    min_size=1,
    max_size=3,
).map(lambda fields: ",".join(f"{key}={value}" for key, value in fields))
LINES = st.tuples(st.sampled_from(HEADS), st.sampled_from([" ", "  "]), FIELDS, TIMES).map("".join)
ODD = st.sampled_from(["", " ", "\r", "# c", " # c", "\x0b", "\u2003", "m", "m f", ",", "\\", '"'])


def plain(body: ParsedBody) -> Any:
    """Return all that a parsed body holds as values that compare to the bit."""
    return (
        [
            (
                table.name,
                table.series,
                [
                    (
                        list(block.kinds.items()),
                        [
                            (name, column.type, [_exact(value) for value in column.to_pylist()])
                            for name, column in block.values.items()
                        ],
                        (block.series.dtype, block.series.tolist()),
                        (block.time.dtype, block.time.tolist()),
                        (block.line_numbers.dtype, block.line_numbers.tolist()),
                    )
                    for block in table.blocks
                ],
            )
            for table in body.tables
        ],
        body.errors,
        list(body.lines.items()),
        body.size,
    )


def _exact(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


def assert_same(body: bytes, precision: str = "ns") -> None:
    compiled, reference = (
        parse_lines(body, precision=precision, now_ns=NOW, compiled=choice)
        for choice in (True, False)
    )
    assert plain(compiled) == plain(reference)


@settings(deadline=None, max_examples=400)
@given(st.lists(LINES | ODD, max_size=12), st.sampled_from(list(PRECISIONS)))
def test_lines_good_and_bad_give_the_same_on_both_paths(lines: list[str], precision: str) -> None:
    assert_same("\n".join(lines).encode(), precision)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(LINES, min_size=1, max_size=4),
    st.lists(
        st.tuples(
            st.integers(0, 200), st.sampled_from(list(' ,="\\\n\t\0#-.0e9itfué')), st.booleans()
        ),
        max_size=4,
    ),
)
def test_mutated_lines_give_the_same_on_both_paths(
    lines: list[str], mutations: list[tuple[int, str, bool]]
) -> None:
    text = "\n".join(lines)
    for place, character, inserted in mutations:
        at = place % len(text)
        text = text[:at] + character + text[at if inserted else at + 1 :]
    assert_same(text.encode())


DIGITS = st.integers(1, 20).flatmap(
    lambda size: st.text("0123456789", min_size=size, max_size=size)
)
AFTER = st.sampled_from(["", ".", "e5", "E-3", "i", "u", "i1", ".5e1", "..", "-"])


@settings(deadline=None, max_examples=400)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "-", "--"]),
            DIGITS,
            st.just("") | DIGITS.map(lambda digits: f".{digits}"),
            AFTER,
            st.sampled_from(["", " 1", " 1700000000000000000"]) | DIGITS.map(lambda at: f" {at}"),
        ).map(lambda parts: f"{''.join(parts[:4])}{parts[4]}"),
        min_size=1,
        max_size=6,
    )
)
def test_numbers_of_every_length_give_the_same_on_both_paths(values: list[str]) -> None:
    assert_same("\n".join(f"m f={value}" for value in values).encode())
    # A line that the kernel takes stands behind: eight bytes may be looked at anywhere.
    assert_same("\n".join(f"m f={value},g=1 1" for value in [*values, "1.5"]).encode())


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["m,a=x", "m,a=y", "m", "m,a=xy", "longer,tag=value"]), max_size=20),
    st.sampled_from(["f", "seven77", "eight888", "nine99999", "seventeen_letters"]),
    st.sampled_from(["1", "2.25", "3i", "t", '"s"']),
)
def test_heads_in_any_turn_and_keys_of_any_length_give_the_same_on_both_paths(
    heads: list[str], key: str, value: str
) -> None:
    body = "\n".join(f"{head} {key}={value},{key}2={value} {n}" for n, head in enumerate(heads))
    assert_same(body.encode())
    for cut in range(1, min(len(body), 40)):
        assert_same(body[:-cut].encode())


@settings(deadline=None)
@given(st.text(st.sampled_from('mf,= 1i.e-"\\\n\tt#é'), max_size=60))
def test_arbitrary_text_gives_the_same_on_both_paths(text: str) -> None:
    assert_same(text.encode())


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_floats_are_read_to_the_bit(values: list[float]) -> None:
    body = "\n".join(f"m f={value!r} {row}" for row, value in enumerate(values)).encode()
    (table,) = parse_lines(body, now_ns=NOW, compiled=True).tables
    (block,) = table.blocks
    assert block.values["f"].to_numpy().tobytes() == struct.pack(f"<{len(values)}d", *values)


def test_more_shapes_than_are_tried_are_read_all_the_same() -> None:
    lines = [f"m,a={n % 3} f{n % 40}={n} {n}" for n in range(200)]
    assert_same("\n".join(lines).encode())
    wide = ",".join(f"f{n}={n}" for n in range(300))
    assert_same("\n".join(f"m {wide} {n}" for n in range(5)).encode())


def test_lines_that_the_kernel_leaves_keep_their_place_among_its_own() -> None:
    body = "\n".join(
        [
            "m,a=2 f=1i 5",
            "m,a=1 f=1234567890123456789i 4",
            "m,a=\\ 3 f=2i 3",
            "m,a=9 f= 3",
            "m,a=4 f=3i 2",
            "m,a=1 f=4i 1",
        ]
    ).encode()
    (table,) = parse_lines(body, precision="ns", now_ns=NOW, compiled=True).tables
    (block,) = table.blocks
    assert block.values["f"].to_pylist() == [1, 1234567890123456789, 2, 3, 4]
    assert [table.series[place][0][1] for place in block.series] == ["2", "1", " 3", "4", "1"]
    assert [key[0][1] for key in table.series] == ["2", "1", " 3", "9", "4"]
    assert_same(body)


def test_the_line_reader_gets_the_unusual_lines_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[int] = []
    monkeypatch.setattr(LineReader, "read_line", lambda _, number, __: left.append(number))
    body = "\n".join(
        [
            'm,a=1 f=1.5,g=-2i,h=3u,s="a b,=é",b=t 1700000000000000000',
            'm,a=2 f=-0.1e3,g=9223372036854775807i,h=0u,s="",b=FALSE -1',
            "n f=0.12345678901234567890123456789",
            "n f=\\1 1",
            "n f=9223372036854775808i 1",
            'm,a=2 f=1,g=1i,h=3u,s="\\"",b=false 1',
            'm,a=2 f=1,g=1i,h=3u,s="two\nlines",b=True  1700000000000000000  ',
        ]
    ).encode()
    parsed = parse_lines(body, precision="ns", now_ns=NOW, compiled=True)
    assert left == [4, 5, 6]
    assert sum(len(block.time) for table in parsed.tables for block in table.blocks) == 4


@pytest.mark.parametrize("value", ["-0u", "-5u"])
def test_a_negative_number_is_no_unsigned_one_however_many_lines_have_one(value: str) -> None:
    body = f"m f=1u 1\nm f={value} 2\nm f=2u 3".encode()
    parsed = parse_lines(body, precision="ns", now_ns=NOW, compiled=True)
    assert [error.line_number for error in parsed.errors] == [2]
    assert_same(body)


@pytest.mark.parametrize("size", [65_536, 65_537])
def test_long_texts_are_taken_and_refused_at_the_same_length(size: int) -> None:
    for line in (f'm f="{"x" * size}" 1', f"m,a={'x' * size} f=1 1", f"m {'x' * size}=1 1"):
        assert_same(f"m f=1 1\n{line}\nm f=2 2".encode())


@pytest.mark.parametrize("body", [b"", b"\n", b"# c", b"m f=1", b'm f="\n', b"m f=1\\"])
def test_short_bodies_give_the_same_on_both_paths(body: bytes) -> None:
    assert_same(body)


def test_a_body_that_is_no_text_is_refused_in_the_same_words() -> None:
    messages = []
    for compiled in (True, False):
        with pytest.raises(InputError) as caught:
            parse_lines(b"m f=1 1\nm,a=\xff f=1 1", now_ns=NOW, compiled=compiled)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_the_kernels_take_over_after_many_lines_without_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infrastructure.influxdb.parse._CHOICE", KernelChoice(load_after=1_000))
    body = "\n".join(f"m,a={n % 7} f={n / 8},g={n}i {n}" for n in range(3_000)).encode()
    early, late = (parse_lines(body, now_ns=NOW) for _ in range(2))
    assert isinstance(early.lines, dict)
    assert not isinstance(late.lines, dict)
    assert plain(early) == plain(late)
    assert late.lines[300] == "m,a=5 f=37.375,g=299i 299"
    assert 3_001 not in late.lines


def test_many_heads_and_floats_of_17_digits_give_the_same_on_both_paths() -> None:
    values = [n * 0.7310585786300049 for n in range(2_000)]
    lines = [f"m,a={n} f={value:.15f} {n}" for n, value in enumerate(values)]
    assert_same("\n".join(lines).encode())
