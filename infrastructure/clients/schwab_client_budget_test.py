import fakeredis
import pytest

from infrastructure.clients.schwab_client_budget import SharedBudget
from infrastructure.clock import VirtualClock
from infrastructure.errors import ServiceUnavailable
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.budget import Rate


def budget(server: fakeredis.FakeServer, rate: Rate) -> SharedBudget:
    session = RedisSession(
        "redis://127.0.0.1:1/0",
        "test",
        connect=lambda *_: fakeredis.FakeRedis(server=server),
    )
    return SharedBudget(session, VirtualClock(0), rate)


def test_two_processes_take_from_one_bucket() -> None:
    server = fakeredis.FakeServer()
    first, second = (budget(server, Rate(7, 6)) for _ in range(2))
    waits = [(first, second)[turn % 2].take() for turn in range(8)]
    assert waits[:6] == [0.0] * 6
    assert waits[6] > 50
    assert waits[7] > 110


def test_without_redis_a_process_keeps_to_the_budget_by_itself() -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    alone = budget(server, Rate(7, 6))
    waits = [alone.take() for _ in range(7)]
    assert waits[:6] == [0.0] * 6
    assert waits[6] == pytest.approx(60.0)
    with pytest.raises(ServiceUnavailable), alone._redis.asking("PING") as client:
        client.ping()
