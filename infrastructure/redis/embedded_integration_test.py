"""The embedded Redis with a real Valkey: its data, its password, its refusals."""

import json
import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from infrastructure.errors import (
    CorruptStore,
    MissingService,
    PortTaken,
    StoreNewer,
)
from infrastructure.redis import embedded
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.supervision import Supervisor
from infrastructure.supervision.process import start_time


def wait_until(met: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def supervisor(home: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(home)
    yield supervisor
    supervisor.stop("redis")


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def test_data_survive_kill_9(supervisor: Supervisor, home: Path) -> None:
    spec = embedded_redis_spec(home / "redis")
    first = supervisor.ensure(spec)
    with connect(url_with_password(first.endpoint)) as client:
        for number in range(500):
            client.set(f"key{number}", number)
    os.kill(first.endpoint.pid, signal.SIGKILL)
    wait_until(lambda: start_time(first.endpoint.pid) is None)
    with supervisor.ensure(spec) as second, connect(url_with_password(second.endpoint)) as client:
        assert second.started_here
        assert [client.get(f"key{number}") for number in range(500)] == [
            str(number) for number in range(500)
        ]
    first.close()


def test_a_kept_server_comes_back_with_its_data_after_kill_9(
    supervisor: Supervisor, home: Path
) -> None:
    handle = supervisor.ensure(embedded_redis_spec(home / "redis"), keep=True)
    with connect(url_with_password(handle.endpoint)) as client:
        client.set("a", "1")
    os.kill(handle.endpoint.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.status("redis").restarts == 1)
    endpoint = supervisor.status("redis").endpoint
    assert endpoint is not None
    with connect(url_with_password(endpoint)) as client:
        assert client.get("a") == "1"


def test_the_server_listens_on_a_private_socket_and_asks_for_the_password(
    supervisor: Supervisor, home: Path
) -> None:
    with supervisor.ensure(embedded_redis_spec(home / "redis")) as handle:
        endpoint = handle.endpoint
        assert endpoint.url == f"unix://{home}/redis/redis.sock"
        assert (endpoint.product, endpoint.version.split(".")[0]) == ("valkey", "9")
        assert stat.S_IMODE((home / "redis" / "redis.sock").stat().st_mode) == 0o600
        for name in ("password", "valkey.conf", "announced.json", "endpoint.json"):
            assert stat.S_IMODE((home / "redis" / name).stat().st_mode) == 0o600
        with connect(endpoint.url) as client, pytest.raises(redis.AuthenticationError):
            client.get("a")
        with connect(url_with_password(endpoint)) as client:
            settings = client.config_get("*")
        assert settings["port"] == "0"
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert settings["maxmemory-policy"] == "noeviction"
        password = (home / "redis" / "password").read_text().strip()
        assert len(password) >= 32
        command_line = Path(f"/proc/{endpoint.pid}/cmdline")
        if command_line.exists():
            assert password.encode() not in command_line.read_bytes()
        assert password not in (home / "redis" / "endpoint.json").read_text()
        assert password not in (home / "redis" / "log").read_text()


def test_a_path_too_long_for_a_socket_gets_a_loopback_port(home: Path) -> None:
    folder = home / ("long" * 25)
    supervisor = Supervisor(folder)
    with supervisor.ensure(embedded_redis_spec(folder / "redis")) as handle:
        assert handle.endpoint.url.startswith("redis://127.0.0.1:")
        with connect(url_with_password(handle.endpoint)) as client:
            assert client.ping()
            assert client.config_get("bind")["bind"] == "127.0.0.1"
        first = handle.endpoint
    with supervisor.ensure(embedded_redis_spec(folder / "redis")) as handle:
        assert handle.endpoint.pid != first.pid
        assert handle.endpoint.url == first.url


def test_a_folder_with_awkward_letters_works(home: Path) -> None:
    folder = home / 'a "b" \\ é'
    supervisor = Supervisor(folder)
    with (
        supervisor.ensure(embedded_redis_spec(folder / "redis")) as handle,
        connect(url_with_password(handle.endpoint)) as client,
    ):
        assert client.set("a", "1")


def test_a_wanted_port_that_is_taken_is_said(supervisor: Supervisor, home: Path) -> None:
    with supervisor.ensure(embedded_redis_spec(home / "redis", port=0)) as handle:
        port = int(handle.endpoint.url.split(":")[2].split("/")[0])
        other = Supervisor(home / "other")
        with pytest.raises(PortTaken, match="Address already in use"):
            other.ensure(embedded_redis_spec(home / "other" / "redis", port=port))


def test_data_of_a_newer_version_are_refused_and_left_alone(
    supervisor: Supervisor, home: Path
) -> None:
    spec = embedded_redis_spec(home / "redis")
    supervisor.ensure(spec).close()
    marker = home / "redis" / "store.json"
    newer = json.dumps({"product": "valkey", "version": "99.1.0"})
    marker.write_text(newer)
    with pytest.raises(StoreNewer, match=r"were written by Valkey 99\.1\.0, and this is 9\."):
        supervisor.ensure(spec)
    assert marker.read_text() == newer


def test_an_rdb_base_of_a_newer_format_is_refused(supervisor: Supervisor, home: Path) -> None:
    spec = embedded_redis_spec(home / "redis")
    supervisor.ensure(spec).close()
    (base,) = (home / "redis" / "data" / "appendonlydir").glob("*.base.rdb")
    content = base.read_bytes()
    base.write_bytes(b"VALKEY999" + content[9:])
    with pytest.raises(StoreNewer, match="a newer version wrote them"):
        supervisor.ensure(spec)


def test_a_damaged_append_only_file_is_named(supervisor: Supervisor, home: Path) -> None:
    spec = embedded_redis_spec(home / "redis")
    with supervisor.ensure(spec) as handle, connect(url_with_password(handle.endpoint)) as client:
        client.set("a", "1")
        client.set("b", "2")
    (journal,) = (home / "redis" / "data" / "appendonlydir").glob("*.incr.aof")
    journal.write_bytes(b"garbage\r\n" + journal.read_bytes())
    with pytest.raises(CorruptStore, match="append-only file"):
        supervisor.ensure(spec)


def test_the_probe_is_deaf_to_another_process(supervisor: Supervisor, home: Path) -> None:
    from dataclasses import replace

    with supervisor.ensure(embedded_redis_spec(home / "redis")) as handle:
        assert embedded.answers(handle.endpoint)
        assert not embedded.answers(replace(handle.endpoint, pid=handle.endpoint.pid + 1))
        wrong = home / "wrong"
        wrong.write_text("not the password")
        assert not embedded.answers(replace(handle.endpoint, secret_file=str(wrong)))
    assert not embedded.answers(handle.endpoint)


def test_a_program_without_the_right_to_run_is_copied(home: Path) -> None:
    program = home / "valkey-server"
    shutil.copyfile(embedded.server_program(), program)
    program.chmod(0o600)
    if os.geteuid() == 0:
        assert not os.access(program, os.X_OK)
    copy = embedded.runnable(program, home / "redis")
    assert copy != program
    assert embedded.program_version(copy) == embedded.program_version(embedded.server_program())
    assert embedded.runnable(copy, home / "redis") == copy


def test_a_platform_without_a_server_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(MissingService, match=r"riscv64.*REDIS_URL"):
        embedded.server_program()


def test_a_program_that_is_no_valkey_is_refused(home: Path) -> None:
    with pytest.raises(MissingService, match="does not run"):
        embedded.program_version(home / "absent")
    with pytest.raises(MissingService, match="does not say its version"):
        embedded.program_version(Path("/bin/echo"))


def test_the_module_says_why_it_cannot_become_the_server(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "redis").write_text("a file in the way")
    code = embedded.main(
        ["--data", str(home / "redis"), "--endpoint-file", str(home / "announced.json")]
    )
    assert code == 3
    assert "cannot make the folder" in capsys.readouterr().err
    failure = json.loads((home / "announced.json").read_text())["failure"]
    assert failure["error"] == "OperatorError"
