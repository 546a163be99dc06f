"""The parser, judged by our encoder's inverse, an independent parser, and the real messages."""

from __future__ import annotations

import struct
from typing import Any

import line_protocol_parser
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.influxdb.encode import encode_lines, escape_key, escape_name
from infrastructure.influxdb.parse import ParsedBody, parse_lines
from infrastructure.influxdb.schema import Column, TableSchema

NOW = 1_700_000_000_123_456_789
NAMES = st.text(
    st.characters(exclude_characters="\n\r\t\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: not name.endswith("\\"))
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


def parsed(text: str, **options: Any) -> ParsedBody:
    return parse_lines(text.encode(), **{"precision": "ns", "now_ns": NOW, **options})


def rows(body: ParsedBody) -> list[dict[str, Any]]:
    """Return the parsed rows as plain values, in the order of their lines."""
    found = []
    for table in body.tables:
        for block in table.blocks:
            for index, number in enumerate(block.line_numbers.tolist()):
                fields = {name: values[index].as_py() for name, values in block.values.items()}
                tags = dict(table.series[int(block.series[index])])
                time = int(block.time[index])
                found.append((number, table.name, tags, fields, time))
    return [
        {"measurement": name, "tags": tags, "fields": fields, "time": time}
        for _, name, tags, fields, time in sorted(found, key=lambda row: row[0])
    ]


def only_error(text: str, **options: Any) -> str:
    body = parsed(text, **options)
    assert body.tables == []
    (error,) = body.errors
    return error.message


@settings(deadline=None)
@given(
    NAMES.filter(lambda name: name[0] not in "# "),
    st.dictionaries(NAMES.filter(lambda name: name != "time"), NAMES, max_size=3),
    st.lists(
        st.tuples(
            st.none() | FLOATS, st.none() | INTEGERS, st.none() | STRINGS, st.none() | st.booleans()
        ).filter(lambda row: any(value is not None for value in row)),
        min_size=1,
        max_size=5,
    ),
    INTEGERS,
)
def test_the_parser_reads_back_whatever_the_encoder_writes(
    name: str, tags: dict[str, str], values: list[tuple[Any, ...]], time: int
) -> None:
    tags = {key: value for key, value in tags.items() if key not in "fisb"}
    fields = {"f": pa.float64(), "i": pa.int64(), "s": pa.string(), "b": pa.bool_()}
    kinds = {"f": "float", "i": "integer", "s": "string", "b": "boolean"}
    schema = TableSchema(
        name,
        tuple(Column(tag, "tag") for tag in tags),
        tuple(Column(field, kinds[field]) for field in fields),  # type: ignore[arg-type]
    )
    columns = {
        field: pa.array([row[place] for row in values], kind)
        for place, (field, kind) in enumerate(fields.items())
    }
    tag_columns = {tag: pa.array([value] * len(values)) for tag, value in tags.items()}
    table = pa.table({**tag_columns, **columns, "time": [time] * len(values)})
    body = parse_lines(b"".join(encode_lines(schema, table)), precision="ns", now_ns=NOW)
    assert body.errors == []
    assert rows(body) == [
        {
            "measurement": name,
            "tags": tags,
            "fields": {
                field: value for field, value in zip(fields, row, strict=True) if value is not None
            },
            "time": time,
        }
        for row in values
    ]


@pytest.mark.parametrize("text", ["a\\,b", "\\\\ x", "c\\=d\\\\,", "plain\\n", "\\ "])
def test_backslashes_before_delimiters_come_back(text: str) -> None:
    schema = TableSchema(text, (Column("t", "tag"),), (Column(text, "float"),))
    table = pa.table({"t": [text], text: [1.0], "time": [1]})
    body = parse_lines(b"".join(encode_lines(schema, table)), precision="ns", now_ns=NOW)
    assert rows(body) == [
        {"measurement": text, "tags": {"t": text}, "fields": {text: 1.0}, "time": 1}
    ]


@settings(deadline=None)
@given(FLOATS | st.sampled_from([-0.0, 5e-324, 2.2250738585072014e-308, 1e22, 1e23]))
def test_a_float_is_read_to_the_bit(value: float) -> None:
    (row,) = rows(parsed(f"m f={value!r} 1"))
    assert struct.pack("<d", row["fields"]["f"]) == struct.pack("<d", value)


LINE_NAMES = st.text("ab ,=\"'é", min_size=1, max_size=6)


@settings(deadline=None)
@given(
    LINE_NAMES,
    st.dictionaries(LINE_NAMES, LINE_NAMES, max_size=3),
    st.dictionaries(
        LINE_NAMES,
        st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(repr)
        | st.integers(-(2**62), 2**62).map(lambda number: f"{number}i")
        | st.sampled_from(["t", "True", "F", "false"])
        | st.text("ab ,=é", max_size=6).map(lambda text: f'"{text}"'),
        min_size=1,
        max_size=4,
    ),
    st.integers(-(2**62), 2**62),
)
def test_both_parsers_read_the_same_out_of_a_line(
    name: str, tags: dict[str, str], fields: dict[str, str], time: int
) -> None:
    tag_text = "".join(f",{escape_key(key)}={escape_key(tags[key])}" for key in tags)
    field_text = ",".join(f"{escape_key(key)}={value}" for key, value in fields.items())
    line = f"{escape_name(name)}{tag_text} {field_text} {time}"
    assert rows(parsed(line)) == [dict(line_protocol_parser.parse_line(line))]


def test_lines_of_mixed_shapes_keep_their_values_and_numbers() -> None:
    body = parsed(
        "# a comment\n"
        "m,a=x f=1,g=2i 1\n"
        "\n"
        "  m,a=x g=3i 2\n"
        'n s="two\nlines",f=1u 3\n'
        "m,b=\\ y f=4,g=5i\n"
    )
    assert rows(body) == [
        {"measurement": "m", "tags": {"a": "x"}, "fields": {"f": 1.0, "g": 2}, "time": 1},
        {"measurement": "m", "tags": {"a": "x"}, "fields": {"g": 3}, "time": 2},
        {"measurement": "n", "tags": {}, "fields": {"s": "two\nlines", "f": 1}, "time": 3},
        {"measurement": "m", "tags": {"b": " y"}, "fields": {"f": 4.0, "g": 5}, "time": NOW},
    ]
    assert list(body.lines) == [2, 4, 5, 7]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("measurement", "Expected at least one space character, got end of input"),
        (",", "Invalid measurement was provided"),
        ("J,#", "Tag set malformed: could not find equals sign in `#`"),
        ("J," + "a" * 200, "Tag set malformed: could not find equals sign in `aaaaaaaaaa...`"),
        ("J,", "Expected tag key, got end of input"),
        ("testmeasure, bar=1i", "Expected tag key, got ` bar=1i`"),
        ("0,,=", "Expected tag value, got end of input"),
        ("testmeasure,foo\\=\\,baz= bar=1i", "Expected tag value, got ` bar=1i`"),
        ("testmeasure,foo=,baz= bar=1i", "Expected tag value, got `,baz= bar=...`"),
        ("m,foo=f bar=1i,baz=", "Could not parse entire line. Found trailing content: `baz=`"),
        ("\x1b# /", "No fields were provided"),
        (
            ":\x14\\",
            "Measurements, tag keys and values, and field keys may not end with a backslash",
        ),
        ("m field=3.0 1" + "8" * 40, "Unable to parse timestamp value `1" + "8" * 40 + "`"),
        ("m field=" + "6" * 46 + "8i", "Unable to parse integer value `" + "6" * 46 + "8`"),
    ],
)
def test_a_bad_line_gets_the_real_servers_message(line: str, message: str) -> None:
    """The pairs stand in the tests of InfluxDB 3's own parser (influxdb_line_protocol)."""
    assert only_error(line) == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m f=1 ", "trailing content: ` `"),
        ("m f=1 2 3", "trailing content: `3`"),
        ("m f=1.", r"trailing content: `\.`"),
        ("m f=1,g=2,h", "trailing content: `,h`"),
        ("m f=tru", "trailing content: `ru`"),
        ("m f=NaN", "No fields were provided"),
        ("m f=+1", "No fields were provided"),
        ("m f=1,f=2", "duplicate fields, but `f` was repeated"),
        ("m,a=1,a=2 f=1", "duplicate tags, but `a` was repeated"),
        ("m f=1e999", "Unable to parse floating-point value `1e999`"),
        ("m f=99999999999999999999i", "Unable to parse integer value"),
        ("m f=99999999999999999999u", "Unable to parse unsigned integer value"),
        ("m f=" + "1" * 5000 + "i", "Unable to parse integer value"),
        ("m f=1 " + "1" * 5000, "Unable to parse timestamp value"),
        ("m time=1", "The column `time`"),
        ("m,time=1 f=1", "The column `time`"),
        ("m\tf=1", "Expected at least one space"),
        ('m f="' + "x" * 70_000 + '"', "greater than 64KB"),
        ("m,a=" + "x" * 70_000 + " f=1", "greater than 64KB"),
        ('m f="open', "No fields were provided"),
    ],
)
def test_other_bad_lines_are_named_too(line: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(only_error(line))


def test_an_error_carries_its_line_number_and_the_first_20_bytes() -> None:
    body = parsed("m f=1 1\nm,symbol=ÄÖÜÄÖÜÄÖÜ f= 1\nm f=1i 2\nm f=" + "9" * 30 + "i 3")
    assert [(error.line_number, error.original_line) for error in body.errors] == [
        (2, "m,symbol=ÄÖÜÄÖ"),
        (4, "m f=9999999999999999"),
    ]
    assert len(rows(body)) == 2


@pytest.mark.parametrize(
    ("precision", "written", "nanoseconds"),
    [
        ("auto", 4_999_999_999, 4_999_999_999 * 10**9),
        ("auto", 5_000_000_000, 5_000_000_000 * 10**6),
        ("auto", -4_999_999_999_999, -4_999_999_999_999 * 10**6),
        ("auto", 5_000_000_000_000, 5_000_000_000_000 * 10**3),
        ("auto", 5_000_000_000_000_000, 5_000_000_000_000_000),
        ("auto", -(2**63), -(2**63)),
        ("s", 1, 10**9),
        ("second", 1, 10**9),
        ("ms", 1, 10**6),
        ("u", 1, 10**3),
        ("microsecond", 1, 10**3),
        ("n", 1, 1),
    ],
)
def test_a_timestamp_is_read_in_its_precision(
    precision: str, written: int, nanoseconds: int
) -> None:
    """The thresholds of "auto" stand in influxdb3.md section 3."""
    one = rows(parsed(f"m f=1 {written}", precision=precision))
    several = rows(parsed(f"m f=1 {written}\nm f=2", precision=precision))
    assert one[0]["time"] == several[0]["time"] == nanoseconds


def test_a_timestamp_beyond_64_bits_of_nanoseconds_is_an_error_of_its_line() -> None:
    body = parsed("m f=1 9223372036854775807\nm f=1 1", precision="s")
    assert [error.line_number for error in body.errors] == [1]
    assert [row["time"] for row in rows(body)] == [10**9]


def test_a_missing_timestamp_is_now_cut_to_the_precision() -> None:
    assert rows(parsed("m f=1", precision="s"))[0]["time"] == 1_700_000_000_000_000_000
    assert rows(parsed("m f=1", precision="auto"))[0]["time"] == NOW


def test_a_body_that_is_no_text_and_an_unknown_precision_are_refused() -> None:
    with pytest.raises(InputError, match="not valid utf8"):
        parse_lines(b"m f=1 \xff", now_ns=NOW)
    with pytest.raises(InputError, match="invalid precision 'h'"):
        parsed("m f=1", precision="h")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('m s="a\nb" 1\nm f=1 2', 2),
        ('m s="a\\"\nb" 1\nm f=1 2', 2),
        ('m,a=x" s="a\nb" 1\nm f=1 2', 2),
        ('m s="open\nm f=1 2', 1),
        ('m s="a b",t="c" 1\nm f=1 2', 2),
    ],
)
def test_quotes_and_escapes_keep_newlines_inside_a_line(text: str, expected: int) -> None:
    assert len(parsed(text).lines) == expected
