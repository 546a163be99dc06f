"""Judge charts and books by frames whose meaning is plain."""

from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.state import Update
from system.algo_trader.feeds.schwab_frames import book_levels, chart_bars

MS = 1_000_000
NAMES = {"AAPL": "AAPL", "/ESM24": "/ESM24"}


def test_a_bar_of_a_stock_has_its_sequence_first() -> None:
    update: Update = {
        "key": "AAPL", "seq": 4, "1": 600, "2": 10.0, "3": 12.0, "4": 9.0, "5": 11.0, "6": 300.0,
        "7": 1_710_165_000_000,
    }  # fmt: skip
    (row,) = chart_bars(SPECS[Service.CHART_EQUITY], [update], NAMES).to_pylist()
    assert row == {
        "symbol": "AAPL", "start": 1_710_165_000_000 * MS, "open": 10.0, "high": 12.0,
        "low": 9.0, "close": 11.0, "volume": 300, "sequence": 600,
    }  # fmt: skip


def test_a_bar_of_a_future_has_its_time_first_and_the_frame_s_sequence() -> None:
    update: Update = {
        "key": "/ESM24", "seq": 4, "1": 1_710_165_000_000, "2": 10.0, "3": 12.0, "4": 9.0,
        "5": 11.0, "6": 300.0,
    }  # fmt: skip
    (row,) = chart_bars(SPECS[Service.CHART_FUTURES], [update], NAMES).to_pylist()
    assert (row["start"], row["open"], row["sequence"]) == (1_710_165_000_000 * MS, 10.0, 4)


def test_a_bar_without_time_or_of_a_stranger_is_left_out_and_a_missing_price_is_null() -> None:
    updates: list[Update] = [
        {"key": "AAPL", "2": 1.0},
        {"key": "MSFT", "7": 1},
        {"key": "AAPL", "7": 5, "2": "NaN", "6": -1},
    ]
    (row,) = chart_bars(SPECS[Service.CHART_EQUITY], updates, NAMES).to_pylist()
    assert (row["start"], row["open"], row["volume"]) == (5 * MS, None, None)


def test_a_book_is_one_row_a_side_and_level() -> None:
    level = [{"0": 100.1, "1": 300, "2": 2, "3": []}, {"0": 100.2, "1": 50, "2": 1}]
    update: Update = {"key": "AAPL", "1": 77, "2": [{"0": 100.0, "1": 9, "2": 1}], "3": level}
    rows = book_levels(SPECS[Service.NASDAQ_BOOK], [update], NAMES, 80 * MS).to_pylist()
    assert [(row["side"], row["level"], row["price"], row["size"]) for row in rows] == [
        ("bid", 0, 100.0, 9), ("ask", 0, 100.1, 300), ("ask", 1, 100.2, 50),
    ]  # fmt: skip
    assert {(row["ts_event"], row["ts_recv"], row["service"]) for row in rows} == {
        (77 * MS, 80 * MS, "NASDAQ_BOOK")
    }


def test_an_empty_side_gives_no_row() -> None:
    update: Update = {"key": "AAPL", "1": 77, "2": [], "3": None}
    assert book_levels(SPECS[Service.NYSE_BOOK], [update], NAMES, 0).num_rows == 0
