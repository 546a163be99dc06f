"""Redis and InfluxDB are killed under load: what is said meanwhile is true, and it ends soon."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.running_service import (
    CHAIN_SYMBOL,
    RunningService,
    running_service,
)
from system.algo_trader.testing.tick_frames import tick_frames

RECOVERY_S = 10.0
_PAUSE_S = 0.02
WAIT_S = 60.0
QUOTES = "/api/v1/quotes?symbols=A"
UNKNOWN = "/api/v1/quotes?symbols=NOBODY"
CANDLES = "/api/v1/candles?symbol=AAPL&limit=5"
CHAIN = f"/api/v1/gex/{CHAIN_SYMBOL}"
HISTORY = f"/api/v1/gex/{CHAIN_SYMBOL}/history"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("home")
    with running_service(home) as running:
        yield running


@dataclass
class Load:
    """Ask the same questions again and again, and keep what was said."""

    service: RunningService
    paths: tuple[str, ...]
    said: list[tuple[float, str, requests.Response]] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self, path: str) -> None:
        while not self.ending.is_set():
            answer = self.service.get(path)
            self.said.append((time.monotonic(), path, answer))
            time.sleep(_PAUSE_S)

    def __enter__(self) -> Load:
        self.threads = [threading.Thread(target=self.run, args=(path,)) for path in self.paths]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join()


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def pid_of(service: RunningService, name: str) -> int | None:
    rows = CommandLine(service.home).run("services", "status", "--json").json()
    rows = rows["services"] if isinstance(rows, dict) else rows
    found: int | None = next(row["pid"] for row in rows if row["name"] == name)
    return found


def told(service: RunningService) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/api/v1/status").json()["stream"]
    return found


def test_a_redis_that_is_killed_under_load_makes_no_answer_wrong(service: RunningService) -> None:
    with tick_frames(service.home) as frames:
        frames.write(["A"])
        until(lambda: service.get(QUOTES).status_code == 200, "the tick has come")
        price = service.get(QUOTES).json()["columns"]["last"]
        candles = service.get(CANDLES).json()["columns"]
        pid = pid_of(service, "redis")
        with Load(service, (QUOTES, UNKNOWN, CANDLES, CHAIN)) as load:
            # A server that is only killed comes back so soon that nobody need notice.
            os.kill(pid or 0, signal.SIGSTOP)
            until(lambda: told(service)["away_since"], "the outage is seen")
            os.kill(pid or 0, signal.SIGKILL)
            killed = time.monotonic()
            until(lambda: told(service)["away_since"] is None, "Redis is back")
            back = time.monotonic()
            until(
                lambda: {answer.status_code for at, path, answer in load.said[-8:]} <= {200, 404},
                "all is well again",
            )
    assert back - killed < 2 * RECOVERY_S
    assert time.monotonic() - back < RECOVERY_S + 10
    by_path: dict[str, list[requests.Response]] = {}
    for _, path, answer in load.said:
        by_path.setdefault(path, []).append(answer)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
    for answer in by_path[QUOTES]:
        document = answer.json()
        assert answer.status_code == 200
        assert document["columns"]["last"] == price
        assert document["age_s"] is not None
        assert (document["stale_because"] is None) == ("X-Data-Stale" not in answer.headers)
    assert any(answer.json()["stale_because"] for answer in by_path[QUOTES])
    assert {answer.status_code for answer in by_path[UNKNOWN]} <= {404, 503}
    for answer in by_path[CANDLES]:
        assert answer.status_code == 200
        assert answer.json()["columns"] == candles
    assert {answer.status_code for answer in by_path[CHAIN]} == {200}


def test_ticks_after_the_return_of_redis_are_read(service: RunningService) -> None:
    pid = pid_of(service, "redis")
    os.kill(pid or 0, signal.SIGKILL)
    until(lambda: pid_of(service, "redis") not in (None, pid), "another Redis runs")
    until(lambda: told(service)["away_since"] is None, "it is read")
    with tick_frames(service.home) as frames:
        frames.count = 77
        frames.write(["A"])
        began = time.monotonic()
        until(
            lambda: service.get(QUOTES).json()["columns"]["sequence"] == [77],
            "the new tick has come",
        )
    assert time.monotonic() - began < RECOVERY_S


def test_an_influxdb_that_is_killed_makes_history_wait(service: RunningService) -> None:
    made = CommandLine(service.home).run("--sim", "store", "rebuild", "--dataset", "option_quotes")
    assert made.code == 0, made.err
    until(lambda: service.get(HISTORY).status_code == 200, "a history is stored")
    stored = service.get(HISTORY).json()["columns"]
    pid = pid_of(service, "influxdb")
    with Load(service, (HISTORY, CANDLES)) as load:
        os.kill(pid or 0, signal.SIGKILL)
        killed = time.monotonic()
        # A question may wait so long that it meets the server that came in its place.
        until(lambda: pid_of(service, "influxdb") not in (None, pid), "another server runs")
        until(lambda: service.get(HISTORY).status_code == 200, "InfluxDB is back")
    assert time.monotonic() - killed < 3 * RECOVERY_S
    for _, path, answer in load.said:
        assert answer.status_code in ((200, 503) if path == HISTORY else (200,)), answer.text
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
        elif path == HISTORY:
            assert answer.json()["columns"] == stored
