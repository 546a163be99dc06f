"""InfluxDB's own SQL functions beside what plain loops over the same rows give."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.errors import QueryError
from infrastructure.influxdb.embedded.query import QueryEngine
from infrastructure.influxdb.embedded.sql_functions import CacheCall, rewrite
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.parse import parse_lines

ROWS = st.lists(
    st.tuples(st.sampled_from("xy"), st.one_of(st.none(), st.integers(-3, 3))),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS)
def test_selectors_pick_the_row_that_a_loop_picks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int | None]]
) -> None:
    lines = "\n".join(
        f"m,a={tag} {'' if value is None else f'f={value},'}g=1 {time}"
        for time, (tag, value) in enumerate(rows)
    )
    with Store(tmp_path_factory.mktemp("store")) as store:
        store.write("db", parse_lines(f"{lines}\nm,a=z f=1,g=1 99".encode(), now_ns=0))
        engine = QueryEngine(store)
        for tag in "xy":
            held = [(v, t) for t, (a, v) in enumerate(rows) if a == tag and v is not None]
            wanted = {
                "first": min(held, key=lambda row: row[1], default=None),
                "last": max(held, key=lambda row: row[1], default=None),
                "min": min(held, default=None),
                "max": max(held, key=lambda row: (row[0], -row[1]), default=None),
            }
            for name, row in wanted.items():
                call = f"selector_{name}(f, time)"
                sql = f"SELECT {call}['value'] AS v, {call}['time']::bigint AS t FROM m"
                (got,) = engine.run("db", f"{sql} WHERE a = $tag", {"tag": tag}).to_pylist()
                # auto precision reads these small times as seconds
                assert (got["v"], got["t"]) == (
                    (None, None) if row is None else (row[0], row[1] * 1_000_000_000)
                )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'tz(time)' AS a -- tz(time)",
        'SELECT "locf(f)" FROM "selector_first(f, time)"',
        "SELECT /* interpolate(f) */ 'it''s tz(1)' FROM m",
        "SELECT tz, last_cache FROM m WHERE locf = 1",
    ],
)
def test_texts_names_and_comments_are_left_alone(sql: str) -> None:
    assert rewrite(sql) == (sql, [])


def test_calls_inside_of_calls_are_found() -> None:
    text, calls = rewrite("SELECT tz(selector_max(f, time)['time'], 'UTC') FROM last_cache('m')")
    assert calls == [CacheCall("last", "m", None)]
    assert not any(name in text for name in ("tz(", "selector_", "last_cache('"))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT selector_first(f) FROM m", "takes a value and a time"),
        ("SELECT tz() FROM m", "tz takes a time and"),
        ("SELECT tz(time, zone) FROM m", "in single quotes, got zone"),
        ("SELECT tz(time, 'A', 'B') FROM m", "takes a time and"),
        ("SELECT * FROM last_cache(m)", "in single quotes, got m"),
        ("SELECT tz(time FROM m", "a parenthesis is not closed"),
        ("SELECT locf(f) FROM m", "fills no gaps"),
    ],
)
def test_a_wrong_call_is_refused_with_the_reason(tmp_path: Path, sql: str, reason: str) -> None:
    with Store(tmp_path) as store:
        store.write("db", parse_lines(b"m f=1 1", now_ns=0))
        with pytest.raises(QueryError, match=reason):
            QueryEngine(store).run("db", sql)
