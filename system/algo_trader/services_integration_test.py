"""Services with real servers: shared by both realms, kept and stopped, owned or left alone."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.errors import CredentialsRejected
from infrastructure.redis.embedded import server_program
from infrastructure.supervision import module_command
from infrastructure.supervision.process import start_time
from system.algo_trader import settings
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.services import Services

NOWHERE = {"redis": "redis://127.0.0.1:9/0", "influxdb": "http://127.0.0.1:9"}


def wait_until(met: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield folder
    services_of(folder).stop()
    shutil.rmtree(folder)


def services_of(home: Path, redis: str = NOWHERE["redis"], **environment: str) -> Services:
    settled = settings.load(
        environment={"ALGO_TRADER_HOME": str(home), **environment}, workspace=home / "none"
    )
    return Services(settled, default_urls={**NOWHERE, "redis": redis})


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a Redis that is not ours, and return its URL."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*flags: str) -> str:
        path = tmp_path / "port"
        port = _free_port()
        with path.open("wb") as log:
            started.append(
                subprocess.Popen(
                    [server_program(), "--port", str(port), "--save", "", *flags],
                    cwd=tmp_path,
                    stdout=log,
                    stderr=log,
                )
            )
        wait_until(lambda: b"Ready to accept" in path.read_bytes())
        return f"redis://127.0.0.1:{port}/0"

    yield start
    for one in started:
        one.kill()
        one.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_command_uses_the_embedded_redis_in_both_realms_and_ends_it(home: Path) -> None:
    with services_of(home) as services:
        url = services.redis_url()
        with (
            AlgoTraderRedisClient(url, Realm.live(home)) as live,
            AlgoTraderRedisClient(url, Realm.sim(home)) as sim,
        ):
            live.save_refresh_token(b"\x01live")
            assert sim.load_refresh_token() is None
        (row,) = services.status(["redis"])
        assert (row.origin, row.state, row.kept) == ("embedded", "running", False)
        assert row.since is not None
        assert "@" not in row.url
    assert row.pid is not None
    assert start_time(row.pid) is None
    with services_of(home) as services:
        client = AlgoTraderRedisClient(services.redis_url(), Realm.live(home))
        assert client.load_refresh_token() == b"\x01live"
        client.close()


def test_started_services_stay_come_back_after_kill_9_and_end_with_stop(home: Path) -> None:
    (row,) = services_of(home).start(["redis"])
    assert (row.state, row.kept) == ("running", True)
    with services_of(home) as services:
        client = BaseRedisClient(services.redis_url(), "ns")
        client.set("a", "1")
        client.close()
    assert row.pid is not None
    assert start_time(row.pid) is not None
    os.kill(row.pid, signal.SIGKILL)

    def is_back() -> bool:
        (now,) = services_of(home).status(["redis"])
        return now.state == "running" and now.pid != row.pid

    wait_until(is_back)
    with services_of(home) as services:
        client = BaseRedisClient(services.redis_url(), "ns")
        assert client.get("a") == "1"
        client.close()
    assert [one.state for one in services_of(home).stop()] == ["stopped", "stopped"]
    assert [one.state for one in services_of(home).status(["redis"])] == ["stopped"]
    assert services_of(home).stop(["redis"])[0].note == "it was not running"


COMMAND = """
import sys
from pathlib import Path
from system.algo_trader import settings
from system.algo_trader.services import Services
home = Path(sys.argv[1])
settled = settings.load(
    environment={"ALGO_TRADER_HOME": str(home), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "0"},
    workspace=home / "none",
)
with Services(settled) as services:
    services.redis_url()
    print(services.status(["redis"])[0].pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_that_is_ended_takes_its_services_with_it(
    home: Path, number: signal.Signals
) -> None:
    _, env = module_command("none")
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **env},
        text=True,
    ) as command:
        assert command.stdout is not None
        pid = int(command.stdout.readline())
        assert start_time(pid) is not None
        command.send_signal(number)
    assert command.returncode in (128 + number, -number, 130)
    assert start_time(pid) is None


def test_a_redis_at_the_default_port_is_used_only_once_a_person_has_confirmed_it(
    home: Path, stranger: Callable[..., str]
) -> None:
    url = stranger()
    with services_of(home, url) as services:
        assert services.origin("redis") == "embedded"
        assert "services start --adopt redis" in services.notices[0]
    with BaseRedisClient(url, "algo_trader") as client:
        assert client.keys() == []
    (row,) = services_of(home, url).start(["redis"], adopt=["redis"])
    assert (row.origin, row.url, row.pid) == ("found", url, None)
    with services_of(home, url) as services:
        assert services.redis_url() == url
        assert services.notices == []
    with BaseRedisClient(url, "algo_trader") as client:
        assert client.get("owner") == services.ownership.owner_id()
        client.delete("owner")
    with services_of(home, url) as services:
        assert services.origin("redis") == "embedded"


def test_a_redis_that_carries_our_mark_is_used(home: Path, stranger: Callable[..., str]) -> None:
    url = stranger()
    services = services_of(home, url)
    with BaseRedisClient(url, "algo_trader") as client:
        client.set("owner", services.ownership.owner_id())
    with services:
        assert services.origin("redis") == "found"
    other = Path(tempfile.mkdtemp(prefix="at-"))
    with services_of(other, url) as services:
        assert services.origin("redis") == "embedded"
    shutil.rmtree(other)


def test_a_redis_with_a_password_at_the_default_port_is_left_alone(
    home: Path, stranger: Callable[..., str]
) -> None:
    url = stranger("--requirepass", "theirs")
    with services_of(home, url) as services:
        assert services.origin("redis") == "embedded"
        assert "is left alone" in services.notices[0]
        with pytest.raises(CredentialsRejected):
            services.adopt("redis")


def test_a_named_redis_is_used_with_its_password_which_no_row_shows(
    home: Path, stranger: Callable[..., str]
) -> None:
    url = stranger("--requirepass", "theirs").replace("://", "://:theirs@")
    with services_of(home, REDIS_URL=url) as services:
        assert services.redis_url() == url
        (row,) = services.status(["redis"])
        assert (row.origin, row.state) == ("named", "running")
        assert "theirs" not in str(row)
    wrong = url.replace("theirs", "wrong")
    with pytest.raises(CredentialsRejected, match="REDIS_URL is set, but"):
        services_of(home, REDIS_URL=wrong).redis_url()


def test_the_embedded_influxdb_is_found_again_and_stopped(home: Path) -> None:
    (row,) = services_of(home).start(["influxdb"])
    assert (row.origin, row.state, row.kept) == ("embedded", "running", True)
    with services_of(home) as services:
        assert services.influxdb_url() == row.url
    with services_of(home) as services:
        services._default_urls = {**NOWHERE, "influxdb": row.url}
        assert services.origin("influxdb") == "found"
    assert services_of(home).stop(["influxdb"])[0].state == "stopped"
    assert row.pid is not None
    assert start_time(row.pid) is None
