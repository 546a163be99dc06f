from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from system.algo_trader.market.bars import BAR_SCHEMA, Bars
from system.algo_trader.market.source import Source
from system.algo_trader.storage.winners import latest_revisions, pick_winners

Row = dict[str, Any]

rows = st.lists(
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["MSFT", "AAPL", "Z"]),
            "timeframe": st.sampled_from(["1m", "1d"]),
            "start": st.integers(-2, 3),
            "session": st.sampled_from(["rth", "all"]),
            "adjustment": st.sampled_from(["split", "raw"]),
            "source": st.sampled_from([str(source) for source in Source]),
            "revision": st.integers(0, 3),
            "fetched_at": st.integers(0, 3),
            "close": st.floats(1, 2),
        }
    ),
    max_size=40,
)


def bars(given_rows: list[Row]) -> Bars:
    rest = {"open": 1.0, "high": 2.0, "low": 1.0, "volume": None, "is_synthetic": False}
    return Bars(pa.Table.from_pylist([row | rest for row in given_rows], schema=BAR_SCHEMA))


def by_hand(given_rows: list[Row], key: tuple[str, ...], better: Any) -> dict[Any, float]:
    """Keep the best row of each key by a loop: the plain reading of the rule."""
    best: dict[Any, Row] = {}
    for row in given_rows:
        name = tuple(row[part] for part in key)
        if name not in best or better(row) >= better(best[name]):
            best[name] = row
    return {name: row["close"] for name, row in best.items()}


def found(result: Bars, key: tuple[str, ...]) -> dict[Any, float]:
    table = result.table.to_pylist()
    assert len({tuple(row[part] for part in key) for row in table}) == len(table)
    return {tuple(row[part] for part in key): row["close"] for row in table}


@settings(deadline=None)
@given(rows)
def test_winners_are_those_of_the_plain_rule(given_rows: list[Row]) -> None:
    key = ("symbol", "timeframe", "start", "session", "adjustment")
    believed = (
        "schwab schwab-chart file schwab-live replay replay-live "
        "schwab-sim schwab-sim-chart schwab-sim-live replay-sim replay-sim-live"
    )
    ranks = {name: -place for place, name in enumerate(believed.split())}
    wanted = by_hand(
        given_rows, key, lambda row: (ranks[row["source"]], row["revision"], row["fetched_at"])
    )
    assert found(pick_winners(bars(given_rows)), key) == wanted


@settings(deadline=None)
@given(rows)
def test_the_newest_revision_is_kept_of_every_source(given_rows: list[Row]) -> None:
    key = ("symbol", "timeframe", "start", "session", "adjustment", "source")
    wanted = by_hand(given_rows, key, lambda row: (row["revision"], row["fetched_at"]))
    assert found(latest_revisions(bars(given_rows)), key) == wanted


@settings(deadline=None)
@given(rows)
def test_winners_rise_by_start_within_a_series(given_rows: list[Row]) -> None:
    winners = pick_winners(bars(given_rows))
    for series in winners.series():
        starts = winners.of_series(series).start
        assert (starts[1:] > starts[:-1]).all()


@settings(deadline=None)
@given(rows)
def test_winners_of_winners_are_the_same(given_rows: list[Row]) -> None:
    once = pick_winners(bars(given_rows))
    assert pick_winners(once).table.equals(once.table)
