"""Judge that every budget of the archive has its line, its peer and its figures."""

import pytest

from system.algo_trader.benchmarks import archive
from system.algo_trader.benchmarks.archive import run, seeded_trades


def test_every_budget_has_its_line_and_says_its_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "REPEATS", 1)
    monkeypatch.setattr(archive, "COMMITS", 2)
    rows = run(days=3, scanned=2000, imported=500)
    # Year as stored and compacted, scan: by both clocks; then SQL, import and commits.
    assert [row.budget for row in rows] == [1.0] * 4 + [5e6] * 3 + [None] * 2
    assert sum(row.name.endswith("wall clock") for row in rows) == 3
    assert all(row.ours > 0 and row.peer and row.peer_name for row in rows)
    assert [row.unit for row in rows] == ["s"] * 4 + ["rows/s"] * 4 + ["commits/s"]


def test_the_measured_rows_say_that_they_were_made_up() -> None:
    assert set(seeded_trades(50).column("is_synthetic").to_pylist()) == {True}
    assert seeded_trades(50).equals(seeded_trades(50))
