"""The store that `grafana start` keeps, with the embedded InfluxDB and no Docker."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.clients.influxdb_client import BaseInfluxDBClient
from infrastructure.errors import StackError
from infrastructure.supervision import Supervisor
from system.algo_trader.clients.grafana_store import keep_store
from system.algo_trader.settings import load
from system.algo_trader.storage.tables import TABLES


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    home = tempfile.mkdtemp(prefix="at-")
    yield {"ALGO_TRADER_HOME": home, "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"}
    Supervisor(Path(home) / "services").stop("influxdb")
    shutil.rmtree(home)


def test_the_store_is_started_kept_and_has_both_realms_tables(
    environment: dict[str, str],
) -> None:
    settings = load({}, environment=environment)
    store = keep_store(settings)
    assert store.is_local
    status = Supervisor(settings.home / "services").status("influxdb")
    assert status.endpoint is not None
    assert status.endpoint.url == store.url
    assert status.keeper_pid is not None
    for database in ("algo_trader", "algo_trader_sim"):
        with BaseInfluxDBClient(store.url, database, token=store.token) as client:
            assert {table.name for table in TABLES} <= set(client.list_tables())
    assert keep_store(settings) == store


def test_a_named_store_that_is_down_is_not_replaced(environment: dict[str, str]) -> None:
    settings = load({}, environment={**environment, "INFLUXDB3_HOST_URL": "http://127.0.0.1:1"})
    with pytest.raises(StackError, match=r"127\.0\.0\.1:1"):
        keep_store(settings)
    assert Supervisor(settings.home / "services").status("influxdb").endpoint is None
