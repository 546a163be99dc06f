"""The forms of an answer say the same, and a client gets the one it asks for."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import parse_rfc3339
from system.algo_trader.api.operations.answer import Answer, Facts, Missing
from system.algo_trader.api.operations.parameters import Position
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.api.operations.rendering import (
    FACTS_KEY,
    Form,
    arrow_pages,
    document_of,
    form_of,
    ndjson_pages,
    render,
)

NOW_NS = 1_700_000_000_000_000_000
ROW = st.tuples(
    st.none() | st.integers(0, 2**62),
    st.none() | st.floats(),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(max_size=5),
    st.none() | st.booleans(),
)
SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("ns", "UTC")),
        pa.field("price", pa.float64()),
        pa.field("size", pa.int64()),
        pa.field("source", pa.string()),
        pa.field("is_synthetic", pa.bool_()),
    ]
)


def answer(rows: list[Any], summary: Any = None) -> Answer:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(each, field.type) for each, field in zip(columns, SCHEMA, strict=True)]
    gap = Missing(NOW_NS, NOW_NS + 10**9, "bars", 1, "no bar is stored")
    facts = Facts(("file", "schwab-sim"), True, as_of_ns=NOW_NS, gaps=(gap,))
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    return Answer(table, facts, summary, Position(NOW_NS, 3))


def plain(rows: list[Any]) -> list[dict[str, Any]]:
    """Return rows as JSON has them, instants in nanoseconds."""
    return [
        dict(zip(SCHEMA.names, (at, None if price is None or not math.isfinite(price) else price,
                                *rest), strict=True))
        for at, price, *rest in rows
    ]  # fmt: skip


def with_ns(row: dict[str, Any]) -> dict[str, Any]:
    at = row["time"]
    return {**row, "time": None if at is None else parse_rfc3339(at)}


def of_columns(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@given(st.lists(ROW, max_size=8))
def test_all_forms_say_the_same(rows: list[Any]) -> None:
    said = answer(rows, {"spot": 1.5})
    document = json.loads(render(said, Form.JSON).content(NOW_NS + 10**9))
    assert document == document_of(said, NOW_NS + 10**9)
    columns = document.pop("columns")
    assert [with_ns(row) for row in of_columns(columns)] == plain(rows)
    head, *lines = render(said, Form.NDJSON).content(NOW_NS + 10**9).decode().split("\n")[:-1]
    assert json.loads(head) == document
    assert [with_ns(json.loads(line)) for line in lines] == plain(rows)
    with pa.ipc.open_stream(render(said, Form.ARROW).content(NOW_NS)) as reader:
        table = reader.read_all()
    assert {"age_s": 1.0, **json.loads(table.schema.metadata[FACTS_KEY])} == document
    assert table.replace_schema_metadata(None).schema == SCHEMA
    times = table.column("time").cast(pa.int64()).to_pylist()
    others = table.drop_columns(["time"]).to_pylist()
    assert plain([(at, *row.values()) for at, row in zip(times, others, strict=True)]) == (
        plain(rows)
    )


@given(st.lists(st.lists(ROW, max_size=4), min_size=1, max_size=4))
def test_a_stream_of_pages_has_all_their_rows(pages: list[list[Any]]) -> None:
    everything = plain([row for page in pages for row in page])
    lines = b"".join(ndjson_pages(map(answer, pages), NOW_NS)).decode().split("\n")[:-1]
    found = [json.loads(line) for line in lines]
    assert sum("age_s" in line for line in found) == len(pages)
    assert [with_ns(line) for line in found if "age_s" not in line] == everything
    chunks = list(arrow_pages(map(answer, pages), 0))
    # An empty chunk is how the one who sends them knows the end.
    assert all(chunks)
    with pa.ipc.open_stream(b"".join(chunks)) as reader:
        told = [(batch, facts) for batch, facts in reader.iter_batches_with_custom_metadata()]
    sizes = [size for batch, _ in told for size in batch.column("size").to_pylist()]
    assert sizes == [row["size"] for row in everything]
    assert len(told) == len(pages)
    assert all(b"schwab-sim" in facts[b"algo_trader"] for _, facts in told)


def test_the_age_is_told_anew_each_time_and_without_rows_there_is_none() -> None:
    rendered = render(answer([]), Form.JSON)
    ages = [json.loads(rendered.content(NOW_NS + s * 10**9))["age_s"] for s in (0, 2, -5)]
    assert ages == [0.0, 2.0, 0.0]
    empty = Answer(SCHEMA.empty_table(), Facts((), None))
    assert json.loads(render(empty, Form.JSON).content(NOW_NS))["age_s"] is None


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Form.JSON),
        ("", Form.JSON),
        ("*/*", Form.JSON),
        ("application/json", Form.JSON),
        ("APPLICATION/X-NDJSON", Form.NDJSON),
        ("application/vnd.apache.arrow.stream", Form.ARROW),
        ("application/json;q=0.5, application/x-ndjson", Form.NDJSON),
        ("application/x-ndjson;q=0.4, */*;q=0.5", Form.JSON),
        ("text/html, */*;q=0.1", Form.JSON),
        ("application/json;q=0, application/x-ndjson;q=0.1", Form.NDJSON),
        ("application/vnd.apache.arrow.stream; q=1, application/json; q=1", Form.ARROW),
    ],
)
def test_the_form_is_the_one_that_is_liked_best(accept: str | None, form: Form) -> None:
    assert form_of(accept) is form


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/json;q=0", "application/json;q=nan", "application/json;q=x", ";",
     ",", "application/xml, text/*", "\0"],
)  # fmt: skip
def test_no_form_of_ours_is_a_problem(accept: str) -> None:
    with pytest.raises(Problem) as caught:
        form_of(accept)
    assert caught.value.status == 406


@given(st.text(max_size=200))
def test_no_accept_is_worse_than_a_problem(accept: str) -> None:
    with contextlib.suppress(Problem):
        form_of(accept)
