"""What is streamed of the replayed market, and what is invented beside it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from bokeh_sampledata import stocks

from infrastructure.clock import VirtualClock
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.room import market_sources
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.streamer import Streamer
from infrastructure.simulators.schwab.streamer.testing import Client, OneToken, items_of

OPTION = "AAPL  130419C00450000"
DAY = date(2013, 3, 1)
NEW_YORK = "America/New_York"
NS_PER_S = 1_000_000_000
FIELDS = ",".join(str(number) for number in range(56))


class Opening:
    """The session of 2013-03-01 from its open, and one client of it."""

    def __init__(self, seed: int = 0, rules: StreamRules | None = None) -> None:
        self.clock = VirtualClock(0)
        self.market = ReplayMarket.from_bokeh(from_open=True, seed=seed, clock=self.clock)
        sources = market_sources(self.market, 3.0)
        rules = rules or StreamRules(empty_s=None, interval_s=unconflated())
        self.streamer = Streamer(OneToken(), self.market, self.clock, sources, rules=rules)
        self.client = Client(self.streamer)
        self.client.log_in()

    def subscribe(self, service: str, *keys: str) -> list[dict[str, Any]]:
        answer = self.client.ask(service, "SUBS", keys=",".join(keys), fields=FIELDS)
        assert answer[0] == 0
        return items_of(self.client.rest, service)

    def play(self, seconds: float, service: str) -> list[dict[str, Any]]:
        self.clock.advance(seconds=seconds)
        self.streamer.pump()
        return self.client.items(service)

    def level_one(self, key: str) -> dict[str, Any]:
        state = self.streamer.board.state("LEVELONE_EQUITIES", key)
        assert state is not None
        names = service_forms()["LEVELONE_EQUITIES"].names
        return {names[number]: value for number, value in state.values.items()}


@pytest.fixture(scope="module")
def morning() -> Opening:
    """A whole session in one stride; what it tells is compared with the recorded day."""
    opening = Opening(rules=StreamRules(empty_s=None))
    opening.subscribe("LEVELONE_EQUITIES", "IBM")
    opening.play(6.5 * 3_600 - 0.001, "LEVELONE_EQUITIES")
    return opening


def test_a_played_session_ends_at_the_recorded_days_own_numbers(morning: Opening) -> None:
    played, recorded = morning.level_one("IBM"), stocks.IBM
    assert played["openPrice"] == recorded["open"][-1]
    assert played["highPrice"] == recorded["high"][-1]
    assert played["lowPrice"] == recorded["low"][-1]
    assert played["lastPrice"] == recorded["close"][-1]
    assert played["totalVolume"] == recorded["volume"][-1]
    assert played["closePrice"] == recorded["close"][-2]
    assert played["netChange"] == pytest.approx(recorded["close"][-1] - recorded["close"][-2])


def test_streamed_bars_are_the_minutes_of_price_history() -> None:
    opening = Opening()
    (latest,) = opening.subscribe("CHART_EQUITY", "IBM")
    assert latest["1"] < 150  # the latest completed minute is one before the open [O]
    bars = opening.play(20 * 60 + 4, "CHART_EQUITY")
    recorded = opening.market.minutes("IBM", DAY, DAY, False)
    assert [bar["7"] * 1_000_000 for bar in bars] == recorded.start_ns.tolist()
    for number, name in enumerate(("open", "high", "low", "close"), start=2):
        assert [bar[str(number)] for bar in bars] == getattr(recorded, name).tolist()
    assert [bar["6"] for bar in bars] == recorded.volume.tolist()
    # 09:30 is 150 minutes after 07:00 New York [D]
    assert [bar["1"] for bar in bars] == list(range(150, 170))
    assert {bar["8"] for bar in bars} == {15_765}  # days since 1970-01-01 [O]
    assert [bar["seq"] for bar in bars] == list(range(1, 21))


def test_a_minutes_trades_touch_its_bar_and_add_up_to_it() -> None:
    opening = Opening()
    first = opening.subscribe("LEVELONE_EQUITIES", "AAPL")
    items = first + opening.play(59.5, "LEVELONE_EQUITIES")
    opening.clock.advance(seconds=1)
    bar = opening.market.minutes("AAPL", DAY, DAY, False)
    prices = [item["3"] for item in items[1:] if "3" in item]
    assert max(prices) == bar.high[0]
    assert min(prices) == bar.low[0]
    assert prices[0] == bar.open[0] or items[1].get("3") is None
    assert max(item.get("8", 0) for item in items[1:]) == bar.volume[0]


def test_one_seed_streams_the_same_twice_and_another_seed_does_not() -> None:
    def day(seed: int, stride: float) -> list[Any]:
        opening = Opening(seed)
        opening.subscribe("LEVELONE_EQUITIES", "AAPL")
        items = []
        for _ in range(round(30 / stride)):
            items += opening.play(stride, "LEVELONE_EQUITIES")
        return items

    assert day(5, 0.5) == day(5, 7.5)
    assert day(5, 0.5) != day(6, 0.5)


def test_every_level_one_service_fills_all_its_fields_first() -> None:
    opening = Opening()
    for service, key in (
        ("LEVELONE_EQUITIES", "MSFT"),
        ("LEVELONE_OPTIONS", OPTION),
        ("LEVELONE_FUTURES", "/ES"),
        ("LEVELONE_FUTURES_OPTIONS", "./OZCZ23C565"),
        ("LEVELONE_FOREX", "EUR/USD"),
    ):
        (item,) = opening.subscribe(service, key)
        form = service_forms()[service]
        assert set(form.names) - {"0"} <= item.keys(), service
        kinds = {"f": float, "l": int, "i": int, "b": bool, "str": str, "char": str}
        for number, kind in form.types.items():
            if number != "0":
                assert isinstance(item[number], kinds[kind]), (service, form.names[number])
        by_name = {form.names[number]: item[number] for number in form.names if number != "0"}
        assert by_name["bidPrice"] <= by_name["lastPrice"] <= by_name["askPrice"]


@pytest.mark.parametrize(
    ("service", "key"),
    [
        ("LEVELONE_EQUITIES", "NOSUCH"),
        ("LEVELONE_OPTIONS", "NOSUCH130419C00450000"),
        ("LEVELONE_FUTURES", "/QQQQ"),
        ("LEVELONE_FOREX", "AAPL"),
        ("NYSE_BOOK", "AAPL"),
        ("NASDAQ_BOOK", "IBM"),
        ("SCREENER_EQUITY", "NOSUCH_VOLUME_0"),
        ("SCREENER_EQUITY", "EQUITY_ALL_AVERAGE_PERCENT_VOLUME_0"),
        ("SCREENER_OPTION", "EQUITY_ALL_VOLUME_0"),
    ],
)
def test_unknown_keys_are_accepted_and_deliver_nothing(service: str, key: str) -> None:
    opening = Opening()
    assert not opening.subscribe(service, key)
    assert not opening.play(30, service)  # [O]


@pytest.mark.parametrize(
    ("service", "key"), [("NYSE_BOOK", "IBM"), ("NASDAQ_BOOK", "AAPL"), ("OPTIONS_BOOK", OPTION)]
)
def test_book_levels_are_the_sums_of_their_venues(service: str, key: str) -> None:
    opening = Opening()
    books = opening.subscribe(service, key) + opening.play(5, service)
    assert len(books) > 3
    midnight_ms = local_moment_ns(DAY, 0, NEW_YORK) // 1_000_000
    for book in books:
        bids, asks = book["2"], book["3"]
        for level in (*bids, *asks):
            assert level["1"] == sum(venue["1"] for venue in level["3"])  # [O]
            assert level["2"] == len(level["3"])  # [O]
            assert {venue["2"] for venue in level["3"]} == {book["1"] - midnight_ms}  # [D]
        bid_prices, ask_prices = ([level["0"] for level in side] for side in (bids, asks))
        assert bid_prices == sorted(bid_prices, reverse=True)  # [O]
        assert ask_prices == sorted(ask_prices)  # [O]
        assert bid_prices[0] < ask_prices[0]


def test_screeners_rank_by_their_sort_field() -> None:
    opening = Opening()
    opening.subscribe("LEVELONE_EQUITIES", "AAPL", "FB", "GOOG", "IBM", "MSFT")
    opening.play(300, "LEVELONE_EQUITIES")
    (by_volume,) = opening.subscribe("SCREENER_EQUITY", "EQUITY_ALL_VOLUME_0")
    items = by_volume["4"]
    assert [item["symbol"] for item in items] == [
        item["symbol"] for item in sorted(items, key=lambda each: -each["volume"])
    ]
    assert {item["totalVolume"] for item in items} == {sum(item["volume"] for item in items)}
    assert sum(item["marketShare"] for item in items) == pytest.approx(100, abs=0.05)
    expected = "symbol description lastPrice netChange netPercentChange marketShare totalVolume"
    assert set(items[0]) == {*expected.split(), "volume", "trades"}  # [O]
    assert (by_volume["2"], by_volume["3"]) == ("VOLUME", 0)
    (losers,) = opening.subscribe("SCREENER_EQUITY", "NASDAQ_PERCENT_CHANGE_DOWN_5")
    changes = [item["netPercentChange"] for item in losers["4"]]
    assert changes == sorted(changes)
    assert "IBM" not in [item["symbol"] for item in losers["4"]]
    apple = next(item for item in items if item["symbol"] == "AAPL")
    before = stocks.AAPL["close"][-2]
    # A share, not percent. [O]
    assert apple["netPercentChange"] == pytest.approx(apple["lastPrice"] / before - 1)


def test_option_screener_splits_calls_and_puts() -> None:
    opening = Opening()
    (calls,) = opening.subscribe("SCREENER_OPTION", "OPTION_CALL_VOLUME_0")
    assert {item["symbol"][12] for item in calls["4"]} == {"C"}
    (both,) = opening.subscribe("SCREENER_OPTION", "OPTION_ALL_VOLUME_0")
    assert {item["symbol"][12] for item in both["4"]} == {"C", "P"}


def test_option_quotes_follow_their_underlying() -> None:
    opening = Opening()
    opening.subscribe("LEVELONE_OPTIONS", OPTION, "AAPL  130419P00450000")
    opening.play(300, "LEVELONE_OPTIONS")
    call, put = (
        opening.streamer.board.state("LEVELONE_OPTIONS", key)
        for key in (OPTION, "AAPL  130419P00450000")
    )
    assert call is not None
    assert put is not None
    number = service_forms()["LEVELONE_OPTIONS"].number
    spot = call.values[number("underlyingPrice")]
    theory = number("theoreticalOptionValue")
    years = (date(2013, 4, 19) - DAY).days / 365
    # Put-call parity, which holds for any volatility.
    parity = spot - 450 * np.exp(-0.01 * years)
    assert call.values[theory] - put.values[theory] == pytest.approx(parity, abs=1e-4)
    assert call.values[number("delta")] - put.values[number("delta")] == pytest.approx(1, abs=1e-5)


def test_future_bars_hold_the_prices_of_their_seconds() -> None:
    opening = Opening()
    opening.subscribe("CHART_FUTURES", "/ES")
    opening.client.ask("LEVELONE_FUTURES", "SUBS", keys="/ES", fields="0,3")
    last = items_of(opening.client.rest, "LEVELONE_FUTURES")[0]["3"]
    prices = [last]
    bars = []
    for _ in range(64):
        opening.clock.advance(seconds=1)
        opening.streamer.pump()
        frames = opening.client.frames()
        bars += items_of(frames, "CHART_FUTURES")
        for item in items_of(frames, "LEVELONE_FUTURES"):
            last = item["3"]
        prices.append(last)
    (bar,) = bars
    minute = prices[:60]
    assert (bar["2"], bar["5"]) == (minute[0], minute[-1])
    assert (bar["3"], bar["4"]) == (max(minute), min(minute))
    assert all(price % 0.25 == 0 for price in prices)
