"""The base client of Redis against fakeredis: namespaces, kinds of values, absences, errors."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
from redis import exceptions as theirs

from infrastructure.clients.redis_client import BaseRedisClient, StreamEntry
from infrastructure.clock import VirtualClock
from infrastructure.errors import (
    ConfigError,
    CorruptStore,
    InputError,
    RetryableError,
    ServiceUnavailable,
    UsageError,
)


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


def client_of(
    server: fakeredis.FakeServer, namespace: str = "ns", **options: Any
) -> BaseRedisClient:
    def connect(*_: Any) -> fakeredis.FakeRedis:
        return fakeredis.FakeRedis(server=server, protocol=2)

    return BaseRedisClient("redis://host", namespace, connect=connect, **options)


@pytest.fixture
def client(server: fakeredis.FakeServer) -> Iterator[BaseRedisClient]:
    with client_of(server) as client:
        yield client


@pytest.fixture
def raw(server: fakeredis.FakeServer) -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis(server=server, decode_responses=True)


def test_keys_carry_the_namespace(client: BaseRedisClient, raw: fakeredis.FakeRedis) -> None:
    assert client.set("a", "1")
    assert raw.keys() == ["ns:a"]
    assert client.get("a") == "1"


def test_a_missing_key_is_none(client: BaseRedisClient) -> None:
    assert client.get("a") is None
    assert client.get_bytes("a") is None
    assert client.get_json("a") is None
    assert client.hget("a", "f") is None
    assert client.lpop("a") is None
    assert client.rpop("a") is None
    assert client.ttl("a") is None
    assert not client.exists("a")
    assert not client.expire("a", 10)
    assert client.hgetall("a") == {}
    assert client.smembers("a") == set()
    assert client.lrange("a", 0, -1) == []


def test_bytes_come_back_as_they_were(client: BaseRedisClient) -> None:
    every = bytes(range(256))
    client.set("a", every)
    assert client.get_bytes("a") == every
    with pytest.raises(InputError, match="no UTF-8"):
        client.get("a")


def test_json_comes_back_equal(client: BaseRedisClient) -> None:
    value = {"symbol": "AAPL", "closes": [1.5, None, True], "name": "Äpfel"}
    client.set_json("a", value, ttl=5)
    assert client.get_json("a") == value
    assert client.ttl("a") == pytest.approx(5, abs=1)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_what_json_cannot_say_is_refused(client: BaseRedisClient, value: object) -> None:
    with pytest.raises(UsageError, match="no JSON form"):
        client.set_json("a", value)


def test_a_text_that_is_no_json_is_named(client: BaseRedisClient) -> None:
    client.set("a", "{")
    with pytest.raises(CorruptStore, match="'a' is no JSON"):
        client.get_json("a")


def test_a_time_to_live_is_set_changed_and_read(client: BaseRedisClient) -> None:
    client.set("a", "1", ttl=100)
    assert client.ttl("a") == pytest.approx(100, abs=1)
    assert client.expire("a", 5.5)
    assert client.ttl("a") == pytest.approx(5.5, abs=1)
    client.set("a", "2")
    assert client.ttl("a") is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_to_live_that_is_not_positive_is_refused(
    client: BaseRedisClient, seconds: float
) -> None:
    with pytest.raises(UsageError, match="more than 0 s"):
        client.set("a", "1", ttl=seconds)
    with pytest.raises(UsageError, match="more than 0 s"):
        client.expire("a", seconds)


def test_a_value_that_is_there_can_be_left(client: BaseRedisClient) -> None:
    assert client.set("a", "1", only_if_absent=True)
    assert not client.set("a", "2", only_if_absent=True)
    assert client.get("a") == "1"


def test_numbers_are_counted(client: BaseRedisClient) -> None:
    assert [client.increment("n"), client.increment("n", 5)] == [1, 6]


def test_deleting_says_how_many_were_there(client: BaseRedisClient) -> None:
    client.set("a", "1")
    client.set("b", "1")
    assert client.delete("a", "b", "c") == 2
    assert not client.exists("a")


def test_keys_are_listed_by_pattern_within_the_namespace(
    server: fakeredis.FakeServer, client: BaseRedisClient
) -> None:
    for name in ("quote:MSFT", "quote:AAPL", "gex:AAPL"):
        client.set(name, "1")
    client_of(server, "ns2").set("quote:IBM", "1")
    client_of(server, "other").set("quote:IBM", "1")
    assert client.keys("quote:*") == ["quote:AAPL", "quote:MSFT"]
    assert client.keys() == ["gex:AAPL", "quote:AAPL", "quote:MSFT"]


def test_a_flush_empties_its_own_namespace_only(server: fakeredis.FakeServer) -> None:
    starry, plain, longer = (
        client_of(server, "n*"),
        client_of(server, "ns"),
        client_of(server, "nss"),
    )
    for one in (starry, plain, longer):
        for number in range(3):
            one.set(f"k{number}", "1")
    assert starry.flushdb() == 3
    assert plain.flushdb() == 3
    assert plain.flushdb() == 0
    assert longer.keys() == ["k0", "k1", "k2"]


def test_a_flush_takes_more_keys_than_one_batch(
    client: BaseRedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.redis.values.SCAN_COUNT", 4)
    for number in range(11):
        client.set(f"k{number}", "1")
    assert client.flushdb() == 11


def test_a_hash_holds_fields(client: BaseRedisClient) -> None:
    assert client.hset("h", "bid", 1.5) == 1
    assert client.hmset("h", {"bid": 2, "ask": "3"}) == 1
    assert client.hget("h", "bid") == "2"
    assert client.hgetall("h") == {"bid": "2", "ask": "3"}
    assert client.hdel("h", "bid", "none") == 1
    assert client.hset("h", "last", "4", ttl=9) == 1
    assert client.ttl("h") == pytest.approx(9, abs=1)
    with pytest.raises(UsageError, match="no field"):
        client.hmset("h", {})


def test_a_set_holds_members(client: BaseRedisClient) -> None:
    assert client.sadd("s", "a", "b", "a") == 2
    assert client.smembers("s") == {"a", "b"}
    assert client.sismember("s", "a")
    assert not client.sismember("s", "z")
    assert client.scard("s") == 2
    assert client.srem("s", "a", "z") == 1


def test_a_list_is_filled_and_emptied_from_both_ends(client: BaseRedisClient) -> None:
    assert client.rpush("l", "b", "c") == 2
    assert client.lpush("l", "a") == 3
    assert client.lrange("l", 0, -1) == ["a", "b", "c"]
    assert client.llen("l") == 3
    assert (client.lpop("l"), client.rpop("l")) == ("a", "c")


def test_a_pipeline_is_one_step_with_namespaced_keys(
    client: BaseRedisClient, raw: fakeredis.FakeRedis
) -> None:
    answers = client.pipeline_execute([("set", "a", "1"), ("HSET", "h", "f", "2"), ("get", "a")])
    assert answers == [True, 1, b"1"]
    assert sorted(raw.keys()) == ["ns:a", "ns:h"]
    pipeline = client.pipeline(transaction=False)
    assert len(pipeline.add("hset", "h", mapping={"x": 1}).add("llen", "l")) == 2
    assert pipeline.execute() == [1, 0]
    assert pipeline.execute() == []


def test_a_pipeline_refuses_commands_whose_keys_it_does_not_know(client: BaseRedisClient) -> None:
    with pytest.raises(UsageError, match="cannot 'flushall'"):
        client.pipeline().add("flushall", "a")


def test_a_pipeline_raises_the_first_error(client: BaseRedisClient) -> None:
    client.set("a", "text")
    with pytest.raises(InputError, match="another kind"):
        client.pipeline_execute([("set", "b", "1"), ("lpush", "a", "1")])


def test_a_stream_is_bounded_and_read_on_from_an_id(client: BaseRedisClient) -> None:
    ids = [client.xadd("ticks", {"price": n}, max_length=3, exact=True) for n in range(5)]
    assert client.xlen("ticks") == 3
    assert client.xread({"ticks": ids[3]}) == {"ticks": [StreamEntry(ids[4], {"price": b"4"})]}
    assert client.xread({"ticks": ids[4]}) == {}
    assert [entry.id for entry in client.xrange("ticks", count=2)] == ids[2:4]
    assert client.xdel("ticks", ids[2], "0-1") == 1
    assert client.xadd("ticks", {"price": 9}, entry_id="99999999999999-0") == "99999999999999-0"


def test_a_consumer_group_hands_each_entry_to_one_consumer_until_it_is_acknowledged(
    client: BaseRedisClient,
) -> None:
    assert client.xgroup_create("orders", "g", after="0")
    assert not client.xgroup_create("orders", "g")
    first, second = (client.xadd("orders", {"n": n}) for n in "12")
    assert client.xreadgroup("g", "one", {"orders": ">"}, count=1) == {
        "orders": [StreamEntry(first, {"n": b"1"})]
    }
    assert client.xreadgroup("g", "two", {"orders": ">"}) == {
        "orders": [StreamEntry(second, {"n": b"2"})]
    }
    assert client.xack("orders", "g", first) == 1
    assert client.xreadgroup("g", "one", {"orders": "0"}) in ({}, {"orders": []})
    assert client.xclaim("orders", "g", "one", second, idle_ms=0) == [
        StreamEntry(second, {"n": b"2"})
    ]
    assert client.xgroup_destroy("orders", "g")
    assert not client.xgroup_destroy("orders", "g")


def test_reading_for_a_group_that_is_not_there_is_an_input_error(client: BaseRedisClient) -> None:
    client.xadd("s", {"a": 1})
    with pytest.raises(InputError, match="NOGROUP"):
        client.xreadgroup("g", "one", {"s": ">"})


def test_making_a_group_on_a_value_that_is_no_stream_is_an_input_error(
    client: BaseRedisClient,
) -> None:
    client.set("s", "text")
    with pytest.raises(InputError, match="another kind"):
        client.xgroup_create("s", "g")


@pytest.mark.parametrize("block_ms", [0, -1, 5000])
def test_a_wait_beyond_the_time_out_is_refused(client: BaseRedisClient, block_ms: int) -> None:
    with pytest.raises(UsageError, match="less than the time-out of 5 s"):
        client.xread({"s": "$"}, block_ms=block_ms)


def test_a_channel_is_not_prefixed_and_delivers_to_whoever_listens(
    client: BaseRedisClient, raw: fakeredis.FakeRedis
) -> None:
    assert client.publish("market_data:ticks", "nobody hears") == 0
    with client.subscribe("market_data:ticks", "market_data:level2") as heard:
        assert raw.publish("market_data:ticks", "one") == 1
        assert client.publish("market_data:level2", b"\xff") == 1
        messages = [heard.receive(1), heard.receive(1)]
        assert [(m.channel, m.data) for m in messages if m] == [
            ("market_data:ticks", b"one"),
            ("market_data:level2", b"\xff"),
        ]
        assert heard.receive(0.01) is None
    with pytest.raises(UsageError, match="names no channel"), client.subscribe():
        pass


def test_tokens_of_a_lock_grow_from_holder_to_holder(client: BaseRedisClient) -> None:
    first = client.acquire_lock("refresh")
    with pytest.raises(RetryableError, match="'refresh' is held by another"):
        client.acquire_lock("refresh")
    assert client.release_lock(first)
    second = client.acquire_lock("refresh")
    assert second.token > first.token


def test_a_lock_is_released_and_extended_by_its_owner_only(client: BaseRedisClient) -> None:
    first = client.acquire_lock("refresh", ttl=50)
    client.delete("lock:{refresh}")
    second = client.acquire_lock("refresh", ttl=50)
    assert not client.release_lock(first)
    assert not client.extend_lock(first)
    assert client.extend_lock(second, ttl=500)
    assert client.ttl("lock:{refresh}") == pytest.approx(500, abs=1)
    assert client.release_lock(second)


def test_a_lock_is_waited_for_on_the_given_clock(server: fakeredis.FakeServer) -> None:
    clock = VirtualClock(0)
    waiting = client_of(server, clock=clock)
    held = client_of(server).acquire_lock("refresh")
    with (
        pytest.raises(RetryableError),
        waiting.lock("refresh", wait_s=10, retry_interval=0.5),
    ):
        pass
    assert clock.now_ns() == 10_000_000_000
    client_of(server).release_lock(held)
    with waiting.lock("refresh") as mine:
        assert mine.token > held.token


def test_a_lock_lost_within_its_block_is_logged(
    client: BaseRedisClient, caplog: pytest.LogCaptureFixture
) -> None:
    with client.lock("refresh"):
        client.delete("lock:{refresh}")
    assert "the lock refresh ended" in caplog.text


def test_a_lock_needs_a_positive_interval(client: BaseRedisClient) -> None:
    with pytest.raises(UsageError, match="retry interval"), client.lock("a", retry_interval=0):
        pass


def test_a_server_that_is_down_raises_and_is_never_none(client: BaseRedisClient) -> None:
    down = fakeredis.FakeServer()
    down.connected = False
    lost = client_of(down)
    for call in (
        lambda: lost.get("a"),
        lambda: lost.exists("a"),
        lambda: lost.keys(),
        lambda: lost.flushdb(),
        lambda: lost.ping(),
        lambda: lost.identity(),
        lambda: lost.acquire_lock("a"),
        lambda: lost.pipeline_execute([("get", "a")]),
        lambda: lost.publish("c", "m"),
    ):
        with pytest.raises(ServiceUnavailable, match="redis://host:6379/0"):
            call()


def test_a_wrong_kind_of_value_is_an_input_error(client: BaseRedisClient) -> None:
    client.set("a", "text")
    with pytest.raises(InputError, match="another kind of value"):
        client.hget("a", "f")
    with pytest.raises(UsageError, match="cannot store"):
        client.set("a", None)  # type: ignore[arg-type]


def test_a_wrong_namespace_or_key_is_refused(client: BaseRedisClient) -> None:
    for namespace in ("", " ns", "ns:"):
        with pytest.raises(ConfigError, match="namespace"):
            BaseRedisClient("redis://host", namespace)
    with pytest.raises(UsageError, match="key is empty"):
        client.get("")


def test_the_representation_shows_no_password() -> None:
    client = BaseRedisClient("redis://me:hunter2@host/1", "ns")
    assert repr(client) == "BaseRedisClient('redis://me:***@host:6379/1', namespace='ns')"


def test_a_failure_to_open_the_connection_is_in_our_tree() -> None:
    def connect(*_: Any) -> fakeredis.FakeRedis:
        raise theirs.RedisClusterException("no node answers")

    with pytest.raises(ServiceUnavailable, match="no node answers"):
        BaseRedisClient("redis+cluster://host", "ns", connect=connect).ping()


def test_a_closed_client_opens_again(client: BaseRedisClient) -> None:
    client.set("a", "1")
    client.close()
    client.close()
    assert client.get("a") == "1"


def test_a_cluster_that_answers_for_each_node_says_what_its_first_node_is() -> None:
    class Nodes:
        def info(self, _: str) -> dict[str, dict[str, Any]]:
            return {
                "one:1": {"redis_version": "7.2.4", "process_id": 5, "redis_mode": "cluster"},
                "two:2": {"redis_version": "7.0.0"},
            }

    client = BaseRedisClient("redis+cluster://host", "ns", connect=lambda *_: Nodes())  # type: ignore[arg-type]
    assert client.identity() == ("redis", "7.2.4", 5, "cluster")
