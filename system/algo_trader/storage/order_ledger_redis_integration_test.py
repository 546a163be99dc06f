"""Keys of orders in a real Valkey: two processes that race, and one that is killed half-way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import CorruptStore, StackError, UsageError
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.orders import templates
from infrastructure.schwab.orders.ledger import Claim
from infrastructure.supervision import Handle, Supervisor
from system.algo_trader.storage.order_ledger import REDIS_NAME, RedisOrderLedger

ROOT: Final = Path(__file__).resolve().parents[3]
HASH: Final = "AB12" * 16
NOW_NS: Final = 1_700_000_000 * 10**9
ORDER: Final = templates.equity_limit("BUY", "AAPL", 1, "10.00")
NAMESPACE: Final = "test"
DEADLINE_S: Final = 60.0

PLACE: Final = """
import sys
from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.orders import templates
from system.algo_trader.storage.order_ledger import RedisOrderLedger

class Told(RedisOrderLedger):
    def claim(self, claim):
        held = super().claim(claim)
        print("noted" if held is None else "held", flush=True)
        if stops:
            sys.stdin.readline()
        return held

url, base_url, stops = (sys.stdin.readline().strip() for _ in range(3))
ledger = Told(RedisSession(url, "test", timeout_s=5.0))
client = SchwabClient(base_url, lambda _: Secret("I0.token@"), clock=VirtualClock({now_ns}))
print("ready", flush=True)
sys.stdin.readline()
outcome = client.place_once(
    "{account}", templates.equity_limit("BUY", "AAPL", 1, "10.00"), key="k", ledger=ledger
)
print(outcome.state, outcome.order_id)
""".replace("{now_ns}", str(NOW_NS)).replace("{account}", HASH)


@dataclass
class Broker:
    """Take orders by HTTP, and hold those that it is told not to answer."""

    url: str = ""
    answers: bool = True
    posted: threading.Event = field(default_factory=threading.Event)
    placed: list[dict[str, Any]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(200, json.dumps(made.placed).encode())

        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = 100 + len(made.placed)
            entered = "2023-11-14T22:13:20+0000"
            made.placed.append(
                {**order, "orderId": number, "status": "WORKING", "enteredTime": entered}
            )
            made.posted.set()
            if made.answers:
                self._reply(201, b"", f"{made.url}{self.path}/{number}")
            else:
                made.release.wait(DEADLINE_S)

        def _reply(self, status: int, body: bytes, location: str | None = None) -> None:
            self.send_response(status)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    made.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def valkey() -> Iterator[Handle]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with Supervisor(folder).ensure(embedded_redis_spec(folder / "redis", port=0)) as handle:
        yield handle
    shutil.rmtree(folder)


@pytest.fixture
def session(valkey: Handle) -> RedisSession:
    return RedisSession(url_with_password(valkey.endpoint), NAMESPACE, timeout_s=5.0)


class Placer:
    """A process that places the order under the key `k`; its secrets go by a pipe."""

    def __init__(self, valkey: Handle, broker: Broker, *, stops: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PLACE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.say(url_with_password(valkey.endpoint), broker.url, "stops" if stops else "")
        assert self.line() == "ready"

    def say(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


def place(session: RedisSession, broker: Broker) -> tuple[str, int | None]:
    client = SchwabClient(broker.url, lambda _: Secret("I0.token@"), clock=VirtualClock(NOW_NS))
    outcome = client.place_once(HASH, ORDER, key="k", ledger=RedisOrderLedger(session))
    return outcome.state, outcome.order_id


def test_two_processes_with_one_key_place_one_order(
    valkey: Handle, session: RedisSession, broker: Broker
) -> None:
    placers = [Placer(valkey, broker) for _ in range(2)]
    for placer in placers:
        placer.say("go")
    told = sorted(
        placer.process.communicate(timeout=DEADLINE_S)[0].split()[0] for placer in placers
    )
    assert told == ["held", "noted"]
    assert len(broker.placed) == 1
    assert place(session, broker) == ("placed", 100)
    assert RedisOrderLedger(session).order_ids() == {100}
    assert len(broker.placed) == 1


def test_a_process_killed_between_noting_and_placing_leaves_a_key_that_never_places(
    valkey: Handle, session: RedisSession, broker: Broker
) -> None:
    placer = Placer(valkey, broker, stops=True)
    placer.say("go")
    assert placer.line() == "noted"
    placer.kill()
    assert place(session, broker) == ("unknown", None)
    assert broker.placed == []


def test_a_process_killed_while_its_order_was_under_way_finds_it_and_places_none(
    valkey: Handle, session: RedisSession, broker: Broker
) -> None:
    broker.answers = False
    placer = Placer(valkey, broker)
    placer.say("go")
    assert broker.posted.wait(DEADLINE_S)
    placer.kill()
    assert place(session, broker) == ("placed", 100)
    assert RedisOrderLedger(session).order_ids() == {100}
    assert len(broker.placed) == 1


def test_a_key_is_claimed_once_settled_and_free_after_its_release(session: RedisSession) -> None:
    ledger, other = RedisOrderLedger(session), RedisOrderLedger(session)
    first = Claim(key="a", fingerprint="f", sent_ns=1)
    assert ledger.claim(first) is None
    assert other.claim(Claim(key="a", fingerprint="g", sent_ns=2)) == first
    placed = Claim(key="a", fingerprint="f", sent_ns=1, state="placed", order_id=7)
    other.settle(placed)
    assert ledger.claim(first) == placed
    assert ledger.order_ids() == {7}
    ledger.release("a")
    ledger.release("never there")
    assert other.order_ids() == frozenset()
    assert other.claim(first) is None


def test_nothing_is_placed_by_a_damaged_claim_another_order_or_without_redis(
    valkey: Handle, session: RedisSession, broker: Broker
) -> None:
    ledger = RedisOrderLedger(session)
    ledger.claim(Claim(key="k", fingerprint="another order's", sent_ns=1))
    with pytest.raises(UsageError, match="another order"):
        place(session, broker)
    with session.asking("damage") as server:
        server.hset(session.key(REDIS_NAME), "k", b"{")
    with pytest.raises(CorruptStore, match="orders list"):
        place(session, broker)
    valkey.close()
    with pytest.raises(StackError):
        place(session, broker)
    assert broker.placed == []
