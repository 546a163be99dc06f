"""The processes of `bench api`: the service, its peer, those who ask, and the feeder."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self

from infrastructure.clock import SystemClock
from infrastructure.errors import MissingService, RetryableError
from system.algo_trader.benchmarks.api_load import LoadPlan, LoadResult
from system.algo_trader.benchmarks.api_peer import ARROW

_READY_S: Final = 60.0


class Child:
    """Hold a process that is spoken to in lines.

    Args:
        arguments: Of Python.
        environment: Beside this process's.
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        places = os.pathsep.join(os.path.abspath(place) for place in sys.path if place)
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": places, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    def say(self, line: str) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for a line of JSON and return what it says.

        Raises:
            MissingService: If the process ends without one.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MissingService(
                "a process of the benchmark ended early",
                next_step="Read what it wrote to standard error.",
            )
        return json.loads(line)

    def close(self) -> None:
        """End it, politely first."""
        for end in (self._process.terminate, self._process.kill):
            end()
            try:
                self._process.wait(20.0)
                break
            except subprocess.TimeoutExpired:
                continue
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def load_process() -> Child:
    """Start a process that asks."""
    return Child("-m", "system.algo_trader.benchmarks.api_load")


def load(child: Child, plan: LoadPlan) -> LoadResult:
    """Have a process ask, and return how it was answered."""
    child.say(json.dumps(asdict(plan)))
    return LoadResult(**child.answer())


def peer_process(folder: Path, key: str) -> tuple[Child, int]:
    """Start FastAPI on uvicorn; return it and its port."""
    child = Child("-m", "system.algo_trader.benchmarks.api_peer", str(folder))
    try:
        child.say(key)
        return child, int(child.answer()["port"])
    except BaseException:
        child.close()
        raise


def feeder_process(home: Path, url: str, rate: int, frames: int = 0) -> Child:
    """Start a process that writes ticks; `frames` as the feeder takes it."""
    child = Child("-m", "system.algo_trader.benchmarks.api_feeder")
    child.say(json.dumps({"home": str(home), "url": url, "rate": rate, "frames": frames}))
    return child


class Served:
    """Hold the service as a process of its own: `algo-trader serve`.

    Args:
        home: With what it serves.
        key: Of one who may ask everything.
    """

    def __init__(self, home: Path, key: str) -> None:
        self.key = key
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._child = Child(
            *("-m", "system.algo_trader.main", "--home", str(home), "--sim", "serve"),
            *("--port", str(self.port), "--flight-port", "0"),
            environment={"ALGO_TRADER_PROBE_DEFAULT_PORTS": "off", "LOG_LEVEL": "ERROR"},
        )
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        try:
            self._wait_until_ready()
        except BaseException:
            self._child.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def _wait_until_ready(self) -> None:
        clock, deadline_s = SystemClock(), time.monotonic() + _READY_S
        while True:
            try:
                if self.get("/health/ready")[0] == 200:
                    return
            except OSError:
                pass
            if self._child.has_ended:
                raise MissingService(
                    "the service ended early", next_step="Read what it wrote to standard error."
                )
            if time.monotonic() > deadline_s:
                raise RetryableError(f"the service is not ready after {_READY_S:g} s")
            clock.sleep(0.05)

    def get(self, path: str, accept: str = "application/json") -> tuple[int, bytes]:
        """Return status and body of one answer over a connection of its own."""
        return get(self.port, self.key, path, accept)

    def status(self) -> dict[str, Any]:
        """Return what the service says of itself."""
        document: dict[str, Any] = json.loads(self.get("/api/v1/status")[1])
        return document


def get(port: int, key: str, path: str, accept: str = ARROW) -> tuple[int, bytes]:
    """Return status and body of one answer over a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60.0)) as connection:
        connection.request("GET", path, headers={"X-API-Key": key, "Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read()
