"""The client at the local Schwab: what needs a whole server to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import requests

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.simulators.schwab.desk import REAL_NOW_NS, Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    market = ReplayMarket.from_bokeh(clock=VirtualClock(0))
    clock = VirtualClock(REAL_NOW_NS)
    with SchwabSimulator(market, clock=clock) as simulator, requests.Session() as session:
        yield Desk(simulator, clock, session)


@pytest.fixture(scope="module")
def client(desk: Desk) -> Iterator[SchwabClient]:
    token = Secret(desk.sign_in()["access_token"])
    market_clock = VirtualClock(desk.simulator.market.now_ns)
    with SchwabClient(desk.simulator.base_url, lambda _: token, clock=market_clock) as made:
        yield made


def test_candles_reach_as_far_as_the_simulator_keeps_minutes_and_no_further(
    client: SchwabClient,
) -> None:
    found = client.candles("AAPL", "1m", date(2012, 9, 4))
    assert found.reason is not None
    assert "about 48 days back" in found.reason
    days = sorted({each.datetime // 86_400_000 for each in found.candles})
    assert 44 <= days[-1] - days[0] <= 48
    stamps = [each.datetime for each in found.candles]
    assert stamps == sorted(set(stamps))
    recent = client.candles("AAPL", "1m", date(2013, 2, 1), date(2013, 2, 28))
    assert recent.is_complete
    assert recent.requests == 3
    assert len(recent) == 390 * 19  # sessions of that February
    short = client.price_history(
        "AAPL",
        frequency_type="minute",
        start_ms=recent.candles[-5 * 390].datetime,
        end_ms=recent.end_ns // 10**6,
        extended_hours=False,
    )
    assert recent.candles[-5 * 390 :] == short.candles


def test_daily_candles_of_a_decade_are_those_of_one_request(client: SchwabClient) -> None:
    found = client.candles("IBM", "1d", date(2001, 1, 2), date(2012, 12, 31))
    assert found.is_complete
    assert found.requests == 2
    whole = client.price_history(
        "IBM",
        frequency_type="daily",
        start_ms=found.start_ns // 10**6,
        end_ms=found.end_ns // 10**6,
    )
    assert found.candles == whole.candles
    young = client.candles("FB", "1d", date(2010, 1, 1))
    assert young.reason is not None
    assert "2012-05-18" in young.reason


def test_one_market_and_one_cusip_are_answered(client: SchwabClient) -> None:
    assert set(client.hours_of_market("option")) == {"EQO", "IND"}
    (apple,) = client.instruments("AAPL")
    assert apple.cusip is not None
    assert client.instrument(apple.cusip) == apple
