"""kill -9 at named steps of an import, many seeds; ALGO_TRADER_SOAK_SEEDS says how many."""

import os
from pathlib import Path

import pytest

from system.algo_trader.jobs.import_crash_runs import kill_and_compare


@pytest.mark.timeout(7200)
def test_no_seed_loses_or_doubles_a_row(tmp_path: Path) -> None:
    count = int(os.environ.get("ALGO_TRADER_SOAK_SEEDS", "1000"))
    wrong = [kill_and_compare(tmp_path / str(seed), seed) for seed in range(count)]
    assert [text for text in wrong if text] == []
