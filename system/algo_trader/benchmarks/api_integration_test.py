"""Judge that every line of `bench api` is there, and that all that was asked was answered."""

from importlib.util import find_spec

from system.algo_trader.benchmarks.api import SHORT, measured
from system.algo_trader.benchmarks.api_bench import PEER, opened

PROGRAM = "system.algo_trader.main"
"""What the benchmark starts: named here, it belongs to this test's files."""


def test_the_program_is_there_to_be_started() -> None:
    assert find_spec(PROGRAM) is not None


def test_every_request_is_answered_and_every_line_is_there() -> None:
    with opened(SHORT) as bench:
        before = bench.served.status()["requests"]["total"]
        rows = measured(bench)
        after = bench.served.status()["requests"]["total"]
    assert bench.lost == 0
    assert not any(found.errors for _, found in bench.counted)
    assert all(found.answered == found.sent > 0 for _, found in bench.counted)
    # The service has counted what was sent to it, and what this test asks beside: status, a year.
    ours = sum(found.sent for name, found in bench.counted if not name.endswith("peer"))
    assert ours < after - before < ours + 20
    named = {row.name: row for row in rows}
    assert len(named) == len(rows)
    budgets = [(row.unit, row.budget) for row in rows if row.budget is not None]
    for budget in (
        *(("ms", 20.0), ("requests/s", 10_000), ("ms", 10.0), ("ms", 50.0)),
        *(("s", 5.0), ("ms", 100.0), ("ms", 5.0), ("%", 99.5), ("requests", 0.0)),
    ):
        assert budget in budgets
    assert sum(row.peer is not None and PEER in str(row.peer_name) for row in rows) >= 8
    assert all(row.ours > 0 for row in rows if row.budget != 0.0)


def test_what_is_refused_is_counted_and_no_answer() -> None:
    with opened(SHORT) as bench:
        found = bench.ask("a stranger's", "/api/v1/candles", key="at_x", connections=2, most=6)
    assert (found.sent, found.answered, found.errors) == (6, 0, {"401": 6})
