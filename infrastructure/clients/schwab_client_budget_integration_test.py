"""The budget of requests and the count of orders, shared by processes through a real Valkey."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.clients.schwab_client_budget import SharedBudget, SharedOrderCount
from infrastructure.clock import VirtualClock
from infrastructure.errors import StackError
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.budget import Rate
from infrastructure.supervision import Handle, Supervisor

ROOT = Path(__file__).resolve().parents[2]
RATE = Rate(per_minute=3_000, burst=10)
TAKE = """
import sys
from infrastructure.clients.schwab_client_budget import SharedBudget, SharedOrderCount
from infrastructure.clock import VirtualClock
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.budget import Rate
url = sys.stdin.readline().strip()
session = RedisSession(url, "test", timeout_s=5.0)
budget = SharedBudget(session, VirtualClock(0), Rate(per_minute=3_000, burst=10))
count = SharedOrderCount(session)
print("ready", flush=True)
sys.stdin.readline()
print(*(budget.take() for _ in range(20)))
print(*(int(count(15)) for _ in range(20)))
"""


@pytest.fixture
def server() -> Iterator[Handle]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    with Supervisor(folder).ensure(embedded_redis_spec(folder / "redis", port=0)) as handle:
        yield handle
    shutil.rmtree(folder)


def test_two_processes_share_one_budget_and_one_count(server: Handle) -> None:
    url = url_with_password(server.endpoint)
    ones = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for one in ones:  # the address carries a password: it goes by a pipe, not by argv
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write(f"{url}\n")
        one.stdin.flush()
        assert one.stdout.readline() == "ready\n"
    for one in ones:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [one.communicate(timeout=60)[0].splitlines() for one in ones]
    assert [one.returncode for one in ones] == [0, 0]
    # Alone, each would have sent 10 at once and the rest at 49.8 a second: 10 waits of up to
    # 0.2 s. Together the two of 20 each owe at least 30 tokens less what time refilled.
    free = sum(float(wait) == 0.0 for line, _ in told for wait in line.split())
    longest = max(float(wait) for line, _ in told for wait in line.split())
    assert free < 2 * RATE.burst + 10
    assert longest > 10 / RATE.per_s
    assert sum(int(counted) for _, line in told for counted in line.split()) == 15


def test_with_redis_gone_mid_way_requests_go_on_alone_and_orders_stop(server: Handle) -> None:
    session = RedisSession(url_with_password(server.endpoint), "test", timeout_s=1.0)
    budget, count = SharedBudget(session, VirtualClock(0), RATE), SharedOrderCount(session)
    assert budget.take() == 0.0
    assert count(5)
    server.close()
    waits = [budget.take() for _ in range(15)]
    # Its own bucket went on counting: one was taken before, nine are left, then it waits.
    assert waits[:9] == [0.0] * 9
    assert waits[9:] == sorted(waits[9:])
    assert waits[9] > 0.0
    with pytest.raises(StackError):
        count(5)
