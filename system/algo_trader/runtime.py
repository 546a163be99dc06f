"""Wire one run together: realm, services, sign-in, archive, clients. Parts start when asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import ConfigError, UsageError
from system.algo_trader.realm import Realm
from system.algo_trader.settings import AppSettings

if TYPE_CHECKING:
    import requests

    from infrastructure.schwab.budget import Budget
    from infrastructure.schwab.oauth.application import SchwabApplication
    from infrastructure.simulators.schwab.simulator import SchwabSimulator
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
    from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
    from system.algo_trader.feeds.schwab_history import SchwabHistoryFeed
    from system.algo_trader.market.timeframe import Timeframe
    from system.algo_trader.schwab_handler import SchwabHandler
    from system.algo_trader.services import Services
    from system.algo_trader.sign_in import SignInStatus
    from system.algo_trader.storage.archive import Archive

NOWHERE = "http://127.0.0.1:9"
"""The base URL of a handler that only reads what is stored; nothing is ever sent there."""
BURST = 5
"""The most requests at once of a run that takes only a part of the budget."""
SIMULATED_HEADER = "X-Simulated"
"""The header that every answer of a simulator carries; the real Schwab has none like it."""


def choose_realm(settings: AppSettings, *, sim: bool, live: bool) -> Realm:
    """Return the realm of a run.

    Credentials mean the real Schwab unless the simulator is asked for. A failed sign-in never
    comes back here.

    Raises:
        UsageError: If both are asked for.
        ConfigError: If the real Schwab is asked for without credentials, or half of them is set.
    """
    if sim and live:
        raise UsageError("--sim and --live exclude each other", next_step="Choose one of them.")
    if sim:
        return Realm.sim(settings.home)
    if settings.has_credentials:
        return Realm.live(settings.home)
    if live:
        raise ConfigError(
            "--live needs SCHWAB_API_KEY and SCHWAB_SECRET, and neither is set",
            next_step="Set both, or leave --live out to use the local simulator.",
        )
    return Realm.sim(settings.home)


class Runtime:
    """Hold the parts of one run and end those that it started.

    Args:
        settings: The settled settings.
        sim: Whether the simulator was asked for.
        live: Whether the real Schwab was asked for.
        replay: Bars for the simulator to replay; the built-in market when None.
        market_speed: The simulator's market begins its last day and runs so many times as fast
            as time; it stands still after its close when None.
        clock: Tells the time of day of this machine.
        prompt: Asks a person for one line at a sign-in; the terminal when None.
        announce: Shows a person one text at a sign-in; standard output when None.
        requests_per_minute: The most that this run takes of the budget that all share, 2 or more;
            None for all that is left.

    Raises:
        StackError: As `choose_realm`.
    """

    def __init__(
        self,
        settings: AppSettings,
        *,
        sim: bool = False,
        live: bool = False,
        replay: Path | None = None,
        market_speed: float | None = None,
        clock: Clock | None = None,
        prompt: Callable[[str], str] | None = None,
        announce: Callable[[str], None] | None = None,
        requests_per_minute: int | None = None,
    ) -> None:
        self.settings = settings
        self._requests_per_minute = requests_per_minute
        self._prompt = prompt
        self._announce = announce
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.realm = choose_realm(settings, sim=sim or replay is not None, live=live)
        self._replay = replay
        self._market_speed = market_speed
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what this run started, the latest first."""
        self._stack.close()

    @cached_property
    def simulator(self) -> SchwabSimulator | None:
        """The local Schwab of a simulated run, started; None in a live one."""
        if not self.realm.is_simulated:
            return None
        from infrastructure.simulators.schwab.clock_speed import PacedClock
        from infrastructure.simulators.schwab.market import ReplayMarket
        from infrastructure.simulators.schwab.simulator import SchwabSimulator

        running: dict[str, Any] = {}
        if self._market_speed is not None:
            running = {"from_open": True, "clock": PacedClock(self._market_speed)}
        market = (
            ReplayMarket.from_bokeh(**running)
            if self._replay is None
            else ReplayMarket.from_file(self._replay, symbol=self._only_symbol(), **running)
        )
        folder = self.realm.simulator_folder
        simulator = SchwabSimulator(
            market, state_file=folder / "grants.json", accounts_folder=folder
        )
        return self._stack.enter_context(simulator)

    def _only_symbol(self) -> str | None:
        """The symbol of a replayed file without such a column, where settings name just one."""
        symbols = self.settings.symbols or ()
        return symbols[0] if len(symbols) == 1 else None

    def market_now_ns(self) -> int:
        """Return the market's time: the replay's in a simulated run, else the machine's."""
        simulator = self.simulator
        return self.clock.now_ns() if simulator is None else simulator.market.now_ns

    @cached_property
    def services(self) -> Services:
        """Redis and InfluxDB: named, found or embedded."""
        from system.algo_trader.services import Services

        return self._stack.enter_context(Services(self.settings, self.realm))

    @cached_property
    def redis(self) -> AlgoTraderRedisClient:
        """This system's Redis client."""
        from system.algo_trader.clients.redis_client import AlgoTraderRedisClient

        client = AlgoTraderRedisClient(self.services.redis_url(), self.realm, clock=self.clock)
        return self._stack.enter_context(client)

    @property
    def opened_redis(self) -> AlgoTraderRedisClient | None:
        """The Redis client if this run has asked for it already; nothing is started."""
        return self.__dict__.get("redis")

    @cached_property
    def influxdb(self) -> AlgoTraderInfluxDBClient:
        """This system's InfluxDB client."""
        from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient

        client = AlgoTraderInfluxDBClient(
            self.services.influxdb_url(),
            self.realm,
            self.services.influxdb_token(),
            clock=self.clock,
        )
        self._stack.enter_context(client)
        self._send_what_waits(client)
        return client

    def _send_what_waits(self, client: AlgoTraderInfluxDBClient) -> None:
        """Send what earlier commands left in the spool, and note it."""
        waiting = client.waiting().points
        if waiting:
            client.ensure_tables()
            left = client.deliver_waiting().points
            sent = max(0, waiting - left)
            self.services.notices.append(
                f"{sent:,} of {waiting:,} points that waited in the spool are in InfluxDB now"
            )

    @cached_property
    def archive(self) -> Archive:
        """The archive of this realm."""
        from system.algo_trader.storage.archive import Archive

        return Archive(self.realm.archive_root / "archive", clock=self.clock)

    @cached_property
    def budget(self) -> Budget | None:
        """Requests to Schwab: shared by all processes; without bounds at the simulator."""
        from infrastructure.clients.schwab_client_budget import SharedBudget
        from infrastructure.schwab.budget import PartOfBudget, Rate

        whole = None if self.realm.is_simulated else SharedBudget(self.redis, self.clock)
        most = self._requests_per_minute
        if most is None:
            return whole
        return PartOfBudget(Rate(most, min(BURST, most - 1)), whole, self.clock)

    @cached_property
    def handler(self) -> SchwabHandler:
        """The keeper of the sign-in; in a simulated run it signs in by itself."""
        from infrastructure.clients.schwab_client_budget import SharedOrderCount
        from system.algo_trader.schwab_handler import SchwabHandler

        simulator = self.simulator
        if simulator is None:
            handler = SchwabHandler(
                self.settings,
                self.realm,
                self.redis,
                session=self._stack.enter_context(real_session(self.settings.schwab_base_url)),
                prompt=self._prompt,
                announce=self._announce,
                clock=self.clock,
                budget=self.budget,
                order_count=SharedOrderCount(self.redis),
            )
        else:
            handler = SchwabHandler(
                self.settings,
                self.realm,
                self.redis,
                application=_simulated_application(simulator.app.callback_urls[0]),
                base_url=simulator.base_url,
                consent=self._consent,
                clock=self.clock,
                budget=self.budget,
            )
        return self._stack.enter_context(handler)

    def stored_sign_in(self) -> SignInStatus:
        """Return how the stored sign-in stands; no server is started or asked.

        Raises:
            OperatorError: If its file cannot be read.
        """
        from system.algo_trader.schwab_handler import SchwabHandler

        application = _simulated_application() if self.realm.is_simulated else None
        with SchwabHandler(
            self.settings, self.realm, application=application, base_url=NOWHERE
        ) as handler:
            return handler.status()

    @cached_property
    def feed(self) -> SchwabHistoryFeed:
        """Schwab's price history, signed in."""
        from system.algo_trader.feeds.schwab_history import SchwabHistoryFeed

        return SchwabHistoryFeed(
            self.handler.client(),
            realm=self.realm,
            is_synthetic=self._is_synthetic if self.realm.is_simulated else None,
            clock=self.clock,
        )

    def _is_synthetic(self, symbol: str, timeframe: Timeframe) -> bool:
        simulator = self.simulator
        return simulator is not None and simulator.market.is_synthetic(str(timeframe), symbol)

    def _consent(self, authorize_url: str) -> str:
        import requests

        from infrastructure.simulators.schwab.consent import approve

        with requests.Session() as session:
            session.trust_env = False
            return approve(authorize_url, session)


def real_session(base_url: str) -> requests.Session:
    """Return a session that refuses the answers of a simulator: they are never stored as real.

    Args:
        base_url: Scheme and authority of the API.
    """
    from infrastructure.schwab.transport import new_session

    session = new_session(base_url)
    session.hooks["response"].append(_refuse_simulated)
    return session


def _refuse_simulated(answer: requests.Response, **_: object) -> None:
    if SIMULATED_HEADER in answer.headers:
        raise ConfigError(
            f"{answer.url.split('?')[0]} is answered by a simulator, and this run stores real data",
            next_step="Unset SCHWAB_BASE_URL, or run with --sim, which keeps its data apart.",
        )


def _simulated_application(callback_url: str | None = None) -> SchwabApplication:
    from infrastructure.config import Secret
    from infrastructure.schwab.oauth.application import SchwabApplication
    from infrastructure.simulators.schwab.app_registration import (
        DEFAULT_CALLBACK_URL,
        SIMULATED_APP_KEY,
        SIMULATED_APP_SECRET,
    )

    return SchwabApplication(
        Secret(SIMULATED_APP_KEY),
        Secret(SIMULATED_APP_SECRET),
        callback_url or DEFAULT_CALLBACK_URL,
        True,
    )
