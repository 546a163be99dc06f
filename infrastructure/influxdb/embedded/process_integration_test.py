"""The server as a process: killed at any moment, stopped in order, refused, out of space."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.clock import SystemClock
from infrastructure.config import Secret
from infrastructure.errors import StoreNewer
from infrastructure.influxdb.embedded.catalog import Catalog, save_catalog
from infrastructure.influxdb.embedded.identity import PRODUCT, ownership_key
from infrastructure.influxdb.embedded.spec import embedded_influxdb_spec
from infrastructure.supervision import Supervisor, module_command

DEADLINE_S = 30.0
MODULE = "infrastructure.influxdb.embedded"


class Server:
    """A server process on a folder."""

    def __init__(self, folder: Path, *, before: str = "", log_level: str = "INFO") -> None:
        self.endpoint_file = folder.parent / f"{folder.name}-endpoint.json"
        self.endpoint_file.unlink(missing_ok=True)
        arguments = [
            "--data", str(folder), "--port", "0", "--endpoint-file", str(self.endpoint_file),
            "--log-level", log_level,
        ]  # fmt: skip
        argv, env = module_command(MODULE, *arguments)
        if before:
            start = f"{before}; from {MODULE}.__main__ import main; sys.exit(main({arguments!r}))"
            argv = (sys.executable, "-P", "-c", f"import sys; {start}")
        self.process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def endpoint(self) -> dict[str, Any]:
        wait_until(lambda: self.endpoint_file.exists() or self.process.poll() is not None)
        if not self.endpoint_file.exists():
            pytest.fail(f"the server ended: {self.process.communicate()}")
        value: dict[str, Any] = json.loads(self.endpoint_file.read_text())
        return value

    def write(self, lines: str, **params: str) -> requests.Response:
        return requests.post(
            f"{self.url}/api/v3/write_lp",
            params={"db": "db", "precision": "ns", **params},
            data=lines,
            timeout=DEADLINE_S,
        )

    def rows(self, sql: str) -> Any:
        answer = requests.get(
            f"{self.url}/api/v3/query_sql", params={"db": "db", "q": sql}, timeout=DEADLINE_S
        )
        answer.raise_for_status()
        return answer.json()

    @property
    def url(self) -> str:
        return str(self.endpoint["url"])

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it did not come about in time")
        threading.Event().wait(0.01)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def begin(folder: Path, **options: Any) -> Server:
        started.append(Server(folder, **options))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_in_the_middle_of_writes_loses_no_acknowledged_row(
    tmp_path: Path, start: Callable[..., Server], seed: int
) -> None:
    random_numbers = random.Random(seed)
    acknowledged: set[tuple[str, int]] = set()
    sent: set[tuple[str, int]] = set()
    for life in range(2):
        server = start(
            tmp_path / "data",
            before="from infrastructure.influxdb.embedded.limits import Limits; made = "
            "Limits.__init__; made.__defaults__ = (400, *made.__defaults__[1:])",
        )
        url = server.url

        def work(writer: str, life: int = life, url: str = url) -> None:
            session = requests.Session()
            number = life * 1_000_000
            while True:
                batch = [(writer, number + step) for step in range(20)]
                lines = "\n".join(f"m,w={name} v={at}i {at}" for name, at in batch)
                sent.update(batch)
                try:
                    answer = session.post(
                        f"{url}/api/v3/write_lp",
                        params={"db": "db", "precision": "ns"},
                        data=lines,
                        timeout=DEADLINE_S,
                    )
                except requests.RequestException:
                    return
                assert answer.status_code == 204
                acknowledged.update(batch)
                number += 20

        writers = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        before = len(acknowledged)
        for thread in writers:
            thread.start()
        wanted = before + random_numbers.randrange(500, 3000)
        wait_until(lambda wanted=wanted: len(acknowledged) >= wanted)  # type: ignore[misc]
        server.process.kill()
        for thread in writers:
            thread.join()
    server = start(tmp_path / "data")
    rows = server.rows("SELECT w, v, time FROM m")
    stored = [(row["w"], row["v"]) for row in rows]
    assert len(stored) == len(set(stored)), f"a row is doubled (seed {seed})"
    assert acknowledged <= set(stored), f"an acknowledged row is missing (seed {seed})"
    assert set(stored) <= sent, f"a row was never sent (seed {seed})"


def test_a_torn_end_of_the_log_is_cut_at_the_start_and_said(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    folder = tmp_path / "data"
    first = start(folder)
    assert first.write("m v=1i 1").status_code == 204
    first.end(signal.SIGKILL)
    (segment,) = (folder / "wal").glob("*.wal")
    with segment.open("ab") as file:
        file.write(segment.read_bytes()[8:60])
    second = start(folder)
    assert second.rows("SELECT v FROM m") == [{"v": 1}]
    assert second.write("m v=2i 2").status_code == 204
    _, errors = second.end(signal.SIGKILL)
    assert "cut 52 torn bytes" in errors
    third = start(folder)
    assert third.rows("SELECT count(*) AS n FROM m") == [{"n": 2}]


def test_a_damaged_log_stops_the_start_with_one_sentence(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    folder = tmp_path / "data"
    first = start(folder)
    first.write("m v=1i 1")
    first.write("m v=2i 2")
    first.end(signal.SIGKILL)
    (segment,) = (folder / "wal").glob("*.wal")
    data = bytearray(segment.read_bytes())
    data[40] ^= 1
    segment.write_bytes(data)
    server = start(folder)
    _, errors = server.process.communicate(timeout=DEADLINE_S)
    assert server.process.returncode == 3
    assert "does not match its checksum" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_leaves_parts_and_an_empty_log(
    tmp_path: Path, start: Callable[..., Server], number: signal.Signals
) -> None:
    folder = tmp_path / "data"
    server = start(folder)
    server.write("m v=1i 1")
    code, errors = server.end(number)
    assert code == 0
    assert "Traceback" not in errors
    assert len(list(folder.rglob("*.parquet"))) == 1
    assert sum(path.stat().st_size for path in (folder / "wal").iterdir()) == 8


def test_a_second_process_on_the_folder_is_refused(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    folder = tmp_path / "data"
    first = start(folder)
    first.write("m v=1i 1")
    argv, env = module_command(MODULE, "--data", str(folder), "--port", "0")
    second = subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert second.returncode == 3
    assert "another process has" in second.stderr
    assert first.rows("SELECT v FROM m") == [{"v": 1}]


def test_a_full_disk_answers_507_and_stores_nothing_by_half(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    folder = tmp_path / "data"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    server = start(folder, before=limit)
    batch = "\n".join(f"m,w=a v={number}i {{at}}{number:04d}" for number in range(1000))
    statuses = [server.write(batch.replace("{at}", str(at))).status_code for at in range(1, 9)]
    stored = statuses.count(204)
    assert 0 < stored < 8
    assert set(statuses) == {204, 507}
    answer = server.write(batch.replace("{at}", "9"))
    assert "nothing of it is stored" in answer.json()["error"]
    count = "SELECT count(*) AS n FROM m"
    assert server.rows(count) == [{"n": stored * 1000}]
    server.end(signal.SIGKILL)
    assert start(folder).rows(count) == [{"n": stored * 1000}]


def test_the_endpoint_file_says_who_answers_where(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    server = start(tmp_path / "data")
    endpoint = server.endpoint
    ping = requests.get(f"{endpoint['url']}/ping", timeout=DEADLINE_S).json()
    assert endpoint["pid"] == server.process.pid
    assert endpoint["product"] == ping["product_name"] == PRODUCT
    assert endpoint["version"] == ping["version"]
    assert endpoint["process_id"] == ping["process_id"]
    assert endpoint["ownership_key"] == ownership_key(tmp_path / "data")


def test_no_traceback_and_no_path_reaches_a_caller_of_flight(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    from infrastructure.clients.influxdb_client import BaseInfluxDBClient
    from infrastructure.errors import QueryError

    server = start(tmp_path / "data")
    with BaseInfluxDBClient(server.url, "db") as client:
        client.create_database()
        with pytest.raises(QueryError) as caught:
            client.query("SELECT * FROM nosuch")
    whole = repr(caught.value.__cause__)
    assert "not found" in whole
    assert "Traceback" not in whole
    assert "flight.py" not in whole


def test_the_supervisor_starts_finds_and_ends_it(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "services", SystemClock())
    spec = embedded_influxdb_spec(tmp_path / "influxdb", token=Secret("a-token"))
    handle = supervisor.ensure(spec)
    assert handle.endpoint.product == PRODUCT
    assert handle.endpoint.secret() == "a-token"
    assert Path(handle.endpoint.secret_file).stat().st_mode & 0o777 == 0o600
    assert spec.probe(handle.endpoint)
    again = Supervisor(tmp_path / "services", SystemClock()).ensure(spec)
    assert again.endpoint.pid == handle.endpoint.pid
    again.close()
    handle.close()
    wait_until(lambda: not spec.probe(handle.endpoint))


def test_a_refusal_comes_through_the_supervisor_as_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "influxdb" / "data"
    folder.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr("infrastructure.influxdb.embedded.catalog.FORMAT_VERSION", 99)
        save_catalog(folder, Catalog())
    supervisor = Supervisor(tmp_path / "services", SystemClock())
    with pytest.raises(StoreNewer, match="of format 99"):
        supervisor.ensure(embedded_influxdb_spec(tmp_path / "influxdb"))


def test_a_token_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    for content in ("", "{}", "töken"):
        path = tmp_path / "token"
        path.write_text(content)
        argv, env = module_command(
            MODULE, "--data", str(tmp_path / "data"), "--port", "0", "--token-file", str(path)
        )
        ended = subprocess.run(
            argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert ended.returncode == 2
        assert "token file" in ended.stderr


def test_a_server_of_the_same_data_answers_where_the_one_before_it_did(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "services")
    spec = embedded_influxdb_spec(tmp_path / "services" / "influxdb")
    with supervisor.ensure(spec) as first:
        url = first.endpoint.url
        os.kill(first.endpoint.pid, signal.SIGKILL)
        with supervisor.ensure(spec) as second:
            assert (second.endpoint.url, second.started_here) == (url, True)
    port = int(url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), supervisor.ensure(spec) as third:
        assert third.endpoint.url != url
