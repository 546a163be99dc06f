"""The stream's client against the local Schwab, whose ledger says what was sent and withheld."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import requests

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import SystemClock
from infrastructure.config import Secret
from infrastructure.errors import OperatorError, ProviderUnavailable
from infrastructure.schwab.account_activity import Activity, parse_activity
from infrastructure.schwab.accounts import UserPreference
from infrastructure.schwab.oauth.client import OAuthClient
from infrastructure.schwab.orders.templates import equity_market
from infrastructure.schwab.streamer.commands import Command
from infrastructure.schwab.streamer.continuity import GapReason
from infrastructure.schwab.streamer.details import streamer_info
from infrastructure.schwab.streamer.events import Connected, Disconnected
from infrastructure.schwab.streamer.services import SPECS, Delivery, Service
from infrastructure.schwab.streamer.socket import Patience
from infrastructure.schwab.streamer.state import Batch
from infrastructure.schwab.streamer.streamer import SchwabStreamer, StreamPolicy
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.pace import ScaledClock

DEADLINE_S = 40
POLICY = StreamPolicy(Patience(5.0, 2.0, 2.0), reply_s=5.0, silence_s=30.0, first_wait_s=0.02)
OPTION = "AAPL  130316C00430000"
WANTED = {
    Service.LEVELONE_EQUITIES: ("AAPL", "IBM"),
    Service.LEVELONE_OPTIONS: (OPTION,),
    Service.LEVELONE_FUTURES: ("/ES",),
    Service.LEVELONE_FUTURES_OPTIONS: ("./OZCZ23C565",),
    Service.LEVELONE_FOREX: ("EUR/USD",),
    Service.NYSE_BOOK: ("IBM",),
    Service.NASDAQ_BOOK: ("AAPL",),
    Service.OPTIONS_BOOK: (OPTION,),
    Service.CHART_EQUITY: ("AAPL",),
    Service.CHART_FUTURES: ("/ES",),
    Service.SCREENER_EQUITY: ("EQUITY_ALL_VOLUME_0",),
    Service.SCREENER_OPTION: ("OPTION_ALL_PERCENT_CHANGE_UP_5",),
    Service.ACCT_ACTIVITY: ("Account Activity",),
}


class House:
    """A simulator, a signed-in client, and what its stream told."""

    def __init__(self, simulator: SchwabSimulator, client: SchwabClient, token: Secret) -> None:
        self.simulator = simulator
        self.client = client
        self.token = token
        self.stream = self.another()
        self.events: list[Any] = []
        self.running = asyncio.create_task(self.stream.run())

    def another(self) -> SchwabStreamer:
        """Return one more stream of the same user."""
        return SchwabStreamer(
            lambda: streamer_info(self.client.user_preference()),
            lambda forced: self.token,
            policy=POLICY,
        )

    async def until(self, met: Callable[[], bool]) -> None:
        """Read events until something holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                event = await self.stream.events.get()
                assert event is not None, self.events[-5:]
                self.events.append(event)

    def seen(self, kind: type, service: Service | None = None) -> list[Any]:
        return [
            event
            for event in self.events
            if isinstance(event, kind)
            and service in (None, getattr(event, "service", None), getattr(event, "spec", None))
        ]

    def batches(self, service: Service) -> list[Batch]:
        return [one for one in self.seen(Batch) if one.spec.service is service]

    def gaps(self, reason: GapReason) -> list[Any]:
        return [one for one in self.events if getattr(one, "reason", None) is reason]

    def are_current(self, service: Service, keys: tuple[str, ...]) -> bool:
        return all(self.is_current(service, key) for key in keys)

    def has_come_back(self, times: int) -> bool:
        """Whether so many reconnections have happened, and both services were heard again."""
        gaps = len(self.gaps(GapReason.DISCONNECTED))
        return len(self.seen(Connected)) == times + 1 and gaps >= 2 * times

    def is_current(self, service: Service, key: str) -> bool:
        """Whether the merged state is what the server has, at one moment."""
        record = self.stream.state(service).latest(key)
        held = self.simulator.streamer.state(service, key)
        if record is None or not held:
            return False
        names = [field.name for field in SPECS[service].fields]
        values = held[service][key]
        return all(
            record.get(names[int(number)]) == value
            for number, value in values.items()
            if number.isdecimal() and number != "0"
        )


