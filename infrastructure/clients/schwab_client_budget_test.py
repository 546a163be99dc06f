from decimal import Decimal

import fakeredis
import pytest

from infrastructure.clients.schwab_client_budget import SharedBudget, SharedOrderCount
from infrastructure.clock import VirtualClock
from infrastructure.errors import ServiceUnavailable, TradingNotArmed
from infrastructure.redis.session import RedisSession
from infrastructure.schwab.budget import Rate
from infrastructure.schwab.orders import arming
from infrastructure.schwab.orders.arming import Arming, TradingLimits


def session(server: fakeredis.FakeServer) -> RedisSession:
    return RedisSession(
        "redis://127.0.0.1:1/0",
        "test",
        connect=lambda *_: fakeredis.FakeRedis(server=server),
    )


def budget(server: fakeredis.FakeServer, rate: Rate) -> SharedBudget:
    return SharedBudget(session(server), VirtualClock(0), rate)


def arming_of(server: fakeredis.FakeServer) -> Arming:
    limits = TradingLimits(frozenset({"1"}), Decimal(1000), 3)
    return Arming(limits, VirtualClock(0), SharedOrderCount(session(server)))


def permitted(one: Arming) -> bool:
    try:
        one.permit("POST", "https://x/orders", b"{}", account_number="1", notional=Decimal(5))
    except TradingNotArmed:
        return False
    return True


def test_processes_together_send_no_more_orders_a_minute_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arming, "_STARTED_WITH", ("program", arming.FLAG))
    server = fakeredis.FakeServer()
    first, second = arming_of(server), arming_of(server)
    assert [permitted(one) for one in (first, second, second, first, second)] == [
        *[True] * 3,
        *[False] * 2,
    ]


def test_no_order_is_sent_while_nobody_can_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "_STARTED_WITH", ("program", arming.FLAG))
    server = fakeredis.FakeServer()
    server.connected = False
    assert not permitted(arming_of(server))
    server.connected = True
    assert permitted(arming_of(server))


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
