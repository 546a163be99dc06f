"""Results as text: times, nulls, and the types that JSON does not have."""

from __future__ import annotations

import datetime
import decimal
import json
import math

import pyarrow as pa
import pytest

from infrastructure.influxdb.embedded.render import format_for, render


def as_json(values: pa.Array) -> object:
    row = json.loads(render(pa.table({"x": values}), "json"))[0]
    return row.get("x", "left out")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00"),
        (1, "1970-01-01T00:00:00.000000001"),
        (1_000, "1970-01-01T00:00:00.000001"),
        (1_500_000_000, "1970-01-01T00:00:01.500"),
        (-1, "1969-12-31T23:59:59.999999999"),
    ],
)
def test_times_have_as_many_digits_as_they_need_by_threes(nanoseconds: int, text: str) -> None:
    assert as_json(pa.array([nanoseconds], pa.timestamp("ns"))) == text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([None], pa.timestamp("ns")), "left out"),
        (pa.array([None], pa.float64()), "left out"),
        (pa.array([math.nan]), "left out"),
        (pa.array([2**63 - 1]), 2**63 - 1),
        (pa.array([decimal.Decimal("1.50")]), "1.50"),
        (pa.array([datetime.date(2026, 1, 2)]), "2026-01-02"),
        (pa.array([b"\x00\xff"]), "00ff"),
        (pa.array([["a", None]]), ["a", None]),
        (pa.array([{"a": datetime.date(2026, 1, 2)}]), {"a": "2026-01-02"}),
        (pa.array([True]), True),
    ],
)
def test_every_value_has_a_form_in_json(values: pa.Array, expected: object) -> None:
    assert as_json(values) == expected


def test_text_formats_quote_and_align() -> None:
    table = pa.table({"a": ["x,y", None], "b": [True, False], "c": [[1, 2], []]})
    assert render(table, "csv") == b'a,b,c\n"x,y",true,"[1, 2]"\n,false,[]\n'
    assert render(table.slice(0, 1), "pretty").decode() == (
        "+-----+------+--------+\n"
        "| a   | b    | c      |\n"
        "+-----+------+--------+\n"
        "| x,y | true | [1, 2] |\n"
        "+-----+------+--------+"
    )
    assert render(table.slice(0, 1), "jsonl") == b'{"a":"x,y","b":true,"c":[1,2]}\n'


def test_no_columns_and_no_rows_are_rendered_too() -> None:
    assert render(pa.table({}), "csv") == b""
    assert render(pa.table({"a": pa.array([], pa.int64())}), "pretty").endswith(b"| a |\n+---+")


@pytest.mark.parametrize(
    ("name", "accept", "form"),
    [
        (None, None, "json"),
        ("csv", "application/json", "csv"),
        ("xml", None, None),
        (None, "text/csv; q=1", "csv"),
        (None, "application/jsonl", None),
        (None, "text/html, */*", "json"),
    ],
)
def test_the_parameter_goes_before_the_accept_header(
    name: str | None, accept: str | None, form: str | None
) -> None:
    assert format_for(name, accept) == form
