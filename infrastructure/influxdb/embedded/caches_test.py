"""The caches beside plain dictionaries that are fed the same rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from infrastructure.errors import InputError
from infrastructure.influxdb.embedded.caches import CacheSpec, checked_spec, spec_of
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.parse import parse_lines

SECOND = 1_000_000_000
WRITES = st.lists(
    st.lists(
        st.tuples(st.sampled_from("xy"), st.sampled_from("pq"), st.integers(0, 9)),
        min_size=1,
        max_size=6,
    ),
    max_size=5,
)


def write(store: Store, lines: str) -> None:
    store.write("db", parse_lines(lines.encode(), precision="ns", now_ns=0))


def held(store: Store, kind: Any, now_ns: int) -> list[dict[str, Any]]:
    # As integers: pyarrow makes nanoseconds into Python values only where pandas is installed.
    table = store.table("db", "m").cache_table(kind, None, now_ns)
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    for name in times:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).cast(pa.int64()))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@settings(max_examples=20, deadline=None)
@given(writes=WRITES, most=st.integers(1, 3))
def test_a_last_cache_holds_the_latest_times_of_each_key(
    tmp_path_factory: pytest.TempPathFactory, writes: list[Any], most: int
) -> None:
    clock = VirtualClock(0)
    model: dict[str, dict[int, float]] = {}
    with Store(tmp_path_factory.mktemp("store"), clock=clock) as store:
        write(store, "m,a=w,b=w f=0 0")
        store.create_cache("last", "db", "m", {"key_columns": ["a"], "count": most})
        for number, rows in enumerate(writes):
            write(store, "\n".join(f"m,a={a},b={b} f={number} {time}" for a, b, time in rows))
            for a, _, time in rows:
                model.setdefault(a, {})[time] = float(number)
        found = sorted((row["a"], row["time"], row["f"]) for row in held(store, "last", 1))
    wanted = [
        (a, time, times[time]) for a, times in model.items() for time in sorted(times)[-most:]
    ]
    assert found == sorted(wanted)


def test_entries_leave_when_they_are_too_old_and_survive_a_flush(tmp_path: Any) -> None:
    clock = VirtualClock(0)
    with Store(tmp_path, clock=clock) as store:
        write(store, "m,a=x f=1 1")
        store.create_cache("last", "db", "m", {"ttl": 10})
        store.create_cache("distinct", "db", "m", {"columns": ["a"], "max_age": 10})
        write(store, "m,a=x f=1 1")
        clock.advance(seconds=5)
        write(store, "m,a=y f=2 1")
        store.flush()
        for kind in ("last", "distinct"):
            assert [row["a"] for row in held(store, kind, 9 * SECOND)] == ["x", "y"]
            assert [row["a"] for row in held(store, kind, 10 * SECOND)] == ["y"]
            assert held(store, kind, 15 * SECOND) == []
    with Store(tmp_path, clock=clock) as store:
        # the definition stays, the content is what was written since, as in Core
        assert held(store, "last", 0) == []
        write(store, "m,a=x f=4 1")
        assert [row["f"] for row in held(store, "last", 0)] == [4.0]


def test_a_distinct_cache_drops_what_was_seen_longest_ago(tmp_path: Any) -> None:
    with Store(tmp_path) as store:
        write(store, "m,a=x f=1 1")
        store.create_cache("distinct", "db", "m", {"columns": ["a"], "max_cardinality": 2})
        for tag in "xyxz":
            write(store, f"m,a={tag} f=1 1")
        now_ns = store.clock.now_ns()
        assert held(store, "distinct", now_ns) == [{"a": "x"}, {"a": "z"}]


def test_a_definition_is_read_back_from_its_dictionary() -> None:
    spec = CacheSpec("last", "n", ("a",), ("f", "time"), 3, 60)
    assert spec_of(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("kind", "given_", "reason"),
    [
        ("last", {"count": 0}, "count is 0, expected 1 to 10"),
        ("last", {"count": True}, "count is True"),
        ("last", {"key_columns": "a"}, "no list of names"),
        ("last", {"key_columns": ["a", "a"]}, "names a column twice"),
        ("distinct", {}, "at least one column"),
        ("distinct", {"columns": ["f"]}, "no tag or string column"),
        ("distinct", {"columns": ["a"], "name": 5}, "name of a cache is text"),
    ],
)
def test_a_wrong_definition_is_refused(kind: Any, given_: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        checked_spec(kind, given_, "m", {"a": "tag", "f": "float"})
