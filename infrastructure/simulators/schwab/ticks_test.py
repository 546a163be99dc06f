"""One file of trades and quotes feeds quotes, streamer, chart bars and orders alike."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.room import market_sources
from infrastructure.simulators.schwab.streamer.streamer import Streamer
from infrastructure.simulators.schwab.streamer.testing import Client, OneToken

# Two sessions, since a market that opens needs a close before it; 14:30 UTC is the open.
ROWS = """ts_event,symbol,price,size,bid,ask,bid_size,ask_size
2013-02-28T20:59:00Z,TICK,10.00,100,,,,
2013-03-01T14:30:01Z,TICK,,,10.00,10.10,300,200
2013-03-01T14:30:05Z,TICK,10.10,150,,,,
2013-03-01T14:30:30Z,TICK,,,10.20,10.25,500,400
2013-03-01T14:30:40Z,TICK,10.20,50,,,,
2013-03-01T14:31:10Z,TICK,10.15,70,,,,
2013-03-01T14:31:20Z,TICK,,,10.05,10.15,600,80
2013-03-01T14:33:00Z,TICK,10.05,30,,,,
"""
OPEN_NS = 1_362_148_200 * 1_000_000_000


@pytest.fixture(params=["csv", "parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / f"ticks.{request.param}"
    csv = tmp_path / "rows.csv"
    csv.write_text(ROWS)
    if request.param == "csv":
        return csv
    pd.read_csv(csv).to_parquet(file)
    return file


def market_of(path: Path) -> tuple[ReplayMarket, VirtualClock]:
    clock = VirtualClock(0)
    return ReplayMarket.from_file(path, from_open=True, clock=clock), clock


def order(price: str, quantity: int) -> dict[str, Any]:
    instrument = {"symbol": "TICK", "assetType": "EQUITY"}
    return {
        "session": "NORMAL",
        "duration": "DAY",
        "orderType": "LIMIT",
        "price": price,
        "orderStrategyType": "SINGLE",
        "orderLegCollection": [
            {"instruction": "BUY", "quantity": quantity, "instrument": instrument}
        ],
    }


def test_quotes_show_the_recorded_bid_offer_and_last_trade(path: Path) -> None:
    market, clock = market_of(path)
    assert market.now_ns == OPEN_NS
    with SchwabSimulator(market, clock=clock) as simulator, requests.Session() as session:
        desk = Desk(simulator, clock, session)
        desk.sign_in()
        seen = []
        for seconds in (75, 10):
            clock.advance(seconds=seconds)
            seen.append(desk.get("/quotes", symbols="TICK").json()["TICK"]["quote"])
        clock.advance(seconds=120)
        candles = desk.history("TICK", period=1, endDate=market.now_ns // 1_000_000).json()[
            "candles"
        ]
    names = ("bidPrice", "askPrice", "bidSize", "askSize", "lastPrice", "totalVolume")
    assert [seen[0][name] for name in names] == [10.20, 10.25, 500, 400, 10.15, 270]
    assert [seen[1][name] for name in names] == [10.05, 10.15, 600, 80, 10.15, 270]
    assert (seen[1]["openPrice"], seen[1]["highPrice"], seen[1]["lowPrice"]) == (10.1, 10.2, 10.1)
    assert seen[1]["closePrice"] == 10.00
    todays = [(c["open"], c["high"], c["low"], c["close"], c["volume"]) for c in candles[-2:]]
    assert todays == [(10.1, 10.2, 10.1, 10.2, 200), (10.15, 10.15, 10.15, 10.15, 70)]


def test_the_stream_plays_the_same_rows_and_its_bars_are_made_of_them(path: Path) -> None:
    market, clock = market_of(path)
    streamer = Streamer(OneToken(), market, clock, market_sources(market, 3.0))
    client = Client(streamer)
    client.log_in()
    client.ask("LEVELONE_EQUITIES", "SUBS", keys="TICK", fields="0,1,2,3,4,5,8,9")
    client.ask("CHART_EQUITY", "SUBS", keys="TICK", fields="0,1,2,3,4,5,6,7,8")
    told: dict[str, Any] = {}
    bars = []
    for _ in range(200):
        clock.advance(seconds=1)
        streamer.pump()
        for frame in client.frames():
            for part in frame.get("data", ()):
                for item in part["content"]:
                    if part["service"] == "CHART_EQUITY":
                        bars.append([item[number] for number in "23456"])
                    else:
                        told.update(item)
    assert bars == [[10.1, 10.2, 10.1, 10.2, 200], [10.15, 10.15, 10.15, 10.15, 70]]
    assert [told[number] for number in "123458"] == [10.05, 10.15, 10.05, 600, 80, 300]


def test_orders_meet_the_recorded_bids_and_offers_with_their_sizes(path: Path) -> None:
    market, clock = market_of(path)
    simulator = SchwabSimulator(market, clock=clock)
    desk = simulator.orders
    account = next(iter(desk.accounts.values()))
    clock.advance(seconds=2)
    # 200 are offered at 10.10; the rest finds 80 more at 10.15 at 14:31:20, and no more.
    first = desk.place(account, order("10.15", 300))
    clock.advance(seconds=120)
    desk.catch_up()
    live = desk.live(account, first)
    assert live is not None
    fills = [(fill.quantity, fill.prices[0], fill.ns - OPEN_NS) for fill in live.fills]
    assert fills == [
        (200, Decimal("10.1"), 2_000_000_000),
        (80, Decimal("10.15"), 80_000_000_000),
    ]
    assert live.remaining == 20


def test_two_runs_of_one_seed_write_the_same_ledger() -> None:
    def ledger(seed: int) -> str:
        clock = VirtualClock(0)
        market = ReplayMarket.from_bokeh(from_open=True, seed=seed, clock=clock)
        streamer = Streamer(OneToken(), market, clock, market_sources(market, 3.0))
        client = Client(streamer)
        client.log_in()
        client.ask("LEVELONE_EQUITIES", "SUBS", keys="AAPL,IBM", fields="0,1,2,3,8")
        client.ask("CHART_EQUITY", "SUBS", keys="AAPL", fields="0,1,2,3,4,5,6,7,8")
        client.ask("NASDAQ_BOOK", "SUBS", keys="AAPL", fields="0,1,2,3")
        digest = hashlib.sha256()
        for second in range(130):
            if second == 70:
                streamer.drop_interval(5)
            clock.advance(seconds=1)
            streamer.pump()
            for text in client.texts():
                digest.update(text.encode())
        digest.update(json.dumps(streamer.ledger.as_json(), sort_keys=True).encode())
        return digest.hexdigest()

    assert ledger(1) == ledger(1) != ledger(2)
