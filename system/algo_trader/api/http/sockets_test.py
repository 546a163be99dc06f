"""What a resumed socket says, by a Redis in memory that is trimmed while it is read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import fakeredis
import pyarrow as pa
import pytest

from infrastructure.clock import SystemClock
from infrastructure.redis.frames import FIELD, encode_frame
from system.algo_trader.api.http import sockets as room
from system.algo_trader.api.http.sockets import StreamSocket
from system.algo_trader.api.http.work import Work
from system.algo_trader.api.live.hub import Hub, Subscription
from system.algo_trader.api.live.live_ticks import LiveTicks
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive

STREAM = "ticks"
PAGE = 4
ALL = frozenset({"A"})


class Socket:
    """Keep what is sent; trim the stream once a value has gone."""

    def __init__(self, redis: AlgoTraderRedisClient, trim_at: int | None = None) -> None:
        self.redis = redis
        self.trim_at = trim_at
        self.sent: list[dict[str, Any]] = []

    async def send_text(self, text: str) -> None:
        said = json.loads(text)
        self.sent.append(said)
        if said["type"] == "ticks" and said["rows"][0]["value"] == self.trim_at:
            with self.redis.asking("XTRIM") as server:
                server.xtrim(self.redis.key(STREAM), maxlen=2, approximate=False)


@pytest.fixture
def redis(tmp_path: Path) -> AlgoTraderRedisClient:
    line = fakeredis.FakeRedis(protocol=2)
    realm = Realm.sim(tmp_path)
    return AlgoTraderRedisClient("redis://127.0.0.1:1/0", realm, connect=lambda *_: line)


def written(redis: AlgoTraderRedisClient, count: int) -> list[str]:
    return [
        redis.xadd(STREAM, {FIELD: encode_frame(pa.record_batch({"symbol": ["A"], "value": [n]}))})
        for n in range(1, count + 1)
    ]


def resumed(redis: AlgoTraderRedisClient, tmp_path: Path, socket: Socket, after: str) -> list[Any]:
    """Return the values that were sent, with `gap` between those that lie apart."""
    realm = Realm.sim(tmp_path)
    archive = Archive(tmp_path / "archive")
    stores = Stores(realm, archive, redis, lambda: None, LiveTicks(), SystemClock())  # type: ignore[arg-type, return-value]
    work = Work()
    served = StreamSocket("ticks", STREAM, Hub(pa.Table.to_pylist), stores, work, "read:ticks")
    asyncio.run(served._resume(socket, Subscription(ALL), ALL, after))  # type: ignore[arg-type]
    work.close()
    return ["gap" if said["type"] == "gap" else said["rows"][0]["value"] for said in socket.sent]


def test_what_leaves_the_stream_between_two_pages_is_a_gap(
    redis: AlgoTraderRedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_PAGE", PAGE)
    ids = written(redis, 12)
    socket = Socket(redis, trim_at=3)
    assert resumed(redis, tmp_path, socket, ids[0]) == [2, 3, 4, 5, "gap", 11, 12]
    [gap] = [said for said in socket.sent if said["type"] == "gap"]
    assert (gap["after"], gap["before"]) == (ids[4], ids[10])


def test_a_stream_that_is_whole_has_no_gap(
    redis: AlgoTraderRedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_PAGE", PAGE)
    ids = written(redis, 9)
    assert resumed(redis, tmp_path, Socket(redis), ids[3]) == [5, 6, 7, 8, 9]
    assert resumed(redis, tmp_path, Socket(redis), ids[-1]) == []
    assert resumed(redis, tmp_path, Socket(redis), "0") == list(range(1, 10))


def test_a_stream_that_began_anew_is_sent_from_its_beginning(
    redis: AlgoTraderRedisClient, tmp_path: Path
) -> None:
    written(redis, 3)
    later = "9999999999999-0"
    assert resumed(redis, tmp_path, Socket(redis), later) == ["gap", 1, 2, 3]
