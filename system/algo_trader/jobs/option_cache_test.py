"""Judge the caches by a store whose keys expire when told, and by values that others spoiled."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import fakeredis
import numpy as np
import pytest

from infrastructure.clock import rfc3339
from infrastructure.errors import CorruptStore
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.jobs.option_cache import (
    cached_chain,
    cached_expiries,
    cached_report,
    keep_report,
)
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, synthetic_chain
from system.algo_trader.realm import Realm

TERMS = ReportTerms()
SECOND = 1_000_000_000
CHAIN = synthetic_chain(expiries=3, strikes=11, half_spread=0.05)
NAME = CHAIN.underlying


@pytest.fixture
def raw() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)


@pytest.fixture
def redis(raw: fakeredis.FakeRedis) -> AlgoTraderRedisClient:
    server = raw.connection_pool.connection_kwargs["server"]

    def connect(*_: Any) -> fakeredis.FakeRedis:
        return fakeredis.FakeRedis(server=server, protocol=2)

    return AlgoTraderRedisClient("redis://host", Realm.sim(Path("/home")), connect=connect)


def keep(redis: AlgoTraderRedisClient) -> dict[str, Any]:
    facts = {"name": "Test", "source": "test"}
    document = {**facts, **TERMS.report(CHAIN, NOW_NS).as_dict()}
    keep_report(redis, CHAIN, document, TERMS, NOW_NS)
    return document


def test_a_report_comes_back_with_its_age_told_anew(redis: AlgoTraderRedisClient) -> None:
    document = keep(redis)
    assert document["stale"] is False
    found = cached_report(redis, NAME, TERMS, NOW_NS + 20 * SECOND)
    assert found is not None
    assert found.age_s == found.document["cached_for_s"] == 20
    assert found.document["age_s"] == document["age_s"] + 20
    assert found.document["computed_at"] == rfc3339(NOW_NS)
    same = set(document) - {"age_s", "stale"}
    assert {name: found.document[name] for name in same} == {n: document[n] for n in same}
    later = cached_report(redis, NAME, TERMS, NOW_NS + 301 * SECOND)
    assert later is not None
    assert later.document["stale"] is True


def test_other_terms_and_other_symbols_find_nothing(redis: AlgoTraderRedisClient) -> None:
    keep(redis)
    assert cached_report(redis, NAME, ReportTerms(rates="0.05"), NOW_NS) is None
    assert cached_report(redis, "OTHER", TERMS, NOW_NS) is None


def test_keys_live_in_the_realms_namespace_for_their_time(
    redis: AlgoTraderRedisClient, raw: fakeredis.FakeRedis
) -> None:
    keep(redis)
    expiries = cached_expiries(redis, NAME)
    assert len(expiries) == 3
    names = [f"algo_trader_sim:options:{NAME}:{day}" for day in expiries]
    assert sorted(raw.keys()) == [f"algo_trader_sim:gex:{NAME}", *names]
    assert 29_000 < raw.pttl(f"algo_trader_sim:gex:{NAME}") <= 30_000
    assert all(59_000 < raw.pttl(name) <= 60_000 for name in names)


def test_what_has_expired_is_gone(redis: AlgoTraderRedisClient, raw: fakeredis.FakeRedis) -> None:
    keep(redis)
    raw.pexpireat(f"algo_trader_sim:gex:{NAME}", 1)
    assert cached_report(redis, NAME, TERMS, NOW_NS) is None
    assert cached_chain(redis, NAME) is not None
    # A chain without one of its expiries is no chain.
    raw.pexpireat(f"algo_trader_sim:options:{NAME}:{cached_expiries(redis, NAME)[1]}", 1)
    assert len(cached_expiries(redis, NAME)) == 2
    assert cached_chain(redis, NAME) is None
    raw.flushall()
    assert cached_expiries(redis, NAME) == ()
    assert cached_chain(redis, NAME) is None


def test_a_chain_comes_back_to_the_bit(redis: AlgoTraderRedisClient) -> None:
    keep(redis)
    back = cached_chain(redis, NAME)
    assert back is not None
    for field in fields(Chain):
        ours, theirs = getattr(CHAIN, field.name), getattr(back, field.name)
        if isinstance(ours, np.ndarray):
            assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), field.name
        else:
            assert ours == theirs, field.name


def test_two_snapshots_are_not_mixed(
    redis: AlgoTraderRedisClient, raw: fakeredis.FakeRedis
) -> None:
    keep(redis)
    key = f"algo_trader_sim:options:{NAME}:{cached_expiries(redis, NAME)[0]}"
    document = json.loads(raw.get(key) or "")
    raw.set(key, json.dumps({**document, "as_of": rfc3339(NOW_NS + DAY_NS)}))
    assert cached_chain(redis, NAME) is None


@pytest.mark.parametrize(
    "value",
    ["{", "[1]", "{}", '{"symbol": "SYN"}', '"text"'],
)
def test_a_damaged_report_is_said_and_not_shown(
    redis: AlgoTraderRedisClient, raw: fakeredis.FakeRedis, value: str
) -> None:
    raw.set(f"algo_trader_sim:gex:{NAME}", value)
    with pytest.raises(CorruptStore, match=f"gex:{NAME}"):
        cached_report(redis, NAME, TERMS, NOW_NS)


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        without("strike"),
        without("listed"),
        lambda document: {**document, "right": ["X"] * len(document["right"])},
        lambda document: {**document, "bid": document["bid"][1:]},
        lambda document: {**document, "settles": None},
        lambda document: {**document, "as_of": 7},
    ],
)
def test_a_damaged_chain_is_said_and_not_shown(
    redis: AlgoTraderRedisClient,
    raw: fakeredis.FakeRedis,
    spoil: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    keep(redis)
    for day in cached_expiries(redis, NAME):
        key = f"algo_trader_sim:options:{NAME}:{day}"
        raw.set(key, json.dumps(spoil(json.loads(raw.get(key) or ""))))
    with pytest.raises(CorruptStore, match=f"options:{NAME}"):
        cached_chain(redis, NAME)


def test_a_report_whose_moment_cannot_be_read_is_damaged(
    redis: AlgoTraderRedisClient, raw: fakeredis.FakeRedis
) -> None:
    document = keep(redis)
    kept = {**document, "terms": TERMS.as_dict(), "computed_at": "yesterday"}
    raw.set(f"algo_trader_sim:gex:{NAME}", json.dumps(kept))
    with pytest.raises(CorruptStore, match="is no report"):
        cached_report(redis, NAME, TERMS, NOW_NS)
