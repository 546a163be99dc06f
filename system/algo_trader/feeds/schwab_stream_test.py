"""Judge what the feed makes of keys past a service's limit, whose quotes are asked for."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.events import Polled, Refused
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.subscriptions import Change
from system.algo_trader.feeds.live import Channel, FeedEvent, StatusEvent, TickEvent
from system.algo_trader.feeds.schwab_stream import SchwabStreamFeed
from system.algo_trader.market.source import Source

MS = 1_000_000
EQUITIES = Service.LEVELONE_EQUITIES
SYMBOLS = ["AAPL", "MSFT", "IBM"]


class Streamer:
    """A stream with room for one key a service; the others of level one are polled."""

    def __init__(self) -> None:
        self.events = EventQueue()
        self.is_connected = True
        self._polled: dict[Service, tuple[str, ...]] = {}

    def polled_keys(self, service: Service) -> tuple[str, ...]:
        return self._polled.get(service, ())

    async def subscribe(self, service: Service, keys: list[str]) -> Change:
        excess = tuple(keys[1:])
        if service is EQUITIES:
            self._polled[service] = excess
        self.events.put(Refused(service, excess, None, "no room"))
        return Change(service, "SUBS", tuple(keys[:1]), excess=excess)  # type: ignore[arg-type]


def played(*events: Any) -> tuple[list[str], list[FeedEvent]]:
    """Subscribe, let events come, and return the complaints and what the feed tells."""

    async def work() -> tuple[list[str], list[FeedEvent]]:
        streamer = Streamer()
        feed = SchwabStreamFeed(streamer, Source.SCHWAB_SIM, date(2026, 11, 24))  # type: ignore[arg-type]
        instruments = feed.resolve(SYMBOLS)
        complaints = await feed.subscribe(instruments, [Channel.TICKS, Channel.BARS])
        coming, told = aiter(feed.events()), []
        for event in events:
            streamer.events.put(event)
            told.append(await anext(coming))
        streamer.events.close()
        return complaints, told + [event async for event in coming]

    return asyncio.run(work())


def test_each_service_without_room_is_one_sentence() -> None:
    complaints, told = played()
    assert complaints == [
        "2 keys past the 500 of LEVELONE_EQUITIES are asked for by REST instead, such as MSFT, IBM",
        "2 keys past the 500 of CHART_EQUITY are not streamed; their bars are built from ticks, "
        "such as MSFT, IBM",
    ]
    assert told == []


def test_what_was_asked_for_comes_as_ticks_that_say_so() -> None:
    image = {
        "bid_price": 10.0, "ask_price": 10.2, "bid_size": 3, "ask_size": 4, "last_price": 10.1,
        "last_size": 5, "total_volume": 100, "quote_time": 7_000, "trade_time": 6_000,
    }  # fmt: skip
    later = {**image, "last_price": 10.2, "total_volume": 130, "trade_time": 8_000}
    _, (first, second) = played(
        Polled(EQUITIES, 0, 9_000 * MS, {"IBM": image}),
        Polled(EQUITIES, 0, 9_500 * MS, {"IBM": later}),
    )
    assert isinstance(first, TickEvent)
    assert isinstance(second, TickEvent)
    assert (first.label, first.is_polled) == ("LEVELONE_EQUITIES_POLLED", True)
    assert first.ticks.symbol.tolist() == [2]
    assert (first.ticks.bid[0], first.ticks.ts_quote[0], bool(first.ticks.is_trade[0])) == (
        10.0, 7_000 * MS, False
    )  # fmt: skip
    # The stock traded thirty more between the two questions, the last of them at 10.2.
    assert (second.ticks.volume[0], second.ticks.last[0], second.ticks.ts_trade[0]) == (
        30, 10.2, 8_000 * MS
    )  # fmt: skip
    assert second.ticks.order.tolist() == [1]


def test_a_key_that_rest_does_not_know_is_news() -> None:
    _, [told] = played(Refused(EQUITIES, ("IBM",), None, "Schwab does not know them"))
    assert isinstance(told, StatusEvent)
    assert (told.refused, told.words) == (
        ("IBM",), "LEVELONE_EQUITIES refuses 1 keys: Schwab does not know them"
    )  # fmt: skip
