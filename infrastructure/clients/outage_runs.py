"""Runs in which the server and the writing process are killed, and what must be there; for tests.

A seed decides how many rows each write has and after which acknowledgements who is killed. The
writing process says each acknowledgement on its standard output; the one that started it compares.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests

from infrastructure.clients.influxdb_client_durable import DurableInfluxDBClient
from infrastructure.influxdb.schema import Column, TableSchema
from infrastructure.supervision import module_command

TABLE = TableSchema("m", (Column("k", "tag"),), (Column("v", "integer"),))
WRITES = 400
DEADLINE_S = 60.0
LIFE_S = 120.0
"""A writing process that lives longer is stuck: it says where each of its threads is, and ends."""
_MODULE = "infrastructure.clients.outage_runs"


def rows_of(seed: int, life: int) -> list[list[tuple[int, int]]]:
    """Return the rows (time, value) of each write of one process; no row comes twice."""
    source = random.Random(f"{seed} {life}")
    writes, at = [], 10**15 * life
    for _ in range(WRITES):
        count = source.choice((1, 2, 50, 3000))
        writes.append([(at + row, source.randrange(10**9)) for row in range(count)])
        at += count
    return writes


class Server:
    """The embedded server as a process on a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv, env = module_command(
            "infrastructure.influxdb.embedded",
            *("--data", str(self._folder), "--port", str(self._port)),
        )
        self._process = subprocess.Popen(
            argv, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + DEADLINE_S
        with requests.Session() as session:
            session.trust_env = False
            while True:
                try:
                    session.get(f"{self.url}/health", timeout=5).raise_for_status()
                    return
                except requests.RequestException:
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise
                    time.sleep(0.02)

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Child:
    """A writing process of one life, which may not last for ever.

    Args:
        folder: Holds its spool.
        url: Of the server.
        seed: Decides what it writes.
        life: Which of the seed's processes it is.
        life_s: How long it may live.
    """

    def __init__(
        self, folder: Path, url: str, seed: int, life: int, life_s: float = LIFE_S
    ) -> None:
        argv, env = module_command(_MODULE, str(folder), url, str(seed), str(life))
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, **env, "PYTHONFAULTHANDLER": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.acknowledged = 0
        self._name = f"the writing process of seed {seed}, life {life},"
        self._end = threading.Timer(life_s, self._process.send_signal, (signal.SIGABRT,))
        self._end.daemon = True
        self._end.start()

    def until(self, count: int) -> None:
        """Read acknowledgements up to some count."""
        while self.acknowledged < count and self._read():
            pass

    def kill(self) -> None:
        """End it by SIGKILL, and read what it had still said."""
        self._process.kill()
        self._end.cancel()
        while self._read():
            pass
        if self._process.wait() == -signal.SIGABRT:
            raise AssertionError(f"{self._name} was stuck after {self.acknowledged} writes")
        if self._process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"{self._name} ended with {self._process.returncode}")

    def _read(self) -> bool:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.acknowledged += bool(line)
        return bool(line)


def client_of(folder: Path, url: str) -> DurableInfluxDBClient:
    """Return a client whose spool is in a folder."""
    return DurableInfluxDBClient(url, "db", folder / "spool", timeout_s=10.0)


def columns(rows: list[tuple[int, int]]) -> pa.Table:
    """Return rows as columns."""
    return pa.table(
        {"time": [row[0] for row in rows], "k": ["a"] * len(rows), "v": [row[1] for row in rows]}
    )


def kill_both_and_compare(folder: Path, seed: int) -> str:
    """Kill the server, then the writer, restart both, and say what is wrong, "" if nothing is.

    Args:
        folder: For the run alone.
        seed: Any natural number.
    """
    source = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder / "data")
    lives: list[int] = []
    server.start()
    try:
        with client_of(folder, server.url) as client:
            client.create_database()
        for life in range(3):
            child = Child(folder, server.url, seed, life)
            try:
                # In the first life the server dies meanwhile, in the second it is not there.
                child.until(source.randint(1, 40))
                if life == 0:
                    server.kill()
                    child.until(child.acknowledged + source.randint(1, 40))
                if life == 1 and source.random() < 0.5:
                    server.start()
                    child.until(child.acknowledged + source.randint(1, 40))
                    server.kill()
            finally:
                child.kill()
            lives.append(child.acknowledged)
            if life == 1:
                server.start()
        with client_of(folder, server.url) as client:
            left = client.deliver_waiting()
            if left.points or client.waiting().points or client.refused():
                return f"seed {seed}: {left} waits, {client.waiting()}, {client.failing}"
            found = client.query_rows('SELECT "time", v FROM m')
    finally:
        server.kill()
    return _difference(seed, lives, found)


def _difference(seed: int, lives: list[int], found: list[dict[str, Any]]) -> str:
    have = {row["time"]: row["v"] for row in found}
    if len(have) < len(found):
        return f"seed {seed}: {len(found) - len(have)} rows are there twice"
    wanted = dict(_rows(seed, lives, 0))
    lost = [at for at, value in wanted.items() if have.get(at) != value]
    if lost:
        return f"seed {seed}: {len(lost)} of {len(wanted)} acknowledged rows are missing or wrong"
    # The write that was under way when its process died may be there, in part too.
    begun = dict(_rows(seed, lives, 1))
    strange = [at for at, value in have.items() if begun.get(at) != value]
    return f"seed {seed}: {len(strange)} rows were never written" if strange else ""


def _rows(seed: int, lives: list[int], more: int) -> Iterator[tuple[int, int]]:
    for life, acknowledged in enumerate(lives):
        for write in rows_of(seed, life)[: acknowledged + more]:
            yield from write


def main(folder: str, url: str, seed: str, life: str) -> None:
    """Write until killed; say each write that is acknowledged."""
    with client_of(Path(folder), url) as client:
        for number, rows in enumerate(rows_of(int(seed), int(life))):
            report = client.write_columns(TABLE, columns(rows))
            assert report.rows + report.waiting == len(rows), report
            os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
