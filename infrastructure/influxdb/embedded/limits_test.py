"""Memory, retention, Core's limits, and a disk or a clock that misbehaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore, InputError, OperatorError, ServiceUnavailable
from infrastructure.influxdb.embedded import store as store_module
from infrastructure.influxdb.embedded import table as table_module
from infrastructure.influxdb.embedded.limits import (
    LEAST_MEMORY_BYTES,
    Limits,
    StrictCore,
    time_spans,
)
from infrastructure.influxdb.embedded.query import QueryEngine, QueryFailed
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.parse import parse_lines

HOUR_NS = 3_600_000_000_000


def write(store: Store, lines: str) -> None:
    store.write("db", parse_lines(lines.encode(), precision="ns", now_ns=0))


def values(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in QueryEngine(store).run("db", sql).to_pylist()]


@pytest.fixture
def cramped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store whose five parts do not fit into what a table may take."""
    monkeypatch.setattr(table_module, "PART_ROWS", 200)
    monkeypatch.setattr(table_module, "ROW_BYTES", LEAST_MEMORY_BYTES // 500)
    store = Store(tmp_path / "data", limits=Limits(memory_bytes=LEAST_MEMORY_BYTES))
    for first in range(0, 1000, 200):
        tags = (f"m,a=s{at % 3} f={at}.5,g={at}i {at}" for at in range(first, first + 200))
        write(store, "\n".join(tags))
        store.flush()
    return store


def test_parts_beyond_the_memory_are_read_from_their_files(cramped: Store) -> None:
    with cramped as store:
        table = store.table("db", "m")
        write(store, "m,a=s0 g=-1i 300\nm,a=new f=9 2000")
        view = table.view(None, LEAST_MEMORY_BYTES // 2)
        # the part that the new row touches is merged in memory, the others stay on the disk
        assert len(table.parts) == 5
        assert len(view.cold) == 4
        expected = sum(range(1000)) + 500 + 9
        sql = "SELECT count(*), sum(f), count(DISTINCT a) FROM m"
        assert values(store, sql) == [(1001, float(expected), 4)]
        assert values(store, "SELECT f, g FROM m WHERE time = to_timestamp_nanos(300)") == [
            (300.5, -1)
        ]
        where = "WHERE a = 's1' AND time < to_timestamp_nanos(10)"
        found = values(store, f"SELECT g FROM m {where} ORDER BY g")
        assert found == [(at,) for at in (1, 4, 7)]
        assert not store.pins.held()


def test_a_part_that_a_query_reads_outlives_the_flush_that_replaces_it(cramped: Store) -> None:
    with cramped as store:
        table = store.table("db", "m")
        engine = QueryEngine(store)
        frame, cold = engine._plan("db", "SELECT count(*) AS n FROM m", None)
        write(store, "m,a=s0 g=-1i 300")
        store.flush()
        assert table.parts[1] not in cold
        assert all(part.path.exists() for part in cold)
        assert engine._collected(frame).to_pylist() == [{"n": 1000}]
        store.pins.remove([part.path for part in cold])
        write(store, "m,a=s0 g=-2i 300")
        store.flush()
        assert not cold[1].path.exists()


def test_a_result_beyond_the_memory_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with Store(tmp_path, limits=Limits(memory_bytes=LEAST_MEMORY_BYTES)) as store:
        write(store, "m f=1 1")
        most = LEAST_MEMORY_BYTES // 2
        with pytest.raises(QueryFailed, match=f"more than the {most} bytes that a result may"):
            values(store, "SELECT repeat('x', 1000) AS x FROM generate_series(1, 100000)")


def test_a_sort_beyond_the_memory_spills_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with Store(tmp_path, limits=Limits(memory_bytes=LEAST_MEMORY_BYTES)) as store:
        write(store, "m f=1 1")
        inner = "SELECT value, repeat('x', 40) AS x FROM generate_series(1, 600000)"
        sql = (
            f"SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY x, value) AS r FROM ({inner}))"
        )
        assert values(store, sql) == [(600_000,)]
        assert not [path for path in (tmp_path / "spill").rglob("*") if path.is_file()]


def test_writes_wait_for_room_and_are_refused_when_none_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        write(store, "m f=1 1")
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "HOT_SHARE", 2**40)
            patch.setattr(store_module, "ROOM_S", 0.0)
            patch.setattr(store, "flush", lambda: None)
            with pytest.raises(ServiceUnavailable, match="nothing of the write is stored"):
                write(store, "m f=2 2")
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "HOT_SHARE", 2**40)
            write(store, "m f=3 3")  # the flush that it starts makes room
        assert values(store, "SELECT f FROM m ORDER BY f") == [(1.0,), (3.0,)]


