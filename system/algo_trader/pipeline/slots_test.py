"""Judge numbers of equal instants by the rebuilding that counts the whole at once."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from system.algo_trader.pipeline.slots import SlotCounter
from system.algo_trader.storage.records import TRADE_SCHEMA
from system.algo_trader.storage.tables import TRADES
from system.algo_trader.storage.tape_projection import rows_of

TIMES = [5, 5, 5, 6, 6, 9]


def rows(times: list[int], symbol: str = "AAPL") -> pa.Table:
    count = len(times)
    columns = {
        "symbol": [symbol] * count,
        "source": ["schwab-live"] * count,
        "ts_event": times,
        "price": [1.0] * count,
        "size": [1] * count,
        "aggressor": [None] * count,
        "sequence": list(range(count)),
        "ts_recv": times,
        "is_synthetic": [True] * count,
    }
    return pa.table(columns, TRADE_SCHEMA)


def test_numbers_over_portions_are_those_of_the_whole() -> None:
    counter = SlotCounter()
    whole = rows_of(rows(TIMES), TRADES)
    parts = [counter.numbered(rows(TIMES[:2])), counter.numbered(rows(TIMES[2:]))]
    found = pa.concat_tables(parts).select(whole.column_names)
    assert found.column("slot").to_pylist() == whole.column("slot").to_pylist()
    assert found.column("time").to_pylist() == TIMES


def test_symbols_do_not_share_numbers() -> None:
    counter = SlotCounter()
    counter.numbered(rows([5, 5]))
    assert counter.numbered(rows([5], "MSFT")).column("slot").to_pylist() == ["0"]


def test_numbers_go_on_after_those_of_an_earlier_process() -> None:
    counter = SlotCounter()
    counter.begin_after(rows([5, 5, 7]))
    assert counter.numbered(rows([5, 6, 7])).column("slot").to_pylist() == ["2", "0", "1"]


def test_numbers_of_many_portions_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(4)
    counter, plain = SlotCounter(), Counter[tuple[str, int]]()
    for _ in range(20):
        times = rng.integers(0, 30, 50).tolist()
        symbol = str(rng.choice(["A", "B"]))
        expected = []
        for at in times:
            expected.append(str(plain[symbol, at]))
            plain[symbol, at] += 1
        assert counter.numbered(rows(times, symbol)).column("slot").to_pylist() == expected


def test_what_happened_long_ago_is_forgotten_and_the_newest_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("system.algo_trader.pipeline.slots._KEPT", 10)
    counter = SlotCounter()
    counter.numbered(rows(list(range(40))))
    assert counter.numbered(rows([39])).column("slot").to_pylist() == ["1"]
    assert counter.numbered(rows([0])).column("slot").to_pylist() == ["0"]
