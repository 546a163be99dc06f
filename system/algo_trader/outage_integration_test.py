"""InfluxDB dies in the middle of the main job: what is told, what waits, and what sends it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.clients.influxdb_client import BaseInfluxDBClient
from infrastructure.clients.outage_runs import Server
from infrastructure.influxdb.spool_slots import waiting_in
from system.algo_trader.realm import Realm
from system.algo_trader.testing.command_line import CommandLine

WRITE = b"POST /api/v3/write_lp"


class Proxy:
    """Pass bytes on to a server, and tell of each write before it is passed on."""

    def __init__(self, port: int, on_write: Callable[[int], None]) -> None:
        self._target = ("127.0.0.1", port)
        self._on_write = on_write
        self._lock = threading.Lock()
        self._writes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                if content.startswith(WRITE):
                    with self._lock:
                        self._writes += 1
                        self._on_write(self._writes)
                target.sendall(content)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "data")
    made.start()
    yield made
    made.kill()


def test_what_the_main_job_could_not_deliver_is_told_counted_and_sent_by_the_next_command(
    server: Server, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()

    def die(writes: int) -> None:
        if writes == 2:
            server.kill()

    proxy = Proxy(int(server.url.rpartition(":")[2]), die)
    line = CommandLine(home, {"INFLUXDB3_HOST_URL": proxy.url})
    run = line.run("--symbols", "AAPL,IBM", "--json")
    assert run.code == 3
    report = run.json()
    assert "InfluxDB failed while candles were written" in report["error"]["message"]
    assert "the archive has them all" in report["error"]["message"]
    waiting = waiting_in(Realm.sim(home).spool).points
    assert report["waiting"] == waiting > 0
    status = line.run("store", "status", "--json").json()["spool"]
    assert (status["sent"], status["waiting"]) == (0, waiting)
    assert "unreachable" in status["reason"]
    assert f"{waiting:,} points" in line.run("store", "status").out
    [check] = [
        each
        for each in line.run("doctor", "--json").json()["checks"]
        if each["name"] == "spool sim"
    ]
    assert check["state"] == "degraded"
    assert f"{waiting:,} points" in check["detail"]

    server.start()
    status = line.run("store", "status", "--json").json()["spool"]
    assert status == {"sent": waiting, "waiting": 0, "bytes": 0, "refused": 0, "reason": ""}
    again = line.run("--symbols", "AAPL,IBM", "--json")
    assert again.code == 0
    assert again.json()["waiting"] == 0
    held = line.run("store", "status", "--json").json()["datasets"]
    with BaseInfluxDBClient(server.url, "algo_trader_sim") as client:
        [row] = client.query_rows("SELECT count(*) AS n FROM candles")
        runs = client.query_rows("SELECT DISTINCT run_id FROM pipeline_metrics")
    assert row["n"] == sum(each["rows"] for each in held)
    assert {each["run_id"] for each in runs} >= {report["run_id"], again.json()["run_id"]}
    proxy.close()