def test_expired_parts_go_from_the_disk_at_a_flush(tmp_path: Path) -> None:
    clock = VirtualClock(10 * HOUR_NS)
    with Store(tmp_path, clock=clock) as store:
        store.create_database("db", retention_ns=2 * HOUR_NS)
        write(store, f"m f=1 {9 * HOUR_NS}")
        store.flush()
        assert values(store, "SELECT f FROM m") == [(1.0,)]
        clock.advance(2 * HOUR_NS)
        write(store, f"m f=2 {12 * HOUR_NS}\nm f=0 {8 * HOUR_NS}")
        assert values(store, "SELECT f FROM m") == [(2.0,)]
        store.flush()
        assert [part.rows for part in store.table("db", "m").parts] == [1]
    with Store(tmp_path, clock=clock) as store:
        assert store.retention_ns("db") == 2 * HOUR_NS
        assert len(list((tmp_path / "parts").rglob("*.parquet"))) == 1


def test_a_clock_that_goes_back_changes_no_row_and_no_order(tmp_path: Path) -> None:
    times = [5 * HOUR_NS, HOUR_NS, 3 * HOUR_NS]
    for number, now_ns in enumerate(times):
        with Store(tmp_path, clock=VirtualClock(now_ns)) as store:
            body = f"m f={number} 7\nm g={number}".encode()
            store.write("db", parse_lines(body, precision="ns", now_ns=store.clock.now_ns()))
            assert values(store, "SELECT f FROM m WHERE f IS NOT NULL") == [(float(number),)]
    with Store(tmp_path) as store:
        found = values(store, "SELECT time::bigint AS t FROM m WHERE g IS NOT NULL ORDER BY t")
        assert [time for (time,) in found] == sorted(times)


def test_overwrites_of_a_strict_store_follow_the_seed_and_no_order(tmp_path: Path) -> None:
    def winners(folder: Path, seed: int) -> list[float]:
        with Store(folder, limits=Limits(strict=StrictCore(seed))) as store:
            for time in range(40):
                write(store, f"m f=1 {time}")
                write(store, f"m f=2 {time}")
            before = values(store, "SELECT f FROM m ORDER BY time")
            store.flush()
            assert values(store, "SELECT f FROM m ORDER BY time") == before
            return [value for (value,) in before]

    first = winners(tmp_path / "first", 1)
    assert set(first) == {1.0, 2.0}
    assert winners(tmp_path / "again", 1) == first
    assert winners(tmp_path / "other", 2) != first


def test_the_times_that_a_plan_reads_are_found() -> None:
    plan = (
        "Aggregate: groupBy=[[]], aggr=[[count(*)]]\n"
        "  Filter: m.time >= TimestampNanosecond(5, None) "
        "AND m.time < TimestampNanosecond(9, None)\n"
        "    TableScan: m projection=[time]\n"
        "  Filter: n.time >= TimestampNanosecond(5, None) OR n.f = Float64(1)\n"
        "    TableScan: n projection=[time, f]\n"
        "  TableScan: o projection=[time]"
    )
    everything = (-(2**63), 2**63 - 1)
    assert time_spans(plan) == {"m": (5, 9), "n": everything, "o": everything}


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(InputError, match="expected at least"):
        Limits(memory_bytes=1)


def test_a_folder_that_cannot_be_written_stops_the_start_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def read_only(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return opened(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(OperatorError, match="Read-only file system; the server is not started"):
        Store(tmp_path / "data")


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_page_of_the_log_is_reported_or_was_never_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    with Store(tmp_path) as store:
        writes = 60
        for number in range(writes):
            write(store, "\n".join(f"m,a={at} f={number} {number}" for at in range(20)))
        (segment,) = (tmp_path / "wal").glob("*.wal")
        data = bytearray(segment.read_bytes())
    page = 4096 * int(rng.integers(1, len(data) // 4096 - 2))
    data[page : page + 4096] = rng.bytes(4096)
    copy = tmp_path / "copy"
    (copy / "wal").mkdir(parents=True)
    (copy / "wal" / segment.name).write_bytes(data)
    with pytest.raises(CorruptStore, match="does not match its checksum"):
        Store(copy)
