"""Many processes, one real Valkey that dies and comes back, and a webhook over a real socket."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import SystemClock, VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import NetworkError
from infrastructure.notification.webhook import JsonWebhook
from infrastructure.redis.testing import Valkey, wait_until
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.error_recorder import ErrorRecorder
from system.algo_trader.health.error_registry import ErrorRegistry
from system.algo_trader.health.escalation import escalate_due
from system.algo_trader.health.occurrence import Occurrence
from system.algo_trader.realm import Realm

REALM = Realm.sim(Path("home"))
PROCESSES, TIMES = 4, 50
MOST = 20
WRITER = f"""
import sys
from pathlib import Path
from infrastructure.clock import SystemClock
from infrastructure.errors import NetworkError
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.error_registry import ErrorRegistry
from system.algo_trader.health.occurrence import Occurrence
from system.algo_trader.realm import Realm

clock = SystemClock()
with AlgoTraderRedisClient(sys.argv[1], Realm.sim(Path("home"))) as redis:
    registry = ErrorRegistry(redis, clock, most={MOST})
    for number in range({TIMES}):
        registry.record(Occurrence.of(NetworkError("shared"), "stream", clock.now_ns()))
        word = "".join(chr(97 + int(digit)) for digit in f"{{sys.argv[2]}}{{number}}")
        registry.record(Occurrence.of(NetworkError(word), "stream", clock.now_ns()))
"""


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    made = Valkey(tmp_path / "valkey")
    yield made
    made.kill()


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[AlgoTraderRedisClient]:
    with AlgoTraderRedisClient(valkey.url, REALM, timeout_s=1.0) as client:
        yield client


def test_processes_that_write_at_once_lose_no_count_and_keep_no_more_than_the_most(
    valkey: Valkey, redis: AlgoTraderRedisClient
) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, valkey.url, str(number)])
        for number in range(PROCESSES)
    ]
    registry = ErrorRegistry(redis, SystemClock(), most=MOST)
    longest = 0
    while any(each.poll() is None for each in running):
        longest = max(longest, len(registry.entries()))
        time.sleep(0.005)
    assert [each.returncode for each in running] == [0] * PROCESSES
    # The shared one is seen all the time, so that it is never the oldest.
    shared = next(each for each in registry.entries() if each.message == "shared")
    assert shared.count == PROCESSES * TIMES
    assert longest == len(registry.entries()) == MOST


def test_errors_during_an_outage_are_counted_once_redis_is_back_and_hold_nobody_up(
    valkey: Valkey, redis: AlgoTraderRedisClient
) -> None:
    registry = ErrorRegistry(redis, SystemClock())
    recorder = ErrorRecorder(lambda: registry, SystemClock(), "stream", retry_s=0.05)
    recorder.record(NetworkError("before"))
    wait_until(lambda: recorder.waiting == 0)
    valkey.kill()
    begun = time.monotonic()
    for number in range(500):
        recorder.record(NetworkError("during" if number % 2 else "meanwhile"))
    assert time.monotonic() - begun < 1
    wait_until(lambda: recorder.waiting == 2)
    valkey.start()
    wait_until(lambda: recorder.waiting == 0)
    recorder.close()
    counts = {each.message: each.count for each in registry.entries()}
    assert {word: counts[word] for word in ("during", "meanwhile")} == {
        "during": 250,
        "meanwhile": 250,
    }


def test_of_many_who_escalate_exactly_one_tells_the_webhook(
    valkey: Valkey, redis: AlgoTraderRedisClient
) -> None:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            # The first one is refused: whoever sends it has to try again.
            self.send_response(503 if len(got) == 1 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    clock = VirtualClock(10**18)
    ids = []
    registry = ErrorRegistry(redis, clock)
    for word in ("one", "two", "three"):
        seen = Occurrence.of(NetworkError(word), "stream", clock.now_ns())
        ids.append(registry.record(seen).id)
    clock.advance(seconds=901)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    together = threading.Barrier(6)
    told: list[str] = []

    def escalate() -> None:
        hook = JsonWebhook(
            Secret(f"http://127.0.0.1:{server.server_address[1]}/"), "ERROR_WEBHOOK_URL"
        )
        with AlgoTraderRedisClient(valkey.url, REALM) as mine:
            together.wait()
            done = escalate_due(
                ErrorRegistry(mine, clock), hook, after_s=900, realm=REALM, clock=clock
            )
            told.extend(entry.id for entry in done)

    threads = [threading.Thread(target=escalate) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    server.shutdown()
    server.server_close()
    serving.join()
    assert sorted(told) == sorted(ids)
    # Three errors and the one try that was refused.
    assert len(got) == 4
    assert {each["error"]["id"] for each in got} == set(ids)
    assert all(each.escalated_at_ns is not None for each in registry.entries())
