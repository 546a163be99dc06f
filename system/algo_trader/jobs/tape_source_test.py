from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.errors import InputError, NoDataError, StackError, UsageError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.jobs.tape_source import (
    last_trade_ns,
    session_numbers,
    tape_of_archive,
    tape_of_files,
    tick_size_of,
)
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import QUOTE_SCHEMA, QUOTES, TRADE_SCHEMA, TRADES
from system.algo_trader.tape.columns import Quotes
from system.algo_trader.tape.sides import MISSING

OPEN = parse_rfc3339("2024-03-05T14:30:00Z")
SECOND = 1_000_000_000
TRADE_LINES = ["ts_event_ns,price,size,aggressor", f"{OPEN},100.25,5,B", f"{OPEN + 1},100,2,A"]
QUOTE_LINES = ["ts_event_ns,bid_price,bid_size,ask_price,ask_size", f"{OPEN - 1},100,1,,0"]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(paths: list[Path], symbol: str = "/ESH24", zone: str | None = None) -> object:
    return tape_of_files(paths, symbol, zone=zone, tick_size=0.25, sampled=False)


def test_a_file_of_trades_and_one_of_quotes_are_a_tape(tmp_path: Path) -> None:
    paths = [write(tmp_path / "q.csv", QUOTE_LINES), write(tmp_path / "t.csv", TRADE_LINES)]
    found = tape_of_files(paths, "/ESH24", zone=None, tick_size=0.25, sampled=False)
    assert found.trades.time_ns.tolist() == [OPEN, OPEN + 1]
    assert found.trades.price.tolist() == [401, 400]
    assert found.flag is not None
    assert found.flag.tolist() == [1, -1]
    assert isinstance(found.quotes, Quotes)
    assert (found.quotes.bid.tolist(), found.quotes.ask.tolist()) == ([400], [MISSING])
    assert (found.source, found.is_synthetic, found.trades.sampled) == ("file", False, False)
    within = tape_of_files(
        paths, "/ESH24", zone=None, tick_size=0.25, sampled=True, span=(OPEN + 1, OPEN + 2)
    )
    assert within.trades.price.tolist() == [400]
    assert within.trades.sampled
    # The quote before the span is in force in it.
    assert within.quotes is not None
    assert len(within.quotes) == 1


