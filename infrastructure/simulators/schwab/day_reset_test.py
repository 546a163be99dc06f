"""A session's morning: what quotes and the streamer forget of the day before, and when."""

from __future__ import annotations

from datetime import date

import pytest
from bokeh_sampledata import stocks

from infrastructure.clock import VirtualClock
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.snapshot import snapshot
from infrastructure.simulators.schwab.streamer.room import market_sources
from infrastructure.simulators.schwab.streamer.streamer import Streamer
from infrastructure.simulators.schwab.streamer.testing import Client, OneToken

THURSDAY, FRIDAY = date(2013, 2, 28), date(2013, 3, 1)
NEW_YORK = "America/New_York"
# Open, high, low, volume and close of the day before, by the clock of New York.
MOMENTS = [(2, 0, False, False), (3, 31, True, False), (6, 59, True, False), (7, 28, True, True)]


@pytest.mark.parametrize(("hour", "minute", "prices", "volume"), MOMENTS)
def test_quotes_and_stream_forget_yesterday_at_the_published_times(
    hour: int, minute: int, prices: bool, volume: bool
) -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(as_of=THURSDAY, clock=clock)
    streamer = Streamer(OneToken(), market, clock, market_sources(market, 3.0))
    client = Client(streamer)
    client.log_in()
    client.ask("LEVELONE_EQUITIES", "SUBS", keys="IBM", fields="0,8,10,11,12,17")
    moment = local_moment_ns(FRIDAY, hour * 3_600 + minute * 60 + 30, NEW_YORK)
    while market.now_ns < moment:
        clock.advance(seconds=min(900, (moment - market.now_ns) / 1e9))
        streamer.pump()
    state = streamer.state("LEVELONE_EQUITIES", "IBM")["LEVELONE_EQUITIES"]["IBM"]
    now = snapshot(market, "IBM")
    assert now is not None
    day = stocks.IBM["date"].index(THURSDAY.isoformat())
    recorded = {name: stocks.IBM[name][day] for name in ("open", "high", "low", "close", "volume")}
    before = recorded["close"] if prices else stocks.IBM["close"][day - 1]
    shown = [0, 0, 0] if prices else [recorded[name] for name in ("open", "high", "low")]
    assert [now.open, now.high, now.low] == [state["17"], state["10"], state["11"]] == shown
    assert now.previous_close == state["12"] == before
    assert (now.volume == 0) is volume
    assert (state["8"] < 100_000) is volume
    assert volume or now.volume == recorded["volume"]
