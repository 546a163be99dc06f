"""Pages and windows of random rows: together they are the whole, once each and in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.api.operations.answer import Page
from system.algo_trader.api.operations.parameters import Position
from system.algo_trader.api.operations.windows import Series

EMPTY = pa.table({"time": pa.array([], pa.int64()), "row": pa.array([], pa.int64())})
TIMES = st.lists(st.integers(0, 300), max_size=60).map(sorted)
BOUND = st.none() | st.integers(0, 310)
STEPS = st.tuples(st.integers(1, 400), st.none() | st.integers(1, 60))
"""The span of a window, and of the first one."""


def series(times: list[int], parts: int, steps: tuple[int, int | None]) -> Series:
    at = np.array(times, np.int64)
    rows = pa.table({"time": at, "row": np.arange(len(at))})

    def read(start_ns: int, end_ns: int) -> pa.Table:
        low, high = np.searchsorted(at, [start_ns, end_ns])
        return rows.slice(int(low), int(high - low))

    pieces = [each for each in np.array_split(at, parts) if len(each)]
    spans = [(int(each[0]), int(each[-1])) for each in pieces]
    return Series(read, spans[::-1], steps[0], "time", EMPTY, steps[1])


def within(times: list[int], start: int | None, end: int | None) -> list[int]:
    return [
        number for number, at in enumerate(times)
        if (start is None or at >= start) and (end is None or at < end)
    ]  # fmt: skip


def numbers(rows: pa.Table) -> list[Any]:
    found: list[Any] = rows.column("row").to_pylist()
    return found


@given(TIMES, st.integers(1, 5), STEPS, st.integers(0, 310), BOUND, st.integers(1, 9))
def test_all_pages_are_the_whole(
    times: list[int],
    parts: int,
    steps: tuple[int, int | None],
    start: int,
    end: int | None,
    limit: int,
) -> None:
    stored = series(times, parts, steps)
    found: list[int] = []
    page = Page(limit, start, end)
    while True:
        rows, following = stored.page(page)
        found += numbers(rows)
        assert rows.num_rows <= limit
        if following is None:
            break
        assert rows.num_rows == limit
        page = Page(limit, following.at_ns, end, following.skip)
    assert found == within(times, start, end)


@given(TIMES, st.integers(1, 5), STEPS, BOUND, BOUND)
def test_all_windows_are_the_whole(
    times: list[int], parts: int, steps: tuple[int, int | None], start: int | None, end: int | None
) -> None:
    found = [number for rows in series(times, parts, steps).windows(start, end, steps[1])
             for number in numbers(rows)]  # fmt: skip
    assert found == within(times, start, end)


@given(TIMES, st.integers(1, 5), STEPS, BOUND, st.integers(1, 70))
def test_without_a_start_the_last_rows_come(
    times: list[int], parts: int, steps: tuple[int, int | None], end: int | None, limit: int
) -> None:
    rows, following = series(times, parts, steps).page(Page(limit, None, end))
    assert numbers(rows) == within(times, None, end)[-limit:]
    assert following is None


def test_a_page_that_its_first_window_holds_reads_nothing_behind_it() -> None:
    reads: list[tuple[int, int]] = []

    def read(start_ns: int, end_ns: int) -> pa.Table:
        reads.append((start_ns, end_ns))
        at = np.arange(start_ns, min(start_ns + 3, end_ns))
        return pa.table({"time": at, "row": at})

    days = [(0, 2), (10, 12)]
    stored = Series(read, days, 10, "time", EMPTY)
    rows, following = stored.page(Page(3, 0, None))
    assert numbers(rows) == [0, 1, 2]
    assert following == Position(10)
    rows, following = stored.page(Page(3, following.at_ns, None))
    assert numbers(rows) == [10, 11, 12]
    assert following is None
    assert reads == [(0, 10), (10, 13)]
