"""Judge that every budget of the archive has its line, its peer and its figures."""

import pytest

from system.algo_trader.benchmarks import archive
from system.algo_trader.benchmarks.archive import run, seeded_trades


def test_every_budget_has_its_line_and_says_its_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "REPEATS", 1)
    monkeypatch.setattr(archive, "COMMITS", 2)
    rows = run(days=3, scanned=2000, imported=500)
    assert [row.budget for row in rows] == [1.0, 1.0, 5e6, 5e6, None, None]
    assert all(row.ours > 0 and row.peer and row.peer_name for row in rows)
    assert [row.unit for row in rows] == ["s", "s", "rows/s", "rows/s", "rows/s", "commits/s"]


def test_the_measured_rows_say_that_they_were_made_up() -> None:
    assert set(seeded_trades(50).column("is_synthetic").to_pylist()) == {True}
    assert seeded_trades(50).equals(seeded_trades(50))
