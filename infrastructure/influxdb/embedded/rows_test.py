"""Merging rows, judged by a dictionary that is written to row by row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.influxdb.embedded.rows import (
    Rows,
    concatenate,
    empty_rows,
    find,
    merge,
    overlay,
)

KINDS = {"f": pa.float64(), "s": pa.string(), "i": pa.int64()}
Row = tuple[int, int, dict[str, object]]
Model = dict[tuple[int, int], dict[str, object]]

VALUES = st.fixed_dictionaries(
    {},
    optional={
        "f": st.floats(allow_nan=False),
        "s": st.text(max_size=3),
        "i": st.integers(-9, 9),
    },
)
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), VALUES), max_size=20)


def as_rows(rows: list[Row]) -> Rows:
    names = [name for name in KINDS if any(name in values for _, _, values in rows)]
    return Rows(
        np.array([series for series, _, _ in rows], np.int32),
        np.array([time for _, time, _ in rows], np.int64),
        {
            name: pa.array([values.get(name) for _, _, values in rows], KINDS[name])
            for name in names
        },
    )


def as_model(rows: Rows) -> Model:
    model: Model = {}
    for index in range(len(rows)):
        key = (int(rows.series[index]), int(rows.time[index]))
        assert key not in model, "a row stands there twice"
        values = {name: column[index].as_py() for name, column in rows.fields.items()}
        model[key] = {name: value for name, value in values.items() if value is not None}
    return model


def written(*batches: list[Row]) -> Model:
    model: Model = {}
    for batch in batches:
        for series, time, values in batch:
            model.setdefault((series, time), {}).update(values)
    return model


def is_sorted(rows: Rows) -> bool:
    keys = list(zip(rows.series.tolist(), rows.time.tolist(), strict=True))
    return keys == sorted(keys)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_the_last_value_of_each_field_wins(batches: list[list[Row]]) -> None:
    merged = merge([as_rows(batch) for batch in batches], KINDS)
    assert as_model(merged) == written(*batches)
    assert is_sorted(merged)


@settings(deadline=None)
@given(ROWS, ROWS)
def test_an_overlay_holds_what_a_merge_holds(old: list[Row], new: list[Row]) -> None:
    base, newer = merge([as_rows(old)], KINDS), merge([as_rows(new)], KINDS)
    rest, top = overlay(base, newer)
    assert len(rest) + len(top) == len(written(old, new))
    assert as_model(merge([rest, top], KINDS)) == written(old, new)


@settings(deadline=None)
@given(ROWS, ROWS)
def test_rows_are_found_where_they_stand(old: list[Row], new: list[Row]) -> None:
    base, wanted = merge([as_rows(old)], KINDS), merge([as_rows(new)], KINDS)
    keys = list(zip(base.series.tolist(), base.time.tolist(), strict=True))
    expected = [
        keys.index(key) if key in keys else -1
        for key in zip(wanted.series.tolist(), wanted.time.tolist(), strict=True)
    ]
    assert find(base, wanted).tolist() == expected


def test_a_base_that_nothing_overwrites_is_not_copied() -> None:
    base, newer = as_rows([(0, 1, {"f": 1.0})]), as_rows([(0, 2, {"f": 2.0})])
    assert overlay(base, newer) == (base, newer)


def test_no_rows_are_no_rows() -> None:
    assert len(merge([], KINDS)) == 0
    assert len(concatenate([], KINDS)) == 0
    assert empty_rows().nbytes == 0
    assert as_rows([(0, 1, {"f": 1.0})]).nbytes == 20
