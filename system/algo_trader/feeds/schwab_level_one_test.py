"""Judge the reading of level one by what its frames mean, update by update."""

import math

import pytest

from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.state import Update
from system.algo_trader.feeds.schwab_level_one import LevelOneReader
from system.algo_trader.market.ticks import NO_TIME, Ticks

EQUITIES = SPECS[Service.LEVELONE_EQUITIES]
FUTURES = SPECS[Service.LEVELONE_FUTURES]
MS = 1_000_000


def reader(service: Service = Service.LEVELONE_EQUITIES, key: str = "AAPL") -> LevelOneReader:
    return LevelOneReader(SPECS[service], {key: 0})


def read(one: LevelOneReader, *updates: Update, key: str = "AAPL") -> Ticks:
    return one.read(
        [{"key": key, **update} for update in updates],
        timestamp_ms=1_000,
        received_ns=1_005 * MS,
        order=10,
    )


IMAGE: Update = {
    "1": 99.5, "2": 100.5, "3": 100.0, "4": 3, "5": 7, "8": 1_000, "9": 50,
    "34": 900, "35": 800,
}  # fmt: skip


def test_the_first_update_of_a_key_is_an_image_and_no_trade() -> None:
    ticks = read(reader(), IMAGE)
    assert not ticks.is_trade[0]
    assert ticks.is_quote[0]
    assert (ticks.bid[0], ticks.ask[0], ticks.bid_size[0], ticks.ask_size[0]) == (99.5, 100.5, 3, 7)
    assert (ticks.ts_quote[0], ticks.ts_trade[0]) == (900 * MS, 800 * MS)
    assert (ticks.order[0], ticks.ts_recv[0]) == (10, 1_005 * MS)


def test_a_trade_counts_all_that_the_running_total_grew_by() -> None:
    one = reader()
    read(one, IMAGE)
    ticks = read(one, {"3": 100.2, "8": 1_300, "9": 40, "35": 950})
    assert ticks.is_trade.tolist() == [True]
    assert not ticks.is_quote[0]
    assert (ticks.last[0], ticks.last_size[0], ticks.volume[0]) == (100.2, 40, 300)
    assert ticks.bid[0] == 99.5
    trades = ticks.trades()
    assert (trades.ts_event[0], trades.size[0], trades.order[0]) == (950 * MS, 300, 10)


def test_a_quote_alone_is_no_trade() -> None:
    one = reader()
    read(one, IMAGE)
    ticks = read(one, {"1": 99.6, "34": 960})
    assert (ticks.is_trade[0], ticks.is_quote[0], ticks.volume[0]) == (False, True, 0)


def test_a_trade_whose_total_comes_one_update_later_is_counted_once() -> None:
    one = reader()
    read(one, IMAGE)
    ticks = read(one, {"3": 101.0, "9": 20, "35": 950}, {"8": 1_020})
    assert ticks.volume.sum() == 20


def test_what_was_traded_without_a_connection_is_no_trade_and_is_told() -> None:
    one = reader()
    read(one, IMAGE)
    one.disconnected()
    ticks = read(one, {**IMAGE, "8": 1_700, "35": 990})
    assert not ticks.is_trade[0]
    assert one.unseen == {0: 700}
    assert read(one, {"8": 1_701, "35": 995}).volume[0] == 1


def test_a_total_that_falls_counts_the_last_trade_alone() -> None:
    one = reader()
    read(one, IMAGE)
    ticks = read(one, {"3": 99.0, "8": 60, "9": 60, "35": 970})
    assert ticks.volume[0] == 60
    assert not read(one, {"8": 50}).is_trade[0]


def test_a_key_without_a_total_counts_sizes() -> None:
    one = reader()
    read(one, {"3": 10.0, "9": 5, "35": 1})
    assert read(one, {"3": 10.5, "9": 6, "35": 2}).volume[0] == 6


@pytest.mark.parametrize("nothing", [0, 0.0, -999, "NaN", None, True])
def test_a_price_that_is_none_is_unknown(nothing: object) -> None:
    ticks = read(reader(), {**IMAGE, "1": nothing})
    assert math.isnan(ticks.bid[0])


def test_a_future_may_trade_below_zero_and_a_stock_may_not() -> None:
    key = "/CLK20"
    ticks = read(reader(Service.LEVELONE_FUTURES, key), {"3": -37.63}, key=key)
    assert ticks.last[0] == -37.63
    assert math.isnan(read(reader(), {"3": -37.63}).last[0])


def test_times_fall_back_to_the_frame_and_a_missing_count_is_missing() -> None:
    ticks = read(reader(), {"1": 5.0, "4": -1})
    assert ticks.ts_quote[0] == 1_000 * MS
    assert (ticks.ts_trade[0], ticks.bid_size[0]) == (NO_TIME, NO_TIME)


def test_keys_that_nobody_asked_for_are_counted() -> None:
    one = reader()
    assert len(read(one, IMAGE, key="MSFT")) == 0
    assert one.strangers == 1