def test_parquet_with_zoned_times_and_several_symbols_is_read_for_one(tmp_path: Path) -> None:
    moments = [datetime(2024, 3, 5, 14, 30, second, tzinfo=UTC) for second in range(3)]
    table = pa.table(
        {
            "ts_event": pa.array(moments, pa.timestamp("us", "America/New_York")),
            "symbol": ["AAPL", "MSFT", "AAPL"],
            "price": [170.0, 400.0, 170.01],
            "size": [1, 2, 3],
            "is_synthetic": [False, False, True],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = tape_of_files(
        [tmp_path / "t.parquet"], "AAPL", zone=None, tick_size=0.01, sampled=False
    )
    assert found.trades.time_ns.tolist() == [OPEN, OPEN + 2 * SECOND]
    assert (found.quotes, found.flag, found.is_synthetic) == (None, None, True)
    with pytest.raises(NoDataError, match="no trades of ZZZ"):
        read([tmp_path / "t.parquet"], "ZZZ")


def test_times_without_an_offset_need_a_zone(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["datetime,price,size", "2024-03-05 09:30:00,100,5"])
    with pytest.raises(UsageError, match="--tz is not given"):
        read([path])
    found = tape_of_files([path], "ES", zone="America/New_York", tick_size=0.25, sampled=False)
    assert found.trades.time_ns.tolist() == [OPEN]


@pytest.mark.parametrize(
    ("lines", "kind", "sentence"),
    [
        ([], InputError, "cannot be read as CSV"),
        (TRADE_LINES[:1], NoDataError, "no trades of /ESH24"),
        (["a,b", "1,2"], InputError, "has the columns a, b"),
        (["ts_event_ns,open,high,low,close", f"{OPEN},1,1,1,1"], UsageError, "holds bars"),
        (QUOTE_LINES, NoDataError, "no trades of /ESH24"),
        ([*TRADE_LINES, f"{OPEN - 5},100,1,B"], InputError, "the times of trades fall in row 2"),
        ([*TRADE_LINES, f"{OPEN + 2},100.1,1,B"], InputError, "no multiple of the tick size"),
        ([*TRADE_LINES, f"{OPEN + 2},100,,B"], InputError, "the size nan in row 2"),
        ([*TRADE_LINES, f"{OPEN + 2},100,-4,B"], InputError, "the size -4.0 in row 2"),
        (["ts_event_ns,price,size", f"{OPEN},dear,1"], InputError, "something else than numbers"),
        (["ts_event_ns,price,size", ",100,1"], InputError, "row 1 has no ts_event_ns"),
    ],
)
def test_a_file_that_is_no_tape_is_one_sentence(
    tmp_path: Path, lines: list[str], kind: type[StackError], sentence: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(kind, match=sentence):
        read([path])


def test_a_trade_without_a_price_stays_and_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [*TRADE_LINES, f"{OPEN + 2},,1,B", f"{OPEN + 3},NaN,1,B"])
    found = tape_of_files([path], "ES", zone=None, tick_size=0.25, sampled=False)
    assert found.trades.price.tolist() == [401, 400, MISSING, MISSING]


def stored(archive: Archive, source: str) -> None:
    count = 3
    trades = pa.table(
        {
            **{"symbol": ["AAPL"] * count, "source": [source] * count},
            "ts_event": [OPEN + number * SECOND for number in range(count)],
            "price": [170.0, 170.01, 170.0],
            "size": [100, 200, 300],
            "aggressor": pa.array([None, "B", "A"]),
            "sequence": pa.nulls(count, pa.int64()),
            "ts_recv": pa.nulls(count, pa.int64()),
            "is_synthetic": [False] * count,
        },
        schema=TRADE_SCHEMA,
    )
    quotes = pa.table(
        {
            **{"symbol": ["AAPL"], "source": [source], "ts_event": [OPEN - SECOND]},
            **{"bid_price": [170.0], "bid_size": [1], "ask_price": [170.01], "ask_size": [1]},
            **{"sequence": pa.nulls(1, pa.int64()), "ts_recv": pa.nulls(1, pa.int64())},
            "is_synthetic": [False],
        },
        schema=QUOTE_SCHEMA,
    )
    archive.append_records(TRADES, trades, "test")
    archive.append_records(QUOTES, quotes, "test")


@pytest.mark.parametrize(
    ("source", "sampled"),
    [
        *(("schwab", True), ("schwab-sim", True), ("file", False)),
        *(("schwab-live", True), ("schwab-sim-live", True), ("replay-live", False)),
    ],
)
def test_schwabs_stored_trades_are_a_sample_and_say_so(
    tmp_path: Path, source: str, sampled: bool
) -> None:
    archive = Archive(tmp_path)
    stored(archive, source)
    found = tape_of_archive(archive, "AAPL", tick_size=0.0001, span=(OPEN, OPEN + 2 * SECOND))
    assert found.trades.size.tolist() == [100, 200]
    assert (found.source, found.trades.sampled) == (source, sampled)
    assert found.flag is not None
    assert found.flag.tolist() == [0, 1]
    assert found.quotes is not None
    assert found.quotes.time_ns.tolist() == [OPEN - SECOND]
    assert last_trade_ns(archive, "AAPL") == OPEN + 2 * SECOND


def test_nothing_stored_says_where_trades_come_from(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for read_it in (
        lambda: last_trade_ns(archive, "AAPL"),
        lambda: tape_of_archive(archive, "AAPL", tick_size=0.01, span=(None, None)),
        lambda: tape_of_archive(archive, "AAPL", tick_size=0.01, span=(0, 1)),
    ):
        with pytest.raises(NoDataError, match="no trades of AAPL are stored") as told:
            read_it()
        assert "store import" in str(told.value)


def test_tick_sizes_are_those_of_the_symbols() -> None:
    assert (tick_size_of("/ESH24"), tick_size_of("/ES")) == (0.25, 0.25)
    assert tick_size_of("AAPL") == 0.0001
    assert tick_size_of("AAPL  241018C00230000") == 0.01


def test_sessions_begin_with_the_days_first_trading() -> None:
    stocks = [
        parse_rfc3339(f"2024-03-{moment}:00Z")
        for moment in ("04T20:59", "04T22:00", "05T11:59", "05T12:00", "05T14:30", "06T14:30")
    ]
    numbers = session_numbers(np.array(stocks), calendar("XNYS"))
    assert (numbers - numbers[0]).tolist() == [0, 0, 0, 1, 1, 2]
    # A future's day begins on the evening before it, at 18:00 New York.
    futures = [
        parse_rfc3339(f"2024-03-{moment}:00Z") for moment in ("04T21:59", "04T23:00", "05T20:00")
    ]
    numbers = session_numbers(np.array(futures), calendar("CME_EQUITY"))
    assert (numbers - numbers[0]).tolist() == [0, 1, 1]
    assert session_numbers(np.empty(0, dtype=np.int64), calendar("XNYS")).tolist() == []
