"""Judge numbers of equal instants by the rebuilding that counts the whole at once."""

import pyarrow as pa

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