def played(scenario: Callable[[House], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a scenario: a market that begins its day, 60 times as fast."""

    def run() -> None:
        market = ReplayMarket.from_bokeh(from_open=True, clock=ScaledClock(SystemClock(), 60))
        with SchwabSimulator(market) as simulator:
            asyncio.run(play(simulator))

    async def play(simulator: SchwabSimulator) -> None:
        async with house_of(simulator) as house:
            await scenario(house)

    run.__name__ = run.__qualname__ = scenario.__name__
    return run


@asynccontextmanager
async def house_of(simulator: SchwabSimulator) -> AsyncIterator[House]:
    app = simulator.app
    with requests.Session() as session:
        session.trust_env = False
        oauth = OAuthClient(
            simulator.base_url,
            Secret(app.key),
            Secret(app.secret),
            app.callback_url,
            session,
            SystemClock(),
            True,
        )
        request = oauth.begin()
        tokens = await asyncio.to_thread(
            lambda: oauth.finish(request, approve(request.url, session))
        )
        client = SchwabClient(
            simulator.base_url, lambda forced: tokens.access_token, session=session
        )
        house = House(simulator, client, tokens.access_token)
        try:
            yield house
            await house.stream.stop()
            if not house.running.done():
                await house.running
        finally:
            house.running.cancel()
            await asyncio.gather(house.running, return_exceptions=True)


@played
async def test_every_service_streams_into_the_state_that_the_server_has(house: House) -> None:
    await house.until(lambda: bool(house.seen(Connected)))
    for service, keys in WANTED.items():
        await house.stream.subscribe(service, keys)
    await house.until(lambda: all(house.batches(service) for service in WANTED))
    for service, keys in WANTED.items():
        if SPECS[service].delivery is Delivery.CHANGE:
            await house.until(partial(house.are_current, service, keys))
    bars = [u for one in house.batches(Service.CHART_EQUITY) for u in one.updates]
    assert all(bar["4"] <= bar["5"] <= bar["3"] for bar in bars)
    assert house.stream.counts.bad_frames == 0


@played
async def test_a_dropped_and_a_half_open_connection_come_back_as_they_were(house: House) -> None:
    await house.stream.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"])
    await house.stream.subscribe(Service.CHART_EQUITY, ["AAPL"])
    faults = (house.simulator.streamer.drop_connections, house.simulator.streamer.half_open)
    for number, fault in enumerate(faults, 1):
        await house.until(lambda: house.is_current(Service.LEVELONE_EQUITIES, "AAPL"))
        fault()
        await house.until(partial(house.has_come_back, number))
    await house.until(lambda: house.is_current(Service.LEVELONE_EQUITIES, "AAPL"))
    services = {gap.service for gap in house.gaps(GapReason.DISCONNECTED)}
    assert services == {Service.LEVELONE_EQUITIES, Service.CHART_EQUITY}


@played
async def test_a_view_changes_the_fields_that_come_and_the_keys_stay(house: House) -> None:
    await house.until(lambda: bool(house.seen(Connected)))
    stream, quotes = house.stream, Service.LEVELONE_EQUITIES
    await stream.subscribe(quotes, ["AAPL", "IBM"], [0, 1, 2])
    await house.until(lambda: all(stream.state(quotes).latest(key) for key in ("AAPL", "IBM")))
    assert all(
        "last_price" not in (stream.state(quotes).latest(key) or {}) for key in ("AAPL", "IBM")
    )
    change = await stream.view(quotes, [0, 3, 8])
    assert (change.command, change.fields) == (Command.VIEW, (0, 3, 8))
    # What waits was sent with the fields of before.
    if len(stream.events):
        await stream.events.get_many()
    house.events.clear()
    await house.until(
        lambda: (
            {one["key"] for batch in house.batches(quotes) for one in batch.updates if "3" in one}
            == {"AAPL", "IBM"}
        )
    )
    numbers = {
        word
        for batch in house.batches(quotes)
        for one in batch.updates
        for word in one
        if word.isdecimal()
    }
    assert numbers <= {"3", "8"}
    for key in ("AAPL", "IBM"):
        assert "bid_price" not in (stream.state(quotes).latest(key) or {})
    assert stream.subscriptions[quotes].keys == ("AAPL", "IBM")
    [session] = house.simulator.streamer.sessions
    assert set(session.subscriptions[quotes]) == {"AAPL", "IBM"}
    assert stream.counts.connections == 1


@played
async def test_stopping_logs_out_and_the_server_forgets_the_stream(house: House) -> None:
    await house.stream.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"])
    await house.until(lambda: bool(house.batches(Service.LEVELONE_EQUITIES)))
    [session] = house.simulator.streamer.sessions
    await house.stream.stop()
    async with asyncio.timeout(DEADLINE_S):
        await house.running
        while house.simulator.streamer.sessions:
            await asyncio.sleep(0.01)
    # Only LOGOUT ends a session from the server's side without a fault and with nothing kept.
    assert session.closing is not None
    assert not session.subscriptions
    told = [
        event.reason
        for event in await house.stream.events.get_many()
        if isinstance(event, Disconnected)
    ]
    assert told == ["stopped"]


@played
async def test_the_holes_of_a_sequence_are_what_the_server_withheld(house: House) -> None:
    await house.stream.subscribe(Service.CHART_EQUITY, ["AAPL", "IBM"])
    await house.until(lambda: len(house.batches(Service.CHART_EQUITY)) >= 2)
    house.simulator.streamer.faults.drop_frames("CHART_EQUITY", 2)
    house.simulator.streamer.faults.duplicate_frames("CHART_EQUITY", 2)
    await house.until(lambda: bool(house.gaps(GapReason.SEQUENCE)))
    watch = house.stream.continuity(Service.CHART_EQUITY)
    await house.until(lambda: watch.duplicates > 0)
    count = len(house.batches(Service.CHART_EQUITY))
    await house.until(lambda: len(house.batches(Service.CHART_EQUITY)) > count + 2)
    withheld = sum(run.items for run in house.simulator.streamer.ledger.withheld("CHART_EQUITY"))
    assert withheld > 0
    assert sum(gap.missing for gap in house.gaps(GapReason.SEQUENCE)) == withheld
    seqs = [u["seq"] for one in house.batches(Service.CHART_EQUITY) for u in one.updates]
    assert seqs == sorted(set(seqs))


@played
async def test_what_an_unreadable_frame_changed_is_asked_for_again(house: House) -> None:
    await house.stream.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"])
    await house.until(lambda: house.is_current(Service.LEVELONE_EQUITIES, "AAPL"))
    house.simulator.streamer.faults.corrupt_frames("LEVELONE_EQUITIES")
    await house.until(lambda: bool(house.gaps(GapReason.UNREADABLE)))
    await house.until(lambda: house.is_current(Service.LEVELONE_EQUITIES, "AAPL"))
    assert house.stream.counts.bad_frames == 1
    assert len(house.seen(Connected)) == 1


@played
async def test_an_order_of_the_account_is_told_and_decoded(house: House) -> None:
    await house.stream.subscribe(Service.ACCT_ACTIVITY, ["Account Activity"])
    await house.until(lambda: bool(house.batches(Service.ACCT_ACTIVITY)))
    account = house.client.account_numbers()[0].hash_value
    order = equity_market("BUY", "AAPL", 3)
    placed = await asyncio.to_thread(house.client.place_order, account, order)

    def told() -> list[Activity]:
        items = [u for one in house.batches(Service.ACCT_ACTIVITY) for u in one.updates]
        return [parse_activity(u["1"], u["2"], u["3"]) for u in items]

    await house.until(lambda: any(one.fill is not None for one in told()))
    kinds = [one.message_type for one in told()]
    assert kinds[:3] == ["SUBSCRIBED", "OrderCreated", "OrderAccepted"]
    assert {one.order_id for one in told()[1:]} == {placed}
    fills = [one.fill for one in told() if one.fill is not None]
    assert all(fill.price > 100 and fill.time_ns for fill in fills)
    assert fills[-1].cumulative == sum(fill.quantity for fill in fills)


@played
async def test_a_second_stream_of_the_user_ends_the_first_with_the_reason(house: House) -> None:
    await house.stream.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"])
    await house.until(lambda: bool(house.batches(Service.LEVELONE_EQUITIES)))
    second = house.another()
    await second.subscribe(Service.LEVELONE_EQUITIES, ["IBM"])
    running = asyncio.create_task(second.run())
    with pytest.raises(OperatorError, match="one stream a user"):
        async with asyncio.timeout(DEADLINE_S):
            await house.running
    await second.stop()
    await running


def test_a_user_without_a_streamer_is_told() -> None:
    with pytest.raises(ProviderUnavailable, match="no streamer"):
        streamer_info(UserPreference(streamer_info=({"streamerSocketUrl": ""},)))
