"""Judge the loop of `gex --watch` on a clock that moves only when told."""

from pathlib import Path
from typing import Any

import fakeredis
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import NetworkError, NoDataError, RetryableError
from system.algo_trader.cli.gex_watch import keep, watch
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.options.chain import Chain
from system.algo_trader.realm import Realm


def test_a_watch_goes_on_after_a_passing_failure_and_ends_when_interrupted() -> None:
    clock, moments, told = VirtualClock(0), list[int](), list[RetryableError]()

    def refresh() -> None:
        moments.append(clock.now_ns() // 1_000_000_000)
        if len(moments) == 2:
            raise NetworkError("no answer")
        if len(moments) == 4:
            raise KeyboardInterrupt

    watch(refresh, told.append, clock, period_s=20)
    assert moments == [0, 20, 40, 60]
    assert [error.message for error in told] == ["no answer"]


def test_a_watch_ends_with_a_failure_that_stays() -> None:
    def refresh() -> None:
        raise NoDataError("no options")

    with pytest.raises(NoDataError):
        watch(refresh, lambda _: None, VirtualClock(0))


def test_a_report_and_each_expiry_are_kept_in_the_realms_namespace() -> None:
    server = fakeredis.FakeServer()

    def connect(*_: Any) -> fakeredis.FakeRedis:
        return fakeredis.FakeRedis(server=server, protocol=2)

    realm = Realm.sim(Path("/home"))
    redis = AlgoTraderRedisClient("redis://host", realm, connect=connect)
    day_ns = 86_400 * 10**9
    chain = Chain.of("AAPL", 430.0, 0, [day_ns, 3 * day_ns], [430.0, 435.0], [True, False])
    keep(redis, chain, {"spot": 430.0})
    raw = fakeredis.FakeRedis(server=server, decode_responses=True)
    assert sorted(raw.keys()) == [
        "algo_trader_sim:gex:AAPL",
        "algo_trader_sim:options:AAPL:1970-01-01",
        "algo_trader_sim:options:AAPL:1970-01-03",
    ]
    assert redis.load_gex("AAPL") == {"spot": 430.0}
