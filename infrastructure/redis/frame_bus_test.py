from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pyarrow as pa
import pytest

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.clock import VirtualClock
from infrastructure.errors import DiskFull, InputError
from infrastructure.influxdb.spool import Spool
from infrastructure.redis.frame_bus import FrameBus, row_count, unpacked
from infrastructure.redis.frames import FrameReader
from infrastructure.redis.hot_hashes import WHOLE_NS, HotHashes

LIMIT = 10**6


def frame(first: int, count: int = 3) -> pa.RecordBatch:
    return pa.record_batch({"time": list(range(first, first + count))})


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


@pytest.fixture
def redis(server: fakeredis.FakeServer) -> BaseRedisClient:
    theirs: Any = fakeredis.FakeRedis(server=server)
    return BaseRedisClient("redis://127.0.0.1:1/0", "test", connect=lambda address, wait: theirs)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "frames", LIMIT, count=row_count)
    yield made
    made.close()


def times(redis: BaseRedisClient, consumer: str = "one") -> list[int]:
    seen: list[int] = []
    reader = FrameReader(redis, "ticks", "archive", consumer)
    while reader.drain(lambda rows: seen.extend(rows.column("time").to_pylist())):
        pass
    return seen


def test_a_frame_is_one_entry_and_viewers_get_it_over_an_unprefixed_channel(
    redis: BaseRedisClient, spool: Spool
) -> None:
    bus = FrameBus(redis, "ticks", 1000, spool, channel="market_data:ticks")
    with redis.subscribe("market_data:ticks") as viewer:
        assert bus.write([frame(0), frame(3)]) == 2
        shown = [viewer.receive(1.0), viewer.receive(1.0)]
    assert [message.channel for message in shown if message] == ["market_data:ticks"] * 2
    assert shown[1] is not None
    assert pa.ipc.open_stream(shown[1].data).read_all().column("time").to_pylist() == [3, 4, 5]
    assert redis.xlen("ticks") == 2
    assert times(redis) == [0, 1, 2, 3, 4, 5]
    assert not bus.is_degraded


def test_frames_of_an_outage_wait_on_disk_and_come_in_order_once_redis_is_back(
    redis: BaseRedisClient, server: fakeredis.FakeServer, spool: Spool
) -> None:
    bus = FrameBus(redis, "ticks", 1000, spool, retry_s=0.001)
    bus.write([frame(0)])
    server.connected = False
    bus.write([frame(3), frame(6)])
    assert bus.is_degraded
    bus.write([frame(9)])
    assert spool.waiting()[:2] == (3, 9)
    server.connected = True
    wait_until(lambda: not bus.is_degraded)
    bus.write([frame(12)])
    assert times(redis) == list(range(15))
    assert len(spool) == 0


def test_a_frame_whose_answer_was_lost_is_there_once(redis: BaseRedisClient, spool: Spool) -> None:
    bus = FrameBus(redis, "ticks", 1000, spool)
    sent = [bus._numbered(frame(0)), bus._numbered(frame(3))]
    bus._send(sent)
    bus._send(sent[1:])
    other = FrameBus(redis, "ticks", 1000, spool)
    other.write([frame(6)])
    assert times(redis) == list(range(9))


def test_what_a_dead_process_left_is_sent_first_by_the_next_one(
    redis: BaseRedisClient, server: fakeredis.FakeServer, spool: Spool
) -> None:
    server.connected = False
    for first in (0, 3):
        bus = FrameBus(redis, "ticks", 1000, spool, retry_s=0.001)
        bus.write([frame(first)])
        bus.close()
    assert len({unpacked(block.lines).producer for block in spool.oldest(9)}) == 2
    server.connected = True
    bus = FrameBus(redis, "ticks", 1000, spool, retry_s=0.001)
    bus.write([frame(6)])
    wait_until(lambda: not bus.is_degraded)
    assert times(redis) == list(range(9))


def test_a_full_spool_refuses_frames_in_a_sentence(
    redis: BaseRedisClient, server: fakeredis.FakeServer, tmp_path: Path
) -> None:
    server.connected = False
    bus = FrameBus(redis, "ticks", 1000, Spool(tmp_path / "s", 500, count=row_count))
    with pytest.raises(DiskFull, match="is full"):
        bus.write([frame(number) for number in range(9)])
    bus.close()


def test_a_stream_key_of_another_kind_is_a_wrong_input_and_no_outage(
    redis: BaseRedisClient, spool: Spool
) -> None:
    redis.set("ticks", "text")
    bus = FrameBus(redis, "ticks", 1000, spool)
    with pytest.raises(InputError):
        bus.write([frame(0)])
    assert not bus.is_degraded


def test_a_dead_consumers_frames_are_taken_over_by_another(redis: BaseRedisClient) -> None:
    spool: Any = ()
    FrameBus(redis, "ticks", 1000, spool).write([frame(0), frame(3)])
    FrameReader(redis, "ticks", "archive", "dead")
    assert len(redis.xreadgroup("archive", "dead", {"ticks": ">"})["ticks"]) == 2
    assert times(redis) == []
    heir = FrameReader(redis, "ticks", "archive", "heir", takeover_ms=0)
    seen: list[int] = []
    assert heir.drain(lambda rows: seen.extend(rows.column("time").to_pylist())) == 2
    assert seen == list(range(6))
    assert heir.drain(seen.append) == 0


def test_a_group_that_redis_lost_is_made_again(redis: BaseRedisClient, spool: Spool) -> None:
    reader = FrameReader(redis, "ticks", "archive", "one")
    redis.delete("ticks")
    FrameBus(redis, "ticks", 1000, spool).write([frame(0)])
    seen: list[Any] = []
    assert reader.drain(seen.append) == 1


def test_last_values_are_read_here_during_an_outage_and_sent_after_it(
    redis: BaseRedisClient, server: fakeredis.FakeServer
) -> None:
    quotes = HotHashes(redis)
    quotes.update("quote:A", {"bid": 1, "ask": 2})
    assert quotes.flush()
    server.connected = False
    quotes.update("quote:A", {"bid": 3, "ask": None})
    assert not quotes.flush()
    quotes.update("quote:A", {"bid": 4})
    assert quotes.get("quote:A") == {"bid": 4}
    server.connected = True
    assert quotes.flush()
    assert quotes.failure is None
    assert redis.hgetall("quote:A") == {"bid": "4"}


def test_only_what_changed_is_sent_and_everything_again_after_a_while(
    redis: BaseRedisClient,
) -> None:
    redis.clock = VirtualClock(0)
    quotes = HotHashes(redis)
    quotes.update("quote:A", {"bid": 1, "ask": 2})
    assert quotes.flush()
    redis.delete("quote:A")
    quotes.update("quote:A", {"bid": 1, "ask": 3})
    assert quotes.flush()
    assert redis.hgetall("quote:A") == {"ask": "3"}
    redis.clock.sleep(WHOLE_NS / 1e9)
    assert quotes.flush()
    assert redis.hgetall("quote:A") == {"bid": "1", "ask": "3"}
