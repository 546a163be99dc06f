"""The compiled writer gives byte for byte what the Arrow path gives, and the same errors."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from infrastructure.influxdb.encode import encode_lines
from infrastructure.influxdb.kernel_choice import SMALL_BATCH, KernelChoice
from infrastructure.influxdb.schema import Column, TableSchema

MIXED = TableSchema(
    "t ,=\\x",
    (Column("a b", "tag"), Column("c=", "tag")),
    (
        Column("f ", "float"),
        Column("g", "float"),
        Column("i,", "integer"),
        Column("s", "string"),
        Column("b", "boolean"),
    ),
)
PRICES = TableSchema("prices", (), (Column("price", "float"),))
TAGS = st.text(
    st.characters(exclude_characters="\n\r\t\0", exclude_categories=["Cs"]), min_size=1, max_size=5
).filter(lambda text: not text.endswith("\\"))
FLOATS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**16), 10**16, places=4).map(float)
    | st.integers(-(2**60), 2**60).map(float)
    | st.sampled_from([0.0, -0.0, 1e-4, 9.9e-5, 1e15, 999999999999999.9, 1e22, 5e-324, 0.1])
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def both(schema: TableSchema, rows: pa.Table, **options: Any) -> tuple[list[bytes], list[bytes]]:
    compiled = list(encode_lines(schema, rows, compiled=True, **options))
    return compiled, list(encode_lines(schema, rows, compiled=False, **options))


def prices(values: list[float | None]) -> pa.Table:
    return pa.table({"price": pa.array(values, pa.float64()), "time": np.arange(len(values))})


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | TAGS,
            st.none() | TAGS,
            st.none() | FLOATS,
            st.none() | FLOATS,
            st.none() | INTEGERS,
            st.none() | STRINGS,
            st.booleans(),
            INTEGERS,
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 4),
)
def test_any_rows_give_the_same_bytes_on_both_paths(rows: list[Any], block_lines: int) -> None:
    kinds = [column.arrow_type for column in MIXED.columns] + [pa.int64()]
    names = [column.name for column in MIXED.columns] + ["time"]
    columns = zip(names, zip(*rows, strict=True), kinds, strict=True)
    table = pa.table({name: pa.array(values, kind) for name, values, kind in columns})
    compiled, reference = both(MIXED, table, block_lines=block_lines)
    assert compiled == reference


def test_floats_of_every_magnitude_and_length_come_back_to_the_bit() -> None:
    random = np.random.default_rng(7)
    patterns = random.integers(0, 2**64, 20_000, np.uint64).view(np.float64)
    scaled = [
        np.round(random.standard_normal(2_000) * 10.0**n, p) for n in range(16) for p in (2, 8)
    ]
    values = np.concatenate([patterns[np.isfinite(patterns)], *scaled])
    compiled, reference = both(PRICES, prices(values.tolist()))
    assert compiled == reference
    texts = [line.split(b"price=")[1].split(b" ")[0] for line in b"".join(compiled).splitlines()]
    assert [struct.pack("<d", float(text)) for text in texts] == [
        struct.pack("<d", value) for value in values
    ]


@pytest.mark.parametrize(
    ("schema", "columns"),
    [
        (PRICES, {"price": [1.0, float("nan")]}),
        (PRICES, {"price": [1.0, None]}),
        (PRICES, {"price": [float("-inf"), 1.0]}),
        (PRICES, {}),
        (MIXED, {"a b": ["x", ""], "c=": ["y", "z"], "g": [1.0, 1.0]}),
        (MIXED, {"a b": ["x", "w"], "c=": ["y", "z\\"], "g": [1.0, 1.0]}),
        (MIXED, {"a b": ["x", "w"], "c=": ["y", "z"], "s": ["", "x" * 70_000]}),
        (MIXED, {"a b": ["x", "w"], "c=": ["y", "z"], "s": [None, None]}),
    ],
)
def test_both_paths_refuse_the_same_rows_in_the_same_words(
    schema: TableSchema, columns: dict[str, Any]
) -> None:
    messages = []
    for compiled in (True, False):
        with pytest.raises(InputError) as caught:
            list(encode_lines(schema, pa.table({**columns, "time": [1, 2]}), compiled=compiled))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_floats_that_are_not_finite_are_left_out_by_choice_on_both_paths() -> None:
    table = pa.table(
        {"a b": ["x", "x"], "c=": ["y", None], "f ": [float("nan"), 2.5], "g": [1.0, float("inf")]}
    ).append_column("time", pa.array([1, 2]))
    compiled, reference = both(MIXED, table, not_a_number="null")
    assert compiled == reference
    assert compiled[0].endswith(b"\\ b=x f\\ =2.5 2\n")


def test_both_paths_cut_blocks_at_the_same_lines() -> None:
    compiled, reference = both(PRICES, prices([n / 7 for n in range(999)]), block_bytes=700)
    assert compiled == reference
    assert max(map(len, compiled)) <= 700
    with pytest.raises(InputError, match="row 0 alone is longer than 5 bytes"):
        both(PRICES, prices([1.0]), block_bytes=5)


def test_the_kernels_wait_until_a_process_has_shown_to_be_busy() -> None:
    choice = KernelChoice(load_after=1_000)
    assert not choice.takes(999)
    assert choice.takes(SMALL_BATCH)
    assert not choice.takes(SMALL_BATCH - 1)
    assert not KernelChoice().takes(10_000)


def test_the_writer_takes_over_after_many_rows_without_a_change_in_the_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infrastructure.influxdb.encode._CHOICE", KernelChoice(load_after=500))
    rows = prices([n / 8 for n in range(300)])
    early, late = (b"".join(encode_lines(PRICES, rows)) for _ in range(2))
    assert early == late
    assert "infrastructure.influxdb.encode_kernels" in sys.modules
