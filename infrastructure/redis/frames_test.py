from __future__ import annotations

from typing import Any

import fakeredis
import pyarrow as pa
import pytest

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.redis import frames
from infrastructure.redis.frames import FrameReader, FrameWriter, refused_stream


@pytest.fixture
def redis() -> BaseRedisClient:
    server: Any = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    return BaseRedisClient("redis://127.0.0.1:1/0", "test", connect=lambda address, wait: server)


def frame(first: int, count: int = 3) -> pa.RecordBatch:
    numbers = list(range(first, first + count))
    return pa.record_batch({"time": numbers, "price": [number / 4 for number in numbers]})


def test_every_frame_is_one_entry_and_comes_back_exact_and_in_order(redis: BaseRedisClient) -> None:
    assert FrameWriter(redis, "ticks", 1000).write([frame(0), frame(3), frame(6)]) == 3
    assert redis.xlen("ticks") == 3
    seen: list[pa.Table] = []
    reader = FrameReader(redis, "ticks", "archive", "one")
    assert reader.drain(seen.append) == 3
    assert seen[0].column("time").to_pylist() == list(range(9))
    assert seen[0].column("price").to_pylist() == [number / 4 for number in range(9)]
    assert reader.drain(seen.append) == 0
    assert len(seen) == 1


def test_frames_are_acknowledged_only_after_a_successful_write(redis: BaseRedisClient) -> None:
    FrameWriter(redis, "ticks", 1000).write([frame(0), frame(3)])
    reader = FrameReader(redis, "ticks", "archive", "one")

    def fail(rows: pa.Table) -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        reader.drain(fail)
    seen: list[pa.Table] = []
    assert reader.drain(seen.append) == 2
    assert seen[0].num_rows == 6


def test_a_restarted_reader_gets_what_it_had_not_acknowledged_first(
    redis: BaseRedisClient,
) -> None:
    writer = FrameWriter(redis, "ticks", 1000)
    writer.write([frame(0)])
    FrameReader(redis, "ticks", "archive", "one")
    redis.xreadgroup("archive", "one", {"ticks": ">"})
    writer.write([frame(3)])
    seen: list[pa.Table] = []
    again = FrameReader(redis, "ticks", "archive", "one")
    assert [again.drain(seen.append), again.drain(seen.append)] == [1, 1]
    assert [rows.column("time")[0].as_py() for rows in seen] == [0, 3]


def test_an_entry_that_is_no_frame_goes_aside_and_stops_nobody(redis: BaseRedisClient) -> None:
    writer = FrameWriter(redis, "ticks", 1000)
    writer.write([frame(0)])
    bad = [
        redis.xadd("ticks", {"arrow": b"\xffno"}),
        redis.xadd("ticks", {b"\xfe": b"else"}),  # type: ignore[dict-item]
    ]
    writer.write([frame(3)])
    seen: list[pa.Table] = []
    reader = FrameReader(redis, "ticks", "archive", "one")
    assert reader.drain(seen.append) == 4
    assert pa.concat_tables(seen).column("time").to_pylist() == list(range(6))
    kept = redis.xrange(refused_stream("ticks"))
    assert [each.fields["entry"].decode() for each in kept] == bad
    assert [each.fields.get("field:arrow") for each in kept] == [b"\xffno", None]
    assert kept[1].fields["field:\\xfe"] == b"else"
    assert all(b"is no frame" in each.fields["reason"] for each in kept)
    again = FrameReader(redis, "ticks", "archive", "one")
    assert again.drain(seen.append) == 0
    assert redis.xlen(refused_stream("ticks")) == 2


def test_refused_entries_are_kept_up_to_a_bound(
    redis: BaseRedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "REFUSED_KEPT", 5)
    for number in range(300):
        redis.xadd("ticks", {"arrow": str(number)})
    reader = FrameReader(redis, "ticks", "archive", "one")
    while reader.drain(print):
        pass
    kept = redis.xrange(refused_stream("ticks"))
    assert len(kept) < 300
    assert kept[-1].fields["field:arrow"] == b"299"


def test_what_is_no_frame_comes_again_when_the_write_beside_it_fails(
    redis: BaseRedisClient,
) -> None:
    redis.xadd("ticks", {"arrow": b"no"})
    FrameWriter(redis, "ticks", 1000).write([frame(0)])
    reader = FrameReader(redis, "ticks", "archive", "one")

    def fail(rows: pa.Table) -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        reader.drain(fail)
    assert redis.xlen(refused_stream("ticks")) == 0
    seen: list[pa.Table] = []
    assert reader.drain(seen.append) == 2
    assert redis.xlen(refused_stream("ticks")) == 1


def test_frames_of_other_columns_are_written_apart(redis: BaseRedisClient) -> None:
    other = pa.record_batch({"bid": [1]})
    FrameWriter(redis, "ticks", 1000).write([frame(0), frame(3), other, frame(6)])
    seen: list[pa.Table] = []
    assert FrameReader(redis, "ticks", "archive", "one").drain(seen.append) == 4
    assert [rows.num_rows for rows in seen] == [6, 1, 3]
