"""The ring of live ticks against a plain list of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.api.live.live_ticks import SOURCE, LiveTicks
from system.algo_trader.market.ticks import KINDS, Ticks

CAPACITY = 16
SYMBOLS = [f"S{number}" for number in range(6)]
ENTRIES = st.lists(
    st.tuples(st.lists(st.sampled_from(SYMBOLS), max_size=24), st.sampled_from(["a", "b"])),
    max_size=12,
)


def frame(symbols: list[str], first: int, source: str = "schwab-sim") -> pa.Table:
    """Return rows with running numbers in `sequence`, `bid` and the times."""
    count = len(symbols)
    order = np.arange(first, first + count)
    columns: dict[str, Any] = {}
    for name, kind in KINDS.items():
        columns[name] = order.astype(kind)
    columns["symbol"] = np.arange(count)
    columns["is_trade"] = order % 2 == 0
    batch = Ticks(**columns).batch(pa.array(symbols, pa.string()))
    return pa.Table.from_batches([batch.replace_schema_metadata({SOURCE: source.encode()})])


def filled(entries: list[tuple[list[str], str]]) -> tuple[LiveTicks, list[tuple[str, int, str]]]:
    live = LiveTicks(CAPACITY)
    rows: list[tuple[str, int, str]] = []
    for number, (symbols, source) in enumerate(entries):
        first = len(rows)
        live.add(frame(symbols, first, source), f"{number + 1}-0")
        rows += [(symbol, first + place, source) for place, symbol in enumerate(symbols)]
    return live, rows


def plain(table: pa.Table) -> list[tuple[str, int, str]]:
    columns = [table.column(name).to_pylist() for name in ("symbol", "sequence", "source")]
    assert table.column("bid").to_pylist() == columns[1]
    return list(zip(*columns, strict=True))


@given(ENTRIES, st.lists(st.sampled_from([*SYMBOLS, "NONE"]), unique=True), st.integers(1, 20))
def test_the_last_rows_are_those_of_a_list(
    entries: list[tuple[list[str], str]], asked: list[str], limit: int
) -> None:
    live, rows = filled(entries)
    wanted = [row for row in rows[-CAPACITY:] if row[0] in asked][-limit:]
    assert plain(live.last(asked, limit)) == wanted
    assert live.standing().rows == len(rows)
    assert live.symbols() == tuple(dict.fromkeys(symbol for symbol, _, _ in rows))


@given(ENTRIES, st.lists(st.sampled_from([*SYMBOLS, "NONE"]), unique=True))
def test_the_newest_row_of_each_symbol_is_that_of_a_list(
    entries: list[tuple[list[str], str]], asked: list[str]
) -> None:
    live, rows = filled(entries)
    newest = {row[0]: row for row in rows[-CAPACITY:]}
    assert plain(live.newest(asked)) == [newest[symbol] for symbol in asked if symbol in newest]


def test_more_symbols_than_there_was_room_for_are_known() -> None:
    live = LiveTicks(4096)
    symbols = [f"S{number}" for number in range(2500)]
    live.add(frame(symbols, 0), "1-0")
    assert plain(live.newest(["S2499", "S0"])) == [
        ("S2499", 2499, "schwab-sim"), ("S0", 0, "schwab-sim")
    ]  # fmt: skip


def test_how_far_it_is_behind_is_known() -> None:
    live = LiveTicks(CAPACITY)
    empty = live.standing()
    assert (empty.entry, empty.rows, empty.newest_recv_ns, empty.newest_came_ns) == (
        "0", 0, None, None
    )  # fmt: skip
    assert live.lag_ms() is None
    live.add(frame(["A", "B", "C"], 0), "1700000000000-5")
    live.add(frame(["A"], 1), "1700000000001-0")
    standing = live.standing()
    assert standing.entry == "1700000000001-0"
    assert standing.newest_recv_ns == 2
    assert standing.newest_came_ns == 1_700_000_000_001 * 10**6
    assert live.lag_ms() == (0.0, 0.0)


def test_an_outage_counts_from_its_first_moment() -> None:
    live = LiveTicks(CAPACITY)
    live.away(5)
    live.away(9)
    assert live.standing().away_since_ns == 5
    live.back(lost=True)
    assert (live.standing().away_since_ns, live.standing().lost) == (None, 1)
    live.back(lost=False)
    assert live.standing().lost == 1


@pytest.mark.parametrize("count", [0, 1, CAPACITY, CAPACITY + 1, 5 * CAPACITY + 3])
def test_one_frame_may_be_longer_than_the_ring(count: int) -> None:
    live = LiveTicks(CAPACITY)
    live.add(frame(["A"] * count, 0), "1-0")
    found = plain(live.last(["A"], 1000))
    assert [number for _, number, _ in found] == list(range(count))[-CAPACITY:]
