"""Parameters: what is allowed, what is refused by name, cursors that come back as they went."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.api.operations.catalogue import OPERATIONS
from system.algo_trader.api.operations.parameters import (
    Kind,
    Parameter,
    Position,
    parse_query,
    texts_of,
)
from system.algo_trader.api.operations.problem import Problem

WHOLE = Parameter("limit", Kind.WHOLE, "", default=5, least=1, most=1000)
NUMBER = Parameter("share", Kind.NUMBER, "", least=0, most=1)
SYMBOL = Parameter("symbol", Kind.SYMBOL, "", is_required=True)
SYMBOLS = Parameter("symbols", Kind.SYMBOLS, "", most=3)
INSTANT = Parameter("at", Kind.INSTANT, "")
DATE = Parameter("date", Kind.DATE, "")
CHOICE = Parameter("right", Kind.CHOICE, "", choices=("C", "P"))
CURSOR = Parameter("cursor", Kind.CURSOR, "")
ALL = (WHOLE, NUMBER, SYMBOL, SYMBOLS, INSTANT, DATE, CHOICE, CURSOR)


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (WHOLE, "1", 1),
        (WHOLE, "1000", 1000),
        (NUMBER, "0.5", 0.5),
        (SYMBOL, "brk/b", "BRK/B"),
        (SYMBOL, "$spx", "$SPX"),
        (SYMBOLS, "a,b,A", ["A", "B"]),
        (INSTANT, "2026-01-16", 1768539600 * 10**9),
        (INSTANT, "2026-01-16T14:30:00.000000001Z", 1768573800 * 10**9 + 1),
        (CHOICE, "C", "C"),
    ],
)
def test_what_is_allowed_is_understood(parameter: Parameter, text: str, value: Any) -> None:
    assert parameter.parse(text) == value


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        *((WHOLE, text) for text in ("", "0", "1001", "1.0", "1e2", "+1", "１", "9" * 400, "0x1")),
        *((NUMBER, text) for text in ("", "nan", "inf", "-0.1", "1.01", "1e999")),
        *((SYMBOL, text) for text in ("", " ", "A'", "A\r\nB", "A\0", "é", "A" * 33, "A;B", "-A")),
        *((SYMBOLS, text) for text in ("", ",", "A,", "A,B,C,D", "A,,B")),
        *(
            (INSTANT, text)
            for text in ("", "now", "2026-13-01", "1969-12-31", "0001-01-01", "9999-12-31",
                         "2262-04-12T00:00:00Z", "2026-01-16T14:30:00", "1e9")
        ),
        *((DATE, text) for text in ("", "today", "2026-02-30", "9" * 300)),
        *((CHOICE, text) for text in ("", "c", "X")),
        *((CURSOR, text) for text in ("", "!", "NQ", "bnVsbA", "e30", "é", "W" * 201, "\0")),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_a_problem_with_its_name(parameter: Parameter, text: str) -> None:
    with pytest.raises(Problem) as caught:
        parameter.parse(text)
    assert (caught.value.status, caught.value.parameter) == (400, parameter.name)
    assert caught.value.allowed
    assert len(caught.value.detail) < 300


@given(st.sampled_from(ALL), st.text(max_size=300))
def test_no_text_is_worse_than_a_problem(parameter: Parameter, text: str) -> None:
    with contextlib.suppress(Problem):
        parameter.parse(text)


@given(st.integers(0, 2**63 - 1), st.integers(0, 1_000_000))
def test_a_cursor_comes_back_as_it_went(at_ns: int, skip: int) -> None:
    text = Position(at_ns, skip).text()
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert CURSOR.parse(text) == Position(at_ns, skip)


@pytest.mark.parametrize(
    "content",
    ["[0,-1]", "[-1,0]", "[0,1000001]", "[9223372036854775808,0]", "[0]", "[0,0,0]", "[0.0,0]",
     "[true,0]", "[0,null]", '{"a":1,"b":2}', "5", "null", '"ab"', "[[[[", "[0,1e5]"],
)  # fmt: skip
def test_a_forged_cursor_is_refused(content: str) -> None:
    text = base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")
    with pytest.raises(Problem):
        CURSOR.parse(text)


@pytest.mark.parametrize(
    ("pairs", "parameter"),
    [
        ([], "symbol"),
        ([("symbol", "A"), ("symbol", "A")], "symbol"),
        ([("symbol", "A"), ("colour", "red")], "colour"),
        ([("symbol", "A"), ("limit", "0")], "limit"),
        ([("symbol", "A"), ("x" * 500, "1")], "x" * 40 + "..."),
    ],
)
def test_a_query_is_refused_by_the_name_that_is_wrong(
    pairs: list[tuple[str, str]], parameter: str
) -> None:
    with pytest.raises(Problem) as caught:
        parse_query(ALL, pairs)
    assert caught.value.parameter == parameter


def test_a_query_gets_its_defaults() -> None:
    values = parse_query(ALL, [("symbol", "a")])
    assert values["symbol"] == "A"
    assert values["limit"] == 5
    assert all(values[each.name] is None for each in ALL if each.name not in ("symbol", "limit"))


def test_plain_values_of_a_model_become_texts() -> None:
    given_ = {"symbols": ["A", "B"], "limit": 5.0, "share": 0.5, "at": None}
    assert texts_of(given_) == [("symbols", "A,B"), ("limit", "5"), ("share", "0.5")]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_default_is_allowed_and_every_schema_says_so(operation: Any) -> None:
    for parameter in operation.parameters:
        if parameter.default is not None:
            assert parameter.parse(str(parameter.default)) == parameter.default
        schema = parameter.schema()
        assert schema["type"] in ("string", "integer", "number")
        assert schema.get("default") == parameter.default
