"""What is past the stream's limit, polled by REST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from infrastructure.clock import SystemClock
from infrastructure.errors import NetworkError, UnknownSymbol
from infrastructure.schwab.models import Quotes, parse_quotes
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.events import Polled, Refused
from infrastructure.schwab.streamer.polling import MOST_SYMBOLS, AskQuotes, Polling
from infrastructure.schwab.streamer.services import Service

DEADLINE_S = 20
EQUITIES = Service.LEVELONE_EQUITIES


def quotes_of(*symbols: str, unknown: tuple[str, ...] = ()) -> Quotes:
    """Return quotes as Schwab's JSON tells them."""
    body: dict[str, Any] = {
        symbol: {
            "assetMainType": "EQUITY",
            "symbol": symbol,
            "realtime": True,
            "quote": {"bidPrice": 9.5, "askPrice": 9.75, "52WeekHigh": 12.0, "markChange": 0.5},
            "reference": {"description": "A company", "cusip": "000000000"},
            "regular": {"regularMarketLastPrice": 9.6},
        }
        for symbol in symbols
    }
    if unknown:
        body["errors"] = {"invalidSymbols": list(unknown)}
    return parse_quotes(body)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


async def told(
    quotes: AskQuotes, keys: tuple[str, ...], count: int, limit: int = 100
) -> tuple[Polling, list[Any]]:
    """Return the first events of a polling of these keys."""
    events = EventQueue(limit)
    polling = Polling(quotes, events, SystemClock(), 0.001)
    polling.add(EQUITIES, keys)
    task = asyncio.create_task(polling.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            return polling, [await events.get() for _ in range(count)]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_polled_quotes_are_labelled_and_bear_the_streams_names() -> None:
    async def test() -> None:
        _, [polled, again] = await told(lambda keys: quotes_of(*keys), ("Y", "Z"), 2)
        assert isinstance(polled, Polled)
        assert isinstance(again, Polled)
        assert (polled.service, polled.source) == (EQUITIES, "rest")
        assert polled.asked_ns <= polled.received_ns <= again.received_ns
        assert polled.records["Z"] == {
            "key": "Z",
            "bid_price": 9.5,
            "ask_price": 9.75,
            "high_52week": 12.0,
            "mark_net_change": 0.5,
            "description": "A company",
            "regular_market_last_price": 9.6,
        }

    run(test)


def test_more_keys_than_a_request_may_name_are_asked_for_in_several() -> None:
    asked: list[int] = []

    def quotes(keys: tuple[str, ...]) -> Quotes:
        asked.append(len(keys))
        return quotes_of(*keys)

    async def test() -> None:
        keys = tuple(f"S{number}" for number in range(MOST_SYMBOLS + 7))
        _, events = await told(quotes, keys, 2)
        seen = {key for one in events for key in one.records}
        assert seen == set(keys)
        assert asked[:2] == [MOST_SYMBOLS, 7]

    run(test)


def test_keys_that_schwab_does_not_know_are_refused_by_name_and_polled_no_more() -> None:
    async def test() -> None:
        polling, events = await told(
            lambda keys: quotes_of("A", unknown=tuple({"NOPE"} & set(keys))), ("A", "NOPE"), 2
        )
        [refused] = [one for one in events if isinstance(one, Refused)]
        assert (refused.keys, refused.code) == (("NOPE",), None)
        assert polling.keys(EQUITIES) == ("A",)

        def unknown(keys: tuple[str, ...]) -> Quotes:
            raise UnknownSymbol("Schwab does not know 'NOPE'")

        polling, [refused] = await told(unknown, ("NOPE",), 1)
        assert isinstance(refused, Refused)
        assert polling.keys(EQUITIES) == ()

    run(test)


def test_a_failed_round_is_tried_again() -> None:
    asked: list[tuple[str, ...]] = []

    def quotes(keys: tuple[str, ...]) -> Quotes:
        asked.append(keys)
        if len(asked) == 1:
            raise NetworkError("no network")
        return quotes_of(*keys)

    async def test() -> None:
        _, [polled] = await told(quotes, ("A",), 1)
        assert isinstance(polled, Polled)
        assert len(asked) >= 2

    run(test)


def test_rounds_that_nobody_reads_do_not_pile_up() -> None:
    queue = EventQueue(10)
    for number in range(5):
        records: dict[str, dict[str, Any]] = {"A": {"key": "A", "mark": number}}
        records[f"B{number % 2}"] = {"key": "B"}
        queue.put(Polled(EQUITIES, number, number, records))

    async def test() -> None:
        queue.close()
        polled = await queue.get()
        assert isinstance(polled, Polled)
        assert polled.records["A"] == {"key": "A", "mark": 4}
        assert set(polled.records) == {"A", "B0", "B1"}
        assert queue.conflated == 4 + 3
        assert await queue.get() is None

    run(test)


def test_books_and_bars_have_no_quotes_to_poll() -> None:
    polling = Polling(lambda keys: quotes_of(), EventQueue(1), SystemClock(), 1.0)
    assert polling.add(Service.NYSE_BOOK, ("IBM",)) == ()
    assert polling.add(EQUITIES, ("IBM", "MSFT")) == ("IBM", "MSFT")
    polling.remove(EQUITIES, ("IBM",))
    assert polling.keys(EQUITIES) == ("MSFT",)
    polling.remove(EQUITIES)
    assert polling.keys(EQUITIES) == ()
