"""Plain `docker compose up -d grafana`, without any .env, with a real engine and compose.

The images are stand-ins under the real names: our embedded server for InfluxDB, our reading of
the API for Grafana. What is shown is that the compose file starts, in the right order, what
belongs together, on loopback only, and that an empty store has its tables.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from infrastructure.simulators.docker_engine import TemporaryDockerEngine
from infrastructure.simulators.grafana.image import (
    INFLUXDB_PACKAGES,
    PACKAGES,
    import_influxdb,
    import_stand_in,
    write_override,
)
from system.algo_trader.clients.grafana_client import AlgoTraderGrafanaClient, Stored
from system.algo_trader.grafana.dashboards import FOLDER
from system.algo_trader.storage.tables import TABLES

ROOT = FOLDER.parents[2]


def free_ports() -> tuple[int, int]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        return int(one.getsockname()[1]), int(other.getsockname()[1])


GRAFANA_PORT, INFLUXDB_PORT = free_ports()


def tag(name: str) -> str:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return str(re.findall(rf"image: ({name}:\S+)", text)[0])


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with TemporaryDockerEngine() as engine:
        import_stand_in(engine, tag("grafana/grafana"))
        import_influxdb(engine, tag("influxdb"))
        override = folder / "override.yml"
        packages = {
            "grafana": PACKAGES,
            "influxdb3": INFLUXDB_PACKAGES,
            "influxdb3-tables": ("infrastructure",),
        }
        write_override(override, packages)
        known = ("PATH", "DOCKER_HOST", "DOCKER_CONFIG")
        yield {
            **{name: engine.environment[name] for name in known},
            "HOME": str(folder),
            "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}:{override}",
            "COMPOSE_PROJECT_NAME": f"at{os.getpid()}",
            "GRAFANA_PORT": str(GRAFANA_PORT),
            "INFLUXDB3_PORT": str(INFLUXDB_PORT),
        }
    shutil.rmtree(folder)


def compose(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        ["docker", "compose", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def client(environment: dict[str, str]) -> Iterator[AlgoTraderGrafanaClient]:
    compose(environment, "up", "-d", "grafana")
    client = AlgoTraderGrafanaClient(f"http://127.0.0.1:{GRAFANA_PORT}")
    client.wait_until_ready(60)
    yield client
    compose(environment, "down", "-v", "-t", "1")


def test_the_store_is_started_with_grafana_and_redis_is_not(
    environment: dict[str, str], client: AlgoTraderGrafanaClient
) -> None:
    running = compose(environment, "ps", "--services").split()
    assert sorted(running) == ["grafana", "influxdb3"]


def test_both_datasources_reach_the_store_by_its_service_name(
    client: AlgoTraderGrafanaClient,
) -> None:
    assert client.check_datasources() == {"algo-influxdb3": "OK", "algo-influxdb3-sim": "OK"}


def test_an_empty_store_has_its_tables_and_no_rows(
    environment: dict[str, str], client: AlgoTraderGrafanaClient
) -> None:
    log = compose(environment, "logs", "--no-color", "influxdb3-tables")
    assert log.count("database created") == 2
    assert log.count("table created") == 2 * len(TABLES)
    for uid in ("algo-influxdb3", "algo-influxdb3-sim"):
        assert client.query_rows("SELECT * FROM candles LIMIT 1", uid) == []
        assert client.query_rows("SELECT * FROM pipeline_metrics LIMIT 1", uid) == []
    assert client.stored("live") == Stored("live", ())


def test_rows_that_are_written_through_the_published_port_are_seen(
    client: AlgoTraderGrafanaClient,
) -> None:
    line = "candles,symbol=AAPL,timeframe=1d,session=rth,source=schwab close=1.5 1362027600"
    requests.post(
        f"http://127.0.0.1:{INFLUXDB_PORT}/api/v3/write_lp",
        params={"db": "algo_trader", "precision": "second"},
        data=line.encode(),
        timeout=30,
    ).raise_for_status()
    assert client.stored("live").bars == 1


def test_the_ports_are_published_on_loopback_only(client: AlgoTraderGrafanaClient) -> None:
    listening = Path("/proc/net/tcp").read_text(encoding="utf-8")
    for port in (GRAFANA_PORT, INFLUXDB_PORT):
        assert re.findall(rf"(\w{{8}}):{port:04X} 00000000:0000 0A", listening) == ["0100007F"]


def test_the_admin_password_was_made(
    environment: dict[str, str], client: AlgoTraderGrafanaClient
) -> None:
    password = compose(
        environment, "exec", "-T", "grafana", "cat", "/var/lib/grafana/admin-password"
    )
    url = f"{client.url}/api/datasources"
    assert requests.get(url, auth=("admin", password), timeout=10).status_code == 200
    assert requests.get(url, auth=("admin", "admin"), timeout=10).status_code == 401


def test_coming_up_again_changes_nothing(
    environment: dict[str, str], client: AlgoTraderGrafanaClient
) -> None:
    before = compose(environment, "ps", "-q")
    compose(environment, "up", "-d", "grafana")
    assert compose(environment, "ps", "-q") == before
    client.wait_until_ready(60)
    assert client.stored("live").bars == 1
