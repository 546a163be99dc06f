"""A stream read along through outages, trims and entries of another make."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fakeredis
import pyarrow as pa
import pytest
import redis.exceptions

from infrastructure.clock import SystemClock
from infrastructure.redis.frames import FIELD
from system.algo_trader.api.live import frame_tail as room
from system.algo_trader.api.live.frame_tail import FrameTail
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm

STREAM = "ticks"


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@dataclass
class Seen:
    """Keep what a tail hands on."""

    values: list[int] = field(default_factory=list)
    away: list[int] = field(default_factory=list)
    back: list[bool] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)

    def take(self, frame: pa.Table, _: str) -> None:
        self.values += frame.column("value").to_pylist()


class Line(fakeredis.FakeRedis):
    """A connection that a test cuts, while others still reach the server."""

    is_cut = False

    def execute_command(self, *words: Any, **options: Any) -> Any:
        if self.is_cut:
            raise redis.exceptions.ConnectionError("cut")
        return super().execute_command(*words, **options)  # type: ignore[no-untyped-call]


@dataclass
class World:
    """Hold a Redis in memory, the tail's line to it, and what the tail saw."""

    redis: AlgoTraderRedisClient
    theirs: AlgoTraderRedisClient
    line: Line
    seen: Seen = field(default_factory=Seen)

    def write(self, *values: int) -> None:
        for value in values:
            batch = pa.record_batch({"value": [value]})
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            self.raw({FIELD: sink.getvalue().to_pybytes()})

    def raw(self, fields: dict[str, bytes]) -> None:
        self.redis.xadd(STREAM, fields)

    def trim(self, keep: int) -> None:
        with self.redis.asking("XTRIM") as server:
            server.xtrim(self.redis.key(STREAM), maxlen=keep, approximate=False)

    def wipe(self) -> None:
        with self.redis.asking("DEL") as server:
            server.delete(self.redis.key(STREAM))

    def tail(self, begin: int = 0) -> FrameTail:
        return FrameTail(
            self.theirs, STREAM, self.seen.take, away=self.seen.away.append,
            back=self.seen.back.append,
            lost=lambda *ids: self.seen.lost.append(ids), clock=SystemClock(), begin=begin,
        )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(room, "RETRY_S", 0.005)
    monkeypatch.setattr(room, "_BLOCK_MS", 5)
    server, url = fakeredis.FakeServer(), "redis://127.0.0.1:1/0"
    line = Line(server=server, protocol=2)
    ours = fakeredis.FakeRedis(server=server, protocol=2)

    def client(connection: Any) -> AlgoTraderRedisClient:
        return AlgoTraderRedisClient(url, Realm.sim(tmp_path), connect=lambda *_: connection)

    return World(client(ours), client(line), line)


@pytest.fixture
def tail(world: World) -> Iterator[FrameTail]:
    world.write(1, 2, 3)
    made = world.tail(begin=2)
    made.start()
    until(lambda: world.seen.values == [2, 3])
    yield made
    made.close()


def cut(world: World) -> None:
    world.line.is_cut = True
    count = len(world.seen.away)
    until(lambda: len(world.seen.away) > count)


def mend(world: World, count: int) -> None:
    world.line.is_cut = False
    until(lambda: len(world.seen.back) == count)


@pytest.mark.usefixtures("tail")
def test_it_begins_with_the_newest_and_goes_on_with_what_comes(world: World) -> None:
    world.write(4, 5)
    until(lambda: world.seen.values == [2, 3, 4, 5])
    assert (world.seen.back, world.seen.away) == ([False], [])


@pytest.mark.usefixtures("tail")
def test_after_an_outage_nothing_is_missing_and_nothing_twice(world: World) -> None:
    cut(world)
    world.write(4)
    mend(world, 2)
    world.write(5)
    until(lambda: world.seen.values == [2, 3, 4, 5])
    assert world.seen.back == [False, False]
    assert world.seen.away == sorted(world.seen.away)


@pytest.mark.usefixtures("tail")
def test_what_has_left_the_stream_meanwhile_is_told(world: World) -> None:
    cut(world)
    world.write(4, 5, 6)
    world.trim(1)
    mend(world, 2)
    until(lambda: world.seen.values == [2, 3, 6])
    assert world.seen.back == [False, True]
    assert len(world.seen.lost) == 1


def test_a_reader_that_the_stream_has_overtaken_says_what_it_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_ENTRIES", 4)
    world.write(1)
    halted, goes_on = threading.Event(), threading.Event()
    take = world.seen.take

    def slowly(frame: pa.Table, entry: str) -> None:
        take(frame, entry)
        if world.seen.values == [1, 2]:
            halted.set()
            goes_on.wait(20)

    monkeypatch.setattr(world.seen, "take", slowly)
    tail = world.tail(begin=1)
    tail.start()
    until(lambda: world.seen.values == [1])
    world.write(2)
    halted.wait(20)
    world.write(*range(3, 20))
    world.trim(6)
    goes_on.set()
    until(lambda: world.seen.values[-1] == 19)
    tail.close()
    assert world.seen.values == [1, 2, *range(14, 20)]
    assert world.seen.back == [False, True]
    assert len(world.seen.lost) == 1


@pytest.mark.usefixtures("tail")
def test_a_redis_that_lost_the_stream_is_read_from_its_new_beginning(world: World) -> None:
    cut(world)
    world.wipe()
    mend(world, 2)
    assert world.seen.back == [False, True]
    world.write(7)
    until(lambda: world.seen.values == [2, 3, 7])


@pytest.mark.usefixtures("tail")
def test_entries_of_another_make_are_passed_over(world: World) -> None:
    world.raw({FIELD: b"nothing"})
    world.raw({"else": b"nothing"})
    batch = pa.record_batch({"colour": ["red"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    world.raw({FIELD: sink.getvalue().to_pybytes()})
    world.write(4)
    until(lambda: world.seen.values == [2, 3, 4])
    assert world.seen.away == []


def test_it_begins_while_redis_is_away(world: World) -> None:
    world.line.is_cut = True
    tail = world.tail()
    tail.start()
    until(lambda: len(world.seen.away) > 1)
    mend(world, 1)
    world.write(1)
    until(lambda: world.seen.values == [1])
    tail.close()
