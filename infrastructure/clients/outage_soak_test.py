"""Server and writer killed with many seeds; ALGO_TRADER_SOAK_SEEDS says how many."""

import os
from pathlib import Path

import pytest

from infrastructure.clients.outage_runs import kill_both_and_compare

SEEDS = int(os.environ.get("ALGO_TRADER_SOAK_SEEDS", "1000"))
FIRST = int(os.environ.get("ALGO_TRADER_SOAK_FIRST_SEED", "0"))
A_SEED_S = 60


# A seed starts seven processes: 6 s on an idle machine, and more on a busy one.
@pytest.mark.timeout(A_SEED_S * SEEDS)
def test_no_seed_loses_or_doubles_an_acknowledged_row(tmp_path: Path) -> None:
    wrong = [
        kill_both_and_compare(tmp_path / str(seed), seed) for seed in range(FIRST, FIRST + SEEDS)
    ]
    assert [text for text in wrong if text] == []
