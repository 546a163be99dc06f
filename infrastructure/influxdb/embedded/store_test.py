"""The store: what is acknowledged is read, merged and kept; what is not leaves no trace."""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from infrastructure.errors import (
    CorruptStore,
    DiskFull,
    OperatorError,
    ServiceUnavailable,
    StoreLocked,
    StoreNewer,
)
from infrastructure.influxdb.embedded import table as table_module
from infrastructure.influxdb.embedded.commands import WriteResult
from infrastructure.influxdb.embedded.limits import Limits
from infrastructure.influxdb.embedded.refusals import (
    AlreadyExists,
    UnknownDatabase,
    UnknownTable,
)
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.parse import parse_lines


def write(store: Store, lines: str, **options: Any) -> WriteResult:
    return store.write("db", parse_lines(lines.encode(), precision="ns", now_ns=0), **options)


def read(store: Store, table: str = "m") -> list[dict[str, Any]]:
    """Return a table's rows without nulls, by time and tags; times are int ns."""
    view = store.tables("db")[table].view()
    rows = pa.Table.from_batches(view.batches, view.schema)
    index = rows.schema.get_field_index("time")
    rows = rows.set_column(index, "time", rows.column("time").cast(pa.int64()))
    found = [
        {name: value for name, value in row.items() if value is not None}
        for row in rows.to_pylist()
    ]
    return sorted(found, key=lambda row: (row["time"], str(row.get("a"))))


def crash(store: Store) -> None:
    """Give the folder up as a killed process would: nothing is flushed."""
    store._closed = True
    store._queue.put(None)
    store._closing.set()
    store._flush_wanted.set()
    store._committer.join()
    store._flusher.join()
    os.close(store._folder_lock)


def test_rows_of_one_identity_merge_field_by_field_in_every_layer(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        write(store, "m,a=x f=1,g=2i 1\nm,a=x f=3 1\nm,a=y f=2 1")
        expected = [
            {"a": "x", "f": 3.0, "g": 2, "time": 1},
            {"a": "y", "f": 2.0, "time": 1},
        ]
        assert read(store) == expected
        store.flush()
        assert read(store) == expected
        write(store, 'm,a=x h="new",f=4 1')
        expected[0] |= {"f": 4.0, "h": "new"}
        assert read(store) == expected
        store.flush()
        assert read(store) == expected
    with Store(tmp_path) as store:
        assert read(store) == expected


STEPS = st.lists(
    st.one_of(
        st.lists(
            st.tuples(
                st.sampled_from("xyz"),
                st.integers(0, 12),
                st.sampled_from(["f=1", "f=2", "g=3i", "f=4,g=5i", 'h="s"', "k=t"]),
            ),
            min_size=1,
            max_size=8,
        ),
        st.sampled_from(["flush", "reopen", "crash"]),
    ),
    max_size=8,
)
PARSED: dict[str, dict[str, Any]] = {
    "f=1": {"f": 1.0},
    "f=2": {"f": 2.0},
    "g=3i": {"g": 3},
    "k=t": {"k": True},
}
PARSED |= {"f=4,g=5i": {"f": 4.0, "g": 5}, 'h="s"': {"h": "s"}}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_no_sequence_of_writes_flushes_and_crashes_changes_what_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[Any],
) -> None:
    monkeypatch.setattr(table_module, "PART_ROWS", 4)
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder)
    model: dict[tuple[int, str], dict[str, Any]] = {}
    for step in [*steps, "reopen"]:
        if step == "flush":
            store.flush()
        elif step == "reopen":
            store.close()
            store = Store(folder)
        elif step == "crash":
            crash(store)
            store = Store(folder)
        else:
            write(store, "\n".join(f"m,a={tag} {fields} {time}" for tag, time, fields in step))
            for tag, time, fields in step:
                model.setdefault((time, tag), {"a": tag, "time": time}).update(PARSED[fields])
        if model:
            assert read(store) == [model[key] for key in sorted(model)]
    spans = [
        [part.first_ns, part.last_ns]
        for table in (store.tables("db").values() if model else [])
        for part in table.parts
    ]
    assert all(earlier[1] < later[0] for earlier, later in itertools.pairwise(spans))
    store.close()


