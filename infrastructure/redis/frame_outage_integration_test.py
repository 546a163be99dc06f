"""A real Valkey dies or stands still under a stream of frames, and comes back on its port."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.errors import StackError
from infrastructure.influxdb.spool import Spool
from infrastructure.redis.frame_bus import FrameBus, row_count
from infrastructure.redis.frames import FrameReader
from infrastructure.redis.hot_hashes import HotHashes
from infrastructure.redis.testing import Valkey, wait_until

ROWS = 20
RECOVERY_S = 10.0


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    made = Valkey(tmp_path / "valkey")
    yield made
    made.kill()


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[BaseRedisClient]:
    with BaseRedisClient(valkey.url, "test", timeout_s=0.5) as client:
        yield client


def frames(first: int, count: int) -> list[pa.RecordBatch]:
    return [
        pa.record_batch({"time": list(range(start, start + ROWS))})
        for start in range(first * ROWS, (first + count) * ROWS, ROWS)
    ]


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_what_is_written_during_an_outage_arrives_once_and_redis_is_used_again_within_10_s(
    valkey: Valkey, redis: BaseRedisClient, tmp_path: Path, how: str
) -> None:
    spool = Spool(tmp_path / "frames", 10**7, count=row_count)
    bus = FrameBus(redis, "ticks", 10_000, spool, channel="market_data:ticks")
    quotes = HotHashes(redis)
    bus.write(frames(0, 50))
    valkey.signal(getattr(signal, how))
    if how == "SIGKILL":
        valkey.process.wait()
    for first in range(50, 150, 10):
        assert bus.write(frames(first, 10)) == 10
        quotes.update("quote:A", {"last": first})
    assert bus.is_degraded
    assert spool.waiting().points == 100 * ROWS
    assert not quotes.flush()
    assert quotes.get("quote:A") == {"last": 140}
    if how == "SIGKILL":
        valkey.start()
    else:
        valkey.signal(signal.SIGCONT)
    wait_until(lambda: not bus.is_degraded, RECOVERY_S)
    assert quotes.flush()
    bus.write(frames(150, 10))
    assert len(spool) == 0
    seen: list[int] = []
    reader = FrameReader(redis, "ticks", "archive", "one")
    while reader.drain(lambda rows: seen.extend(rows.column("time").to_pylist())):
        pass
    assert seen == list(range(160 * ROWS))
    assert redis.xlen("ticks") == 160
    with redis.asking("HGET") as server:
        assert server.hget("test:quote:A", "last") == b"140"
    bus.close()


def test_a_reader_goes_on_after_the_servers_death_with_what_it_had_not_acknowledged(
    valkey: Valkey, redis: BaseRedisClient, tmp_path: Path
) -> None:
    bus = FrameBus(redis, "ticks", 10_000, Spool(tmp_path / "frames", 10**7, count=row_count))
    bus.write(frames(0, 10))
    written: list[int] = []

    def write_and_die(rows: pa.Table) -> None:
        written.extend(rows.column("time").to_pylist())
        valkey.kill()

    reader = FrameReader(redis, "ticks", "archive", "one")
    with pytest.raises(StackError):
        reader.drain(write_and_die)
    valkey.start()
    # The rows were written and could not be acknowledged: they come again, the same records.
    again: list[int] = []
    assert reader.drain(lambda rows: again.extend(rows.column("time").to_pylist())) == 10
    assert again == written == list(range(10 * ROWS))
    assert reader.drain(again.extend) == 0
    bus.close()


def test_the_stream_stays_within_its_length(redis: BaseRedisClient, tmp_path: Path) -> None:
    bus = FrameBus(redis, "ticks", 500, Spool(tmp_path / "frames", 10**7, count=row_count))
    for first in range(0, 3000, 100):
        bus.write(frames(first, 100))
    assert 500 <= redis.xlen("ticks") <= 700
    bus.close()
