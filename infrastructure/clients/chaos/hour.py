"""Play one hour: the market, the weather, the stream, its user, and REST traffic beside them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator
from typing import Final

import requests

from infrastructure.clients.chaos.clocks import (
    NS_PER_S,
    EndingSource,
    MarketClock,
    Pump,
    PumpedClock,
)
from infrastructure.clients.chaos.orders import OrderTraffic
from infrastructure.clients.chaos.record import Record
from infrastructure.clients.chaos.user import WANTED, User
from infrastructure.clients.chaos.verdict import complaints
from infrastructure.clients.chaos.weather import FAULTS, Squall, forecast
from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.errors import OperatorError, RetryableError, StackError
from infrastructure.schwab.oauth.client import OAuthClient
from infrastructure.schwab.oauth.tokens import TokenSet
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.details import streamer_info
from infrastructure.schwab.streamer.intake import Intake
from infrastructure.schwab.streamer.policy import StreamCounts
from infrastructure.schwab.streamer.socket import Patience
from infrastructure.schwab.streamer.streamer import SchwabStreamer, StreamPolicy
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.grants import Lifetimes
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.room import StreamOptions, market_sources
from infrastructure.simulators.schwab.streamer.sources import Source

SPEED: Final = 300.0
STEP_S: Final = 3.0
HOUR_S: Final = 3_600.0
# From here on nothing more goes wrong, so that a bar comes after the last one that was withheld.
CALM_S: Final = 3_360.0
# Real seconds; a run that has not settled so long after its hour has failed.
SETTLED_WITHIN_S: Final = 20.0
POLICY: Final = StreamPolicy(
    Patience(3.0, 1.0, 1.0),
    reply_s=3.0,
    first_wait_s=0.02,
    longest_wait_s=0.2,
    queue_limit=500_000,
    compiled_after=None,
)
_LOOK_S: Final = 6.0
_QUOTED_S: Final = 12.0
_TRADED_S: Final = 45.0
_EARLY_NS: Final = 60 * NS_PER_S


class ChaosFailed(AssertionError):
    """An hour ended with complaints; the text names its seed."""


class Tokens:
    """Hold a sign-in and refresh it for whoever asks.

    Args:
        oauth: Refreshes.
        tokens: The sign-in.
        clock: Tells when they end.
    """

    def __init__(self, oauth: OAuthClient, tokens: TokenSet, clock: Clock) -> None:
        self._oauth = oauth
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()

    def access(self, forced: bool) -> Secret:
        """Return an access token, a new one after a refusal or shortly before its end."""
        with self._lock:
            if forced or self._tokens.expires_at_ns - self._clock.now_ns() < _EARLY_NS:
                self._tokens = self._oauth.refresh(self._tokens)
            return self._tokens.access_token


class Hour:
    """One run.

    Args:
        seed: Of the weather, the user and the market; odd ones read with compiled kernels.
        simulator: Started.
        client: Signed in.
        tokens: Its sign-in.
        clock: The market's.
    """

    def __init__(
        self,
        seed: int,
        simulator: SchwabSimulator,
        client: SchwabClient,
        tokens: Tokens,
        clock: MarketClock,
    ) -> None:
        self.seed = seed
        self.simulator = simulator
        self.client = client
        self.clock = clock
        self.tokens = tokens
        self.record = Record()
        self.stream = self.another_stream()
        self.user = User(self.stream, random.Random(seed))
        self.done: list[Squall] = []
        self.evictions = 0
        self.answered = 0
        self._start_ns = clock.monotonic_ns()
        self._over = threading.Event()

    def another_stream(self) -> SchwabStreamer:
        """Return a stream of the same user."""
        return SchwabStreamer(
            lambda: streamer_info(self.client.user_preference()),
            self.tokens.access,
            clock=self.clock,
            policy=POLICY,
        )

    async def play(self) -> None:
        """Run the hour and let it settle.

        Raises:
            ChaosFailed: If something that must hold does not.
        """
        account = await asyncio.to_thread(lambda: self.client.account_numbers()[0].hash_value)
        self.orders = OrderTraffic(self.client, account)
        if self.seed % 2:
            # Both ways of reading level one are judged, one in every second seed.
            await self.stream.warm_up()
        reading = asyncio.create_task(self._read())
        running = self._running = asyncio.create_task(self._stay())
        asking = asyncio.create_task(asyncio.to_thread(self._ask))
        trading = asyncio.create_task(asyncio.to_thread(self._trade))
        try:
            await self._begin()
            for squall in forecast(self.seed):
                await self._until_s(squall.at_s)
                await self._happen(squall)
            await self._until_s(CALM_S)
            self._clear()
            await self._until_s(HOUR_S)
            self._over.set()
            await asyncio.gather(asking, trading)
            await self._settle()
        finally:
            self._over.set()
            self._clear()
            await self.stream.stop()
            reading.cancel()
            await asyncio.gather(running, reading, asking, trading, return_exceptions=True)

    async def _begin(self) -> None:
        """Subscribe to everything and hear of it once, so that nothing is missed unheard."""
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while not self.stream.is_connected:
                await self._pause()
            for service, keys in WANTED.items():
                with contextlib.suppress(RetryableError):
                    await self.stream.subscribe(service, keys)
            while not all(self.record.session_of(service) for service in WANTED):
                await self._pause()

    async def _happen(self, squall: Squall) -> None:
        chance = random.Random(squall.seed)
        self.simulator.faults.latency_s, self.simulator.faults.maintenance = 0.0, "none"
        if squall.name in FAULTS:
            FAULTS[squall.name](self.simulator, chance)
        elif squall.name == "second sign-in":
            await self._evict()
        else:
            await self.user.change(squall.name)
        self.done.append(squall)

    async def _evict(self) -> None:
        """Let another stream of the same user sign in, and leave again."""
        other = self.another_stream()
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while not self.stream.is_connected:
                await self._pause()
        evictions = self.evictions
        running = asyncio.create_task(other.run())
        try:
            async with asyncio.timeout(SETTLED_WITHIN_S):
                while self.evictions == evictions and not running.done():
                    await self._pause()
        finally:
            await other.stop()
            await asyncio.gather(running, return_exceptions=True)

    async def _stay(self) -> None:
        """Start the stream again whenever another one has taken its place."""
        while True:
            try:
                await self.stream.run()
                return
            except OperatorError:
                self.evictions += 1

    async def _read(self) -> None:
        while True:
            event = await self.stream.events.get()
            if event is None:
                await self._pause()
            else:
                self.record.take(event)

    async def _settle(self) -> None:
        found: list[str] = ["nothing was looked at"]
        try:
            async with asyncio.timeout(SETTLED_WITHIN_S):
                while found:
                    await self._pause()
                    found = complaints(self.simulator.streamer, self.stream, self.record)
                    found += self.orders.complaints(self.simulator.orders)
        except TimeoutError:
            told = "\n  ".join(found)
            raise ChaosFailed(f"seed {self.seed}:\n  {told}") from None

    def _ask(self) -> None:
        """Ask for quotes and orders all the time; what fails in bad weather fails."""
        while not self._over.is_set():
            try:
                self.client.quotes(["AAPL", "IBM"])
                self.client.orders(self.orders.account)
                self.answered += 1
            except StackError:
                pass
            self.clock.sleep(_QUOTED_S)

    def _trade(self) -> None:
        chance = random.Random(self.seed)
        while not self._over.is_set():
            self.orders.step(chance)
            self.clock.sleep(_TRADED_S)

    def _clear(self) -> None:
        self.simulator.streamer.faults.clear()
        self.simulator.faults.clear()

    async def _until_s(self, seconds: float) -> None:
        passed_s = (self.clock.monotonic_ns() - self._start_ns) / NS_PER_S
        await asyncio.to_thread(self.clock.sleep, seconds - passed_s)

    async def _pause(self) -> None:
        if self._running.done():
            raise ChaosFailed(f"seed {self.seed}: the stream ended") from self._running.exception()
        await asyncio.to_thread(self.clock.sleep, _LOOK_S)


def play_hour(seed: int) -> Hour:
    """Play the hour of a seed and return it.

    Raises:
        ChaosFailed: If something that must hold does not.
    """
    # Compiled before the clock runs, for that takes longer than the hour.
    asyncio.run(Intake(EventQueue(), StreamCounts(), None).load())
    scaled = PumpedClock(SPEED, STEP_S)
    market = ReplayMarket.from_bokeh(from_open=True, seed=seed, clock=scaled)
    end_ns = market.now_ns + round(HOUR_S * NS_PER_S)
    ending = [EndingSource(source, end_ns) for source in market_sources(market, 3.0)]
    sources: list[Source] = [*ending, Pump(scaled)]
    stream = StreamOptions(sources=sources, clock=SystemClock())
    # A code lives 30 seconds of the simulator's clock, which is a moment here.
    lifetimes = Lifetimes(code_s=HOUR_S)
    with SchwabSimulator(market, clock=scaled, stream=stream, lifetimes=lifetimes) as simulator:
        return asyncio.run(_play(seed, simulator, scaled))


async def _play(seed: int, simulator: SchwabSimulator, scaled: Clock) -> Hour:
    async with _signed_in(simulator, scaled) as (client, tokens):
        hour = Hour(seed, simulator, client, tokens, MarketClock(simulator.market, scaled))
        await hour.play()
        return hour


@contextlib.asynccontextmanager
async def _signed_in(
    simulator: SchwabSimulator, clock: Clock
) -> AsyncIterator[tuple[SchwabClient, Tokens]]:
    app = simulator.app
    with requests.Session() as session:
        session.trust_env = False
        oauth = OAuthClient(
            simulator.base_url,
            Secret(app.key),
            Secret(app.secret),
            app.callback_url,
            session,
            clock,
            True,
        )
        request = oauth.begin()
        signed_in = await asyncio.to_thread(
            lambda: oauth.finish(request, approve(request.url, session))
        )
        tokens = Tokens(oauth, signed_in, clock)
        market_clock = MarketClock(simulator.market, clock)
        yield (
            SchwabClient(
                simulator.base_url,
                tokens.access,
                session=session,
                clock=market_clock,
                timeout_s=1.0,
            ),
            tokens,
        )