def test_a_column_keeps_its_first_type_and_other_lines_are_stored(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        result = write(store, "m f=1 1\nm f=2i 2\nm f=3,g=1 3\nm,f=x g=1 4\nm,n=x n=1 5")
        assert [error.line_number for error in result.errors] == [2, 4, 5]
        assert result.errors[0].message == (
            "invalid column type for column 'f', expected iox::column_type::field::float, "
            "got iox::column_type::field::integer"
        )
        assert result.rows == 2
        assert [row["time"] for row in read(store)] == [1, 3]
        assert set(store.tables("db")["m"].columns) == {"f", "g"}


def test_a_write_that_may_not_be_partial_stores_nothing(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        result = write(store, "m f=1 1\nbad", accept_partial=False)
        assert result.rows == 0
        assert [error.line_number for error in result.errors] == [2]
        assert store.database_names() == []


def test_lines_of_several_shapes_keep_their_order_in_one_write(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        write(store, "m f=1,g=1i 1\nm g=2i 1\nm f=3,g=3i 1")
        assert read(store) == [{"f": 3.0, "g": 3, "time": 1}]


def test_a_flush_without_new_rows_leaves_the_parts_alone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        write(store, "m f=1 1")
        store.flush()
        parts = set(tmp_path.rglob("*.parquet"))
        store.flush()
        assert set(tmp_path.rglob("*.parquet")) == parts
        assert len(parts) == 1


def test_writers_at_once_all_get_their_rows_in(tmp_path: Path) -> None:
    with Store(tmp_path, limits=Limits(flush_rows=300)) as store:

        def work(name: str) -> None:
            for number in range(20):
                lines = "\n".join(f"m,a={name} f={number} {number * 10 + k}" for k in range(10))
                assert write(store, lines).rows == 10

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(read(store)) == 800
    with Store(tmp_path) as store:
        assert len(read(store)) == 800


def test_databases_and_tables_are_made_and_dropped_for_good(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.create_database("db")
        store.create_table("db", "empty", {"a": "tag", "f": "float"})
        write(store, "m f=1 1\nn f=1 1")
        with pytest.raises(AlreadyExists, match="already exists: db"):
            store.create_database("db")
        with pytest.raises(AlreadyExists, match="already exists: m"):
            store.create_table("db", "m", {})
        store.drop_table("db", "m")
        with pytest.raises(UnknownTable, match="m"):
            store.drop_table("db", "m")
        crash(store)
    with Store(tmp_path) as store:
        assert set(store.tables("db")) == {"empty", "n"}
        assert store.tables("db")["empty"].columns == {"a": "tag", "f": "float"}
        write(store, 'm f="of another type" 1')
        store.drop_database("db")
        with pytest.raises(UnknownDatabase, match="database not found: db"):
            store.tables("db")
        with pytest.raises(UnknownDatabase):
            store.drop_database("db")
    assert not list(tmp_path.rglob("*.parquet"))
    with Store(tmp_path) as store:
        assert store.database_names() == []


def test_two_stores_cannot_open_one_folder(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(StoreLocked, match="another process has"):
        Store(tmp_path)
    Store(tmp_path).close()


def test_a_folder_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    path = tmp_path / "catalog.json"
    catalog = json.loads(path.read_bytes().rpartition(b"\n")[0])
    text = json.dumps({**catalog, "format_version": 99}).encode()
    path.write_bytes(text + b"\n" + f"crc32 {zlib.crc32(text):08x}".encode())
    before = path.read_bytes()
    with pytest.raises(StoreNewer, match="of format 99"):
        Store(tmp_path)
    assert path.read_bytes() == before


def test_a_damaged_catalog_is_reported(tmp_path: Path) -> None:
    Store(tmp_path).close()
    path = tmp_path / "catalog.json"
    path.write_bytes(path.read_bytes().replace(b"first_segment", b"first_segmint"))
    with pytest.raises(CorruptStore, match="does not match its checksum"):
        Store(tmp_path)


def test_a_damaged_part_is_reported_by_the_query_that_meets_it(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        write(store, "\n".join(f"m f={number} {number}" for number in range(1000)))
    (part,) = tmp_path.rglob("*.parquet")
    data = bytearray(part.read_bytes())
    data[100] ^= 0xFF
    part.write_bytes(data)
    with Store(tmp_path) as store, pytest.raises(CorruptStore, match="cannot be read"):
        read(store)


def test_a_full_disk_refuses_the_write_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Store(tmp_path) as store:
        write(store, "m f=1 1")
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(DiskFull, match="No space left on device; nothing of it is stored"):
                write(store, "m f=2 2")
            with pytest.raises(DiskFull, match="nothing is changed"):
                store.create_database("other")
            with pytest.raises(DiskFull, match="the log still holds them"):
                store.flush()
        assert len(read(store)) == 1
        assert store.database_names() == ["db"]
        write(store, "m f=3 3")
        assert [row["time"] for row in read(store)] == [1, 3]
    with Store(tmp_path) as store:
        assert [row["time"] for row in read(store)] == [1, 3]


def test_a_flush_that_cannot_write_its_parts_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with Store(tmp_path) as store:
        write(store, "m f=1 1")
        with monkeypatch.context() as patch:
            patch.setattr("pyarrow.parquet.write_table", read_only)
            with pytest.raises(OperatorError, match="Read-only file system"):
                store.flush()
        assert not list(tmp_path.rglob("*.tmp"))
        write(store, "m f=2 2")
        assert len(read(store)) == 2
        store.flush()
        assert len(read(store)) == 2
    with Store(tmp_path) as store:
        assert len(read(store)) == 2


def test_a_clock_that_goes_back_loses_doubles_and_expires_nothing(tmp_path: Path) -> None:
    day = 86_400 * 10**9
    clock = VirtualClock(100 * day)
    with Store(tmp_path, clock=clock) as store:
        store.create_database("db", 10 * day)
        write(store, f"m f=1 {95 * day}\nm f=2 {99 * day}")
        store.flush()
        clock.set(50 * day)
        assert store.oldest_ns("db") == 40 * day
        write(store, f"m f=3 {50 * day}\nm f=4 {95 * day}")
        store.flush()
        found = [(row["time"] // day, row["f"]) for row in read(store)]
        assert found == [(50, 3.0), (95, 4.0), (99, 2.0)]
        crash(store)
    with Store(tmp_path, clock=VirtualClock(49 * day)) as store:
        write(store, f"m f=5 {49 * day}")
        store.flush()
        assert [(row["time"] // day, row["f"]) for row in read(store)] == [(49, 5.0), *found]


def test_a_closed_store_refuses_writes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.close()
    store.close()
    with pytest.raises(ServiceUnavailable, match="closing"):
        write(store, "m f=1 1")


def test_a_write_that_nobody_waits_for_is_stored_all_the_same(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert write(store, "m f=1 1\nbad", wait=False).errors[0].line_number == 2
        store.flush()
        assert len(read(store)) == 1
