"""Judge that every budget of the embedded server has its line, on real processes."""

from system.algo_trader.benchmarks.storage_server import run


def test_every_budget_of_the_server_has_its_line() -> None:
    rows = run(20_000)
    budgets = [row.budget for row in rows if row.budget is not None]
    assert sorted(set(budgets)) == [5.0, 50.0, 200.0, 5e5, 1e6]
    names = " ".join(row.name for row in rows)
    for part in (
        "1 writer",
        "2 writers",
        "replay",
        "1 h bars",
        "last_cache",
        "full read",
        "memory",
    ):
        assert part in names
    assert all(row.ours > 0 for row in rows)
