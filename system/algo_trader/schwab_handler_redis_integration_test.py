"""The sign-in's copy in a real Valkey: encrypted, with the access token's life, never needed."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.clock import SystemClock
from infrastructure.config import Secret
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.supervision import Handle, Supervisor
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.schwab_handler import SchwabHandler, token_store
from system.algo_trader.settings import AppSettings, load

KEY = "A" * 43 + "="


@pytest.fixture(scope="module")
def market() -> ReplayMarket:
    return ReplayMarket.from_bokeh()


@pytest.fixture
def simulator(market: ReplayMarket) -> Iterator[SchwabSimulator]:
    with SchwabSimulator(market, rotate_refresh_token=True) as running:
        yield running


@pytest.fixture
def server() -> Iterator[Handle]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with Supervisor(folder).ensure(embedded_redis_spec(folder / "redis", port=0)) as handle:
        yield handle
    shutil.rmtree(folder)


def settings_in(home: Path) -> AppSettings:
    environment = {"ALGO_TRADER_HOME": str(home), "TOKEN_ENC_KEY": KEY}
    return load(environment=environment, workspace=home)


@pytest.fixture
def redis(server: Handle, tmp_path: Path) -> Iterator[AlgoTraderRedisClient]:
    url = url_with_password(server.endpoint)
    with AlgoTraderRedisClient(url, Realm.sim(tmp_path), timeout_s=1.0) as client:
        yield client


def consent(url: str) -> str:
    with requests.Session() as session:
        return approve(url, session)


def handler_at(simulator: SchwabSimulator, home: Path, redis: Any) -> SchwabHandler:
    app = simulator.app
    return SchwabHandler(
        settings_in(home),
        Realm.sim(home),
        redis,
        application=SchwabApplication(Secret(app.key), Secret(app.secret), app.callback_url),
        base_url=simulator.base_url,
        consent=consent,
    )


def refreshes(simulator: SchwabSimulator) -> int:
    return simulator.requests.count("POST /v1/oauth/token", grant_type="refresh_token")


def test_the_copy_is_encrypted_and_ends_with_the_access_token(
    simulator: SchwabSimulator, redis: AlgoTraderRedisClient, tmp_path: Path
) -> None:
    token = handler_at(simulator, tmp_path, redis).access_token().reveal().encode()
    access, refresh = redis.load_access_token(), redis.load_refresh_token()
    assert access is not None
    assert refresh is not None
    assert token not in access + refresh
    remaining_s = redis.ttl("schwab_access_token")
    assert remaining_s is not None
    assert 1700 <= remaining_s <= 1800
    assert redis.ttl("schwab_refresh_token") is None
    assert set(redis.keys()) == {"schwab_access_token", "schwab_refresh_token"}


def test_another_machine_with_the_same_key_takes_the_refresh_from_redis(
    simulator: SchwabSimulator, redis: AlgoTraderRedisClient, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    handler_at(simulator, here, redis).sign_in()
    first = token_store(settings_in(here), Realm.sim(here)).load()
    assert first is not None
    expired = replace(first, expires_at_ns=SystemClock().now_ns())
    for home in (here, there):
        token_store(settings_in(home), Realm.sim(home)).save(expired)
    redis.delete_tokens()
    refreshed = handler_at(simulator, there, redis).access_token()
    assert handler_at(simulator, here, redis).access_token() == refreshed
    assert refreshes(simulator) == 1


def test_signing_out_takes_the_copy_away(
    simulator: SchwabSimulator, redis: AlgoTraderRedisClient, tmp_path: Path
) -> None:
    handler = handler_at(simulator, tmp_path, redis)
    handler.access_token()
    assert handler.sign_out()
    assert redis.load_access_token() is None
    assert redis.load_refresh_token() is None


def test_a_redis_that_goes_away_is_one_warning_and_no_obstacle(
    simulator: SchwabSimulator,
    server: Handle,
    redis: AlgoTraderRedisClient,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = handler_at(simulator, tmp_path, redis)
    handler.access_token()
    server.close()
    with caplog.at_level("WARNING", logger="algo_trader.storage.token_cache"):
        for _ in range(2):
            simulator.grants.end_access_tokens()
            assert len(handler.client().price_history("AAPL")) > 0
    assert refreshes(simulator) == 2
    assert [line for line in caplog.messages if "Redis" in line] == caplog.messages
    assert len(caplog.messages) == 1
