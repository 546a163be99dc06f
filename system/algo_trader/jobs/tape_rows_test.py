"""Judge rows of the tape by hand arithmetic over two days."""

from datetime import UTC, datetime

import numpy as np
import pytest

from system.algo_trader.jobs.tape_rows import tape_rows
from system.algo_trader.tape.classify import Classified, classify, prevailing_quotes
from system.algo_trader.tape.columns import Quotes, Trades

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE
OPEN = int(datetime(2024, 3, 5, 14, 30, tzinfo=UTC).timestamp()) * 1_000_000_000


def tape(times: list[int], prices: list[float], sizes: list[int]) -> Classified:
    trades = Trades.of(times, prices, sizes, tick_size=0.01, sampled=False)
    quotes = Quotes.of([0], [99.0], [101.0], tick_size=0.01)
    return classify(trades, prevailing_quotes(trades, quotes))


def test_running_sums_begin_anew_each_day_and_not_each_minute() -> None:
    found = tape_rows(
        tape(
            [OPEN, OPEN + 1, OPEN + 3 * MINUTE, OPEN + DAY],
            [101.0, 99.0, 101.0, 99.0],
            [300, 100, 20_000, 70],
        ),
        MINUTE, symbol="ES", timeframe="1m", source="test", is_synthetic=True,
    )  # fmt: skip
    rows = found.to_pylist()
    assert [row["time"] for row in rows] == [OPEN, OPEN + 3 * MINUTE, OPEN + DAY]
    assert [row["buy_volume"] for row in rows] == [300, 20_000, 0]
    assert [row["sell_volume"] for row in rows] == [100, 0, 70]
    assert [row["unknown_volume"] for row in rows] == [0, 0, 0]
    assert [row["delta"] for row in rows] == [200, 20_000, -70]
    assert [row["cumulative_delta"] for row in rows] == [200, 20_200, -70]
    first = (101 * 300 + 99 * 100) / 400
    second = (101 * 20_300 + 99 * 100) / 20_400
    assert [row["vwap"] for row in rows] == pytest.approx([first, second, 99.0])
    assert [row["trades"] for row in rows] == [2, 1, 1]
    assert [row["large_trades"] for row in rows] == [0, 1, 0]
    assert [row["sweeps"] for row in rows] == [0, 0, 0]
    assert [(row["at_bid"], row["at_mid"], row["at_ask"]) for row in rows] == [
        (0.25, 0.0, 0.75),
        (0.0, 0.0, 1.0),
        (1.0, 0.0, 0.0),
    ]
    assert [(row["basis"], row["sampled"]) for row in rows] == [("nbbo", False)] * 3
    assert all(row["is_synthetic"] and row["source"] == "test" for row in rows)


def test_a_caller_may_say_where_sessions_begin() -> None:
    found = tape_rows(
        tape([OPEN, OPEN + MINUTE], [101.0, 101.0], [5, 7]),
        MINUTE, symbol="ES", timeframe="1m", source="test", is_synthetic=False,
        sessions=np.array([1, 2]),
    )  # fmt: skip
    assert found.column("cumulative_delta").to_pylist() == [5, 7]


def test_rows_of_a_sampled_feed_say_so_and_have_no_shares_without_quotes() -> None:
    trades = Trades.of([OPEN, OPEN + 1], [1.0, 2.0], [5, 7], tick_size=0.01, sampled=True)
    [row] = tape_rows(
        classify(trades), MINUTE, symbol="AAPL", timeframe="1m", source="schwab",
        is_synthetic=False,
    ).to_pylist()  # fmt: skip
    assert (row["sampled"], row["basis"]) == (True, "tick")
    assert (row["at_bid"], row["at_mid"], row["at_ask"]) == (None, None, None)


def test_without_trades_there_are_no_rows() -> None:
    found = tape_rows(
        tape([], [], []), MINUTE, symbol="ES", timeframe="1m", source="test", is_synthetic=False
    )
    assert found.num_rows == 0
    assert "cumulative_delta" in found.column_names
