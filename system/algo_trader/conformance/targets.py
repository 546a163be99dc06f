"""The two Schwabs that can be asked: the embedded simulator, and the real one."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.schwab.budget import LocalBudget, Rate
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.pace import ScaledClock
from system.algo_trader.conformance.read_only import ReadOnlySession, read_only_session
from system.algo_trader.conformance.suite import Target
from system.algo_trader.realm import Realm
from system.algo_trader.runtime import choose_realm, real_session
from system.algo_trader.schwab_handler import SchwabHandler, application_of, token_store
from system.algo_trader.settings import AppSettings

SIMULATED_SPEED: Final = 60.0
"""A minute of the simulated market passes in a second, so that bars come."""
SIMULATED_PATIENCE_S: Final = 30.0
LIVE_PATIENCE_S: Final = 90.0
LIVE_RATE: Final = Rate(per_minute=60, burst=10)
"""Half of what Schwab allows: other programs of the user go on."""


def simulator_to_ask() -> SchwabSimulator:
    """Return a simulator, not started, whose first account has two orders and a position."""
    market = ReplayMarket.from_bokeh(
        from_open=True, clock=ScaledClock(SystemClock(), SIMULATED_SPEED)
    )
    simulator = SchwabSimulator(market)
    account = next(iter(simulator.orders.accounts.values()))
    for order in (
        _order(orderType="MARKET"),
        _order(orderType="LIMIT", price="1.00"),
    ):
        simulator.orders.place(account, order)
    return simulator


def _order(**more: Any) -> dict[str, Any]:
    leg = {
        "instruction": "BUY",
        "quantity": 10,
        "instrument": {"symbol": "AAPL", "assetType": "EQUITY"},
    }
    return {
        "session": "NORMAL",
        "duration": "DAY",
        "orderStrategyType": "SINGLE",
        "orderLegCollection": [leg],
    } | more


@contextmanager
def simulated_target(settings: AppSettings, simulator: SchwabSimulator) -> Iterator[Target]:
    """Yield a started simulator as a target, signed in twice, its tokens in a passing folder."""
    app = simulator.app
    application = SchwabApplication(Secret(app.key), Secret(app.secret), app.callback_urls[0], True)
    session = ReadOnlySession(simulator.base_url)
    session.trust_env = False
    with tempfile.TemporaryDirectory(prefix="algo-trader-conform-") as folder, session:
        realm = Realm.sim(Path(folder))
        handler = SchwabHandler(
            settings,
            realm,
            application=application,
            base_url=simulator.base_url,
            consent=_consent,
            session=session,
        )
        with handler:
            handler.sign_in()
            used = _stored_refresh_token(settings, realm)
            handler.sign_in()
            yield Target(
                "simulator",
                simulator.base_url,
                application,
                session,
                _refreshing(handler),
                lambda: simulator.market.now_ns,
                SIMULATED_PATIENCE_S,
                used_refresh_token=used,
            )


@contextmanager
def live_target(settings: AppSettings, clock: Clock) -> Iterator[Target]:
    """Yield the real Schwab as a target, by the user's stored sign-in.

    Raises:
        ConfigError: If no credentials are set.
    """
    realm = choose_realm(settings, sim=False, live=True)
    with real_session(settings.schwab_base_url) as real:
        session = read_only_session(settings.schwab_base_url, real)
        application = application_of(settings)
        with session, SchwabHandler(settings, realm, session=session, clock=clock) as handler:
            yield Target(
                "schwab",
                settings.schwab_base_url.rstrip("/"),
                application,
                session,
                _refreshing(handler),
                clock.now_ns,
                LIVE_PATIENCE_S,
                LocalBudget(clock, LIVE_RATE),
            )


def _refreshing(handler: SchwabHandler) -> Callable[[bool], Secret]:
    def access_token(force: bool) -> Secret:
        if force:
            handler.client()
            handler.refresh_ahead(math.inf)
        return handler.access_token()

    return access_token


def _stored_refresh_token(settings: AppSettings, realm: Realm) -> str | None:
    tokens = token_store(settings, realm).load()
    return None if tokens is None else tokens.refresh_token.reveal()


def _consent(authorize_url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        return approve(authorize_url, session)
