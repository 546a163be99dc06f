"""`grafana start|status|logs|restart|provision|stop` with a real Docker engine and compose.

The image is our stand-in under the real image's name (there is no registry in CI), so this shows
that the compose file, the command and the way from inside a container to the store work; it does
not show that Grafana itself accepts the dashboards.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests
from bokeh_sampledata import stocks

from infrastructure.grafana.compose import find_project_root
from infrastructure.grafana.lint import panels_of
from infrastructure.simulators.docker_engine import TemporaryDockerEngine
from infrastructure.simulators.grafana.image import PACKAGES, import_stand_in, write_override
from infrastructure.simulators.grafana.templating import interpolate
from infrastructure.supervision import Supervisor
from system.algo_trader.clients.grafana_client import SERVICES, AlgoTraderGrafanaClient
from system.algo_trader.grafana.dashboards import load_dashboards

ROOT = find_project_root(Path(__file__).resolve().parent, {})
# Settings of the person who runs the tests, which must not reach what is tested.
OURS = ("GRAFANA_", "INFLUXDB3_", "SCHWAB_", "REDIS_", "ALGO_TRADER_", "TOKEN_ENC_KEY", "OAUTH_")
DASHBOARDS = ["algo-gex", "algo-overview", "algo-pipeline", "algo-symbol"]
NEW_YORK = ZoneInfo("America/New_York")
READ_INSIDE = """
import json, os
from infrastructure.simulators.grafana.flight import query_flight
sql = (
    "SELECT substr(cast(time AS varchar), 1, 10) AS day, open, high, low, close, volume"
    " FROM candles WHERE symbol = 'AAPL' AND timeframe = '1d' ORDER BY time"
)
url, token = os.environ["ALGO_TRADER_INFLUXDB_URL"], os.environ["ALGO_TRADER_INFLUXDB_TOKEN"]
table = query_flight(url, "algo_trader_sim", token, sql, 30)
print(json.dumps(table.to_pylist()))
"""


def image_tag() -> str:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return str(re.findall(r"image: (grafana/grafana:\S+)", text)[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Stack:
    """One engine, one home, one compose project."""

    engine: TemporaryDockerEngine
    environment: dict[str, str]
    home: Path
    port: int

    def run(
        self, *words: str, module: str = "system.algo_trader.clients.grafana", **changes: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env={**self.environment, **changes},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def container(self) -> str:
        names = [f"{self.environment['COMPOSE_PROJECT_NAME']}-{name}-1" for name in SERVICES]
        found = self.engine.docker("ps", "--format", "{{.Names}}").split()
        return next(name for name in names if name in found)

    def compose(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )


@pytest.fixture(scope="module")
def engine() -> Iterator[TemporaryDockerEngine]:
    with TemporaryDockerEngine() as engine:
        import_stand_in(engine, image_tag())
        yield engine


@pytest.fixture(scope="module")
def stack(engine: TemporaryDockerEngine) -> Iterator[Stack]:
    home = Path(tempfile.mkdtemp(prefix="at-"))
    override = home / "override.yml"
    write_override(override, dict.fromkeys(SERVICES, PACKAGES))
    port = free_port()
    environment = {
        **{name: value for name, value in engine.environment.items() if not name.startswith(OURS)},
        "HOME": str(home),
        "ALGO_TRADER_HOME": str(home / "data"),
        "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off",
        "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}:{override}",
        "COMPOSE_PROJECT_NAME": f"at{os.getpid()}",
        "GRAFANA_PORT": str(port),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(place for place in sys.path if place)]),
    }
    stack = Stack(engine, environment, home / "data", port)
    yield stack
    for profile in ("host", "desktop"):
        stack.compose("--profile", profile, "down", "-v", "-t", "1")
    Supervisor(stack.home / "services").stop("influxdb")
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def started(stack: Stack) -> dict[str, str]:
    """Run the main job on the simulator, start Grafana, and return what that prints."""
    job = stack.run("--symbols", "AAPL,MSFT", module="system.algo_trader.main")
    assert job.returncode == 0, job.stderr
    done = stack.run("start", "--json")
    assert done.returncode == 0, done.stderr
    status = Supervisor(stack.home / "services").status("influxdb")
    assert status.endpoint is not None, "grafana start keeps the store"
    return dict(json.loads(done.stdout))


def test_start_prints_the_address_with_range_and_row_count(
    stack: Stack, started: dict[str, str]
) -> None:
    said = started["Algo Trader (simulated)"]
    assert re.fullmatch(
        r"\d,\d{3} bars of 2 symbols, 2000-03-01 to 2013-03-01 \(replay of 2013-03-01\)", said
    )
    assert started["Algo Trader"].startswith("no bars yet: run ")
    assert started["datasource algo-influxdb3-sim"] == "OK"
    url = urlsplit(started["candles"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == (
        f"http://localhost:{stack.port}/d/algo-symbol"
    )
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (query["var-ds"], query["var-symbol"], query["var-timeframe"]) == (
        "algo-influxdb3-sim",
        "AAPL",
        "1d",
    )
    assert datetime.fromtimestamp(int(query["to"]) / 1000, NEW_YORK).date() == date(2013, 3, 1)


def test_what_main_wrote_is_read_from_inside_the_container_through_flight_sql(
    stack: Stack, started: dict[str, str]
) -> None:
    python = os.path.realpath(sys.executable)
    said = stack.engine.docker(
        "exec", "-e", "PYTHONPATH=/opt/site", stack.container(), python, "-c", READ_INSIDE
    )
    rows = json.loads(said)
    first = stocks.AAPL["date"].index(rows[0]["day"])
    aapl = stocks.AAPL
    figures = (aapl["date"], aapl["open"], aapl["high"], aapl["low"], aapl["close"], aapl["volume"])
    names = ("day", "open", "high", "low", "close", "volume")
    real = [dict(zip(names, row, strict=True)) for row in zip(*figures, strict=True)][first:]
    assert len(rows) >= 250
    assert rows == real


def test_every_panel_finds_rows_over_the_printed_range(
    stack: Stack, started: dict[str, str]
) -> None:
    query = {
        name: values[0] for name, values in parse_qs(urlsplit(started["candles"]).query).items()
    }
    values = {name[4:]: value for name, value in query.items() if name.startswith("var-")}
    client = AlgoTraderGrafanaClient(f"http://127.0.0.1:{stack.port}")
    # The metrics carry the time at which the run took place; the run stores no option chain.
    ends = {"algo-symbol": int(query["to"]) * 1_000_000, "algo-overview": None}
    without = [
        f"{model['uid']}: {panel['title']}"
        for model in load_dashboards()
        if model["uid"] in ends
        for panel in panels_of(model)
        for target in panel["targets"]
        if not client.query_rows(
            interpolate(target["rawSql"], values),
            values["ds"],
            from_ns=int(query["from"]) * 1_000_000,
            to_ns=ends[model["uid"]],
        )
    ]
    assert without == []


def test_status_says_that_it_runs_and_reaches_the_store(
    stack: Stack, started: dict[str, str]
) -> None:
    done = stack.run("status")
    assert done.returncode == 0, done.stderr
    assert "running, version 12.4.0-standin" in done.stdout
    assert image_tag() in done.stdout
    assert "algo-influxdb3-sim  OK" in done.stdout


def test_logs_show_the_container(stack: Stack, started: dict[str, str]) -> None:
    done = stack.run("logs", "--tail", "1000")
    assert done.returncode == 0, done.stderr
    assert "stand-in Grafana" in done.stdout


def test_it_listens_on_loopback_only_and_admin_admin_is_refused(
    stack: Stack, started: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{stack.port}"
    assert requests.get(f"{url}/api/org", timeout=10).status_code == 200
    assert requests.get(f"{url}/api/org", auth=("admin", "admin"), timeout=10).status_code == 401
    assert requests.post(f"{url}/api/folders", json={"title": "x"}, timeout=10).status_code == 403
    listening = Path("/proc/net/tcp").read_text(encoding="utf-8")
    addresses = re.findall(rf"(\w{{8}}):{stack.port:04X} 00000000:0000 0A", listening)
    assert addresses == ["0100007F"]


def test_the_admin_password_was_made_and_lets_provision_read_the_files_again(
    stack: Stack, started: dict[str, str]
) -> None:
    password = stack.engine.docker(
        "exec", stack.container(), "cat", "/var/lib/grafana/admin-password"
    )
    assert len(password) >= 20
    url = f"http://127.0.0.1:{stack.port}"
    answer = requests.get(f"{url}/api/datasources", auth=("admin", password), timeout=10)
    assert answer.status_code == 200
    done = stack.run("provision", "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == DASHBOARDS


def test_the_containers_health_check_turns_healthy(stack: Stack, started: dict[str, str]) -> None:
    done = stack.compose("--profile", "host", "up", "-d", "--wait", "--no-deps", "--no-recreate",
                         "grafana-host")  # fmt: skip
    assert done.returncode == 0, done.stderr
    health = stack.engine.docker(
        "inspect", "-f", "{{.State.Health.Status}}", stack.container()
    ).strip()
    assert health == "healthy"


def test_restart_brings_the_same_container_up_again(stack: Stack, started: dict[str, str]) -> None:
    form = "{{.Id}} {{.State.StartedAt}}"
    before = stack.engine.docker("inspect", "-f", form, stack.container()).split()
    done = stack.run("restart")
    assert done.returncode == 0, done.stderr
    after = stack.engine.docker("inspect", "-f", form, stack.container()).split()
    assert before[0] == after[0]
    assert before[1] < after[1]
    assert stack.run("status").returncode == 0


def test_stop_removes_the_container_and_keeps_the_store_and_the_volume(
    stack: Stack, started: dict[str, str]
) -> None:
    done = stack.run("stop")
    assert done.returncode == 0, done.stderr
    assert stack.engine.docker("ps", "-aq") == ""
    assert "grafana-data" in stack.engine.docker("volume", "ls", "-q")
    assert Supervisor(stack.home / "services").status("influxdb").endpoint is not None
    assert "was not running" in stack.run("stop").stdout
    assert stack.run("status").returncode == 3
    late = stack.run("logs")
    assert late.returncode == 3
    assert "Grafana was not started. Run `grafana start` first." in late.stderr


def test_a_taken_port_is_named_and_leaves_no_container(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = stack.run("start", GRAFANA_PORT=str(port))
    assert done.returncode == 3
    assert f"another program listens on localhost:{port}" in done.stderr
    assert stack.engine.docker("ps", "-aq") == ""


def test_without_a_daemon_the_command_says_how_to_start_one(stack: Stack) -> None:
    done = stack.run("start", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "Docker's daemon does not answer" in done.stderr
    assert "docs.docker.com/engine/install" in done.stderr
