"""The encoder, judged by an independent parser and by the line-protocol text itself."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Mapping
from typing import Any

import line_protocol_parser
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.influxdb.encode import encode_lines
from infrastructure.influxdb.schema import Column, TableSchema

CANDLES = TableSchema(
    "candles",
    (Column("symbol", "tag"), Column("timeframe", "tag")),
    (
        Column("close", "float", "USD"),
        Column("volume", "integer", "shares"),
        Column("note", "string"),
        Column("is_synthetic", "boolean"),
    ),
)
PRICES = TableSchema("prices", (Column("symbol", "tag"),), (Column("price", "float"),))


def table(**columns: Any) -> pa.Table:
    return pa.table({"symbol": ["AAPL"], "timeframe": ["1d"], "time": [1], **columns})


def text(schema: TableSchema, rows: pa.Table, **options: Any) -> str:
    return b"".join(encode_lines(schema, rows, **options)).decode()


def prices(*values: float | None, symbol: str = "AAPL") -> pa.Table:
    return pa.table(
        {
            "symbol": [symbol] * len(values),
            "price": pa.array(values, pa.float64()),
            "time": np.arange(len(values)),
        }
    )


def judged(line: str) -> Mapping[str, Any]:
    result: Mapping[str, Any] = line_protocol_parser.parse_line(line)
    return result


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def test_a_full_row_is_written_in_the_order_of_the_declaration() -> None:
    rows = table(close=[1.5], volume=[7], note=['say "hi" \\ bye'], is_synthetic=[False])
    assert text(CANDLES, rows) == (
        'candles,symbol=AAPL,timeframe=1d close=1.5,volume=7i,note="say \\"hi\\" \\\\ bye",'
        "is_synthetic=false 1\n"
    )


def test_nulls_are_left_out_wherever_they_stand() -> None:
    rows = pa.table(
        {
            "symbol": ["A", None, "C"],
            "timeframe": [None, None, "1d"],
            "close": pa.array([None, 2.0, None], pa.float64()),
            "volume": pa.array([1, None, None], pa.int64()),
            "is_synthetic": pa.array([None, None, True], pa.bool_()),
            "time": [1, 2, 3],
        }
    )
    assert text(CANDLES, rows).splitlines() == [
        "candles,symbol=A volume=1i 1",
        "candles close=2 2",
        "candles,symbol=C,timeframe=1d is_synthetic=true 3",
    ]


@settings(deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([5e-324, -0.0, 1e22, 1e23, 0.1, 2.0**-1074, 1.7976931348623157e308])
)
def test_every_finite_float_comes_back_to_the_bit(value: float) -> None:
    line = text(PRICES, prices(value))
    assert bits(float(line.split("price=")[1].split(" ")[0])) == bits(value)
    if value == 0 or abs(value) >= sys.float_info.min:  # the judge refuses subnormal numbers
        assert bits(float(judged(line)["fields"]["price"])) == bits(value)


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="\n\r\t\0\\", exclude_categories=["Cs"]), min_size=1)
)
def test_a_tag_is_read_back_by_the_independent_parser(value: str) -> None:
    assert judged(text(PRICES, prices(1.0, symbol=value)))["tags"] == {"symbol": value}


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])))
def test_a_string_is_read_back_by_the_independent_parser(value: str) -> None:
    assert judged(text(CANDLES, table(note=[value])))["fields"] == {"note": value}


@settings(deadline=None)
@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62))
def test_whole_numbers_and_times_are_exact(number: int, time: int) -> None:
    line = judged(text(CANDLES, table(volume=[number], time=[time])))
    assert line["fields"] == {"volume": number}
    assert line["time"] == time


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_not_finite_is_refused_or_left_out_by_choice(value: float) -> None:
    rows = table(close=[value], volume=[1])
    with pytest.raises(InputError, match=r"close is (nan|inf|-inf) in row 0"):
        text(CANDLES, rows)
    assert (
        text(CANDLES, rows, not_a_number="null") == "candles,symbol=AAPL,timeframe=1d volume=1i 1\n"
    )


def test_times_of_every_unit_and_zone_become_nanoseconds_utc() -> None:
    for kind in (pa.timestamp("s"), pa.timestamp("us", "America/New_York"), pa.timestamp("ns")):
        rows = table(volume=[1], time=pa.array([0], pa.int64()).cast(kind))
        assert text(CANDLES, rows).endswith(" 0\n")


def test_dictionary_columns_and_chunks_are_taken_as_they_come() -> None:
    one = prices(1.0, symbol="A")
    coded = one.set_column(0, "symbol", one.column("symbol").dictionary_encode())
    both = pa.concat_tables([coded, coded])
    assert text(PRICES, both) == "prices,symbol=A price=1 0\n" * 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"closing": [1.0]}, "no column 'closing'"),
        ({"close": ["x"]}, "close is string, but is declared a float"),
        ({"close": [True]}, "close is bool, but is declared a float"),
        ({"volume": [1.5]}, "volume does not fit a integer column"),
        ({"note": [1]}, "note is int64, but is declared a string"),
        ({"close": pa.array([None], pa.float64())}, "row 0 has no field"),
        ({}, "no field column is given"),
        ({"volume": [1], "symbol": [""]}, "symbol holds ''"),
        ({"volume": [1], "symbol": ["a\nb"]}, "control character"),
        ({"volume": [1], "symbol": ["a\\"]}, "does not end with a backslash"),
        ({"volume": [1], "symbol": ["x" * 70_000]}, "longer than 64 KiB"),
        ({"note": ["x" * 70_000]}, "longer than 64 KiB"),
        ({"volume": [1], "time": pa.array([None], pa.int64())}, "time holds 1 nulls"),
        ({"volume": [1], "time": [1.0]}, "time is double"),
        ({"volume": [1], "time": pa.array([2**62], pa.timestamp("s"))}, "does not fit nanoseconds"),
    ],
)
def test_what_the_declaration_does_not_allow_is_refused_by_name(
    columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        text(CANDLES, table(**columns))


def test_a_missing_tag_or_time_is_refused() -> None:
    with pytest.raises(InputError, match="column timeframe is missing"):
        text(CANDLES, pa.table({"symbol": ["A"], "close": [1.0], "time": [1]}))
    with pytest.raises(InputError, match="column time is missing"):
        text(CANDLES, table(close=[1.0]).drop_columns(["time"]))


def test_a_doubled_column_is_refused() -> None:
    rows = table(close=[1.0])
    with pytest.raises(InputError, match="close is given twice"):
        text(CANDLES, rows.append_column("close", rows.column("close")))


def test_a_row_without_its_only_field_is_refused_among_full_rows() -> None:
    with pytest.raises(InputError, match="row 1 has no field"):
        text(PRICES, prices(1.0, None, 3.0))


def test_blocks_keep_below_their_limits_and_join_to_the_whole() -> None:
    rows = prices(*[float(number) for number in range(1000)])
    blocks = list(encode_lines(PRICES, rows, block_bytes=500, block_lines=300))
    assert max(map(len, blocks)) <= 500
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks) == b"".join(encode_lines(PRICES, rows))


def test_a_line_longer_than_a_block_and_impossible_limits_are_refused() -> None:
    with pytest.raises(InputError, match="alone is longer than 10 bytes"):
        text(PRICES, prices(1.0), block_bytes=10)
    with pytest.raises(InputError, match="block_bytes is 0"):
        text(PRICES, prices(1.0), block_bytes=0)
    with pytest.raises(InputError, match="block_lines is 0"):
        text(PRICES, prices(1.0), block_lines=0)


def test_no_rows_make_no_blocks() -> None:
    assert list(encode_lines(PRICES, prices())) == []
