"""Server and writer killed with many seeds; ALGO_TRADER_SOAK_SEEDS says how many."""

import os
from pathlib import Path

from infrastructure.clients.outage_runs import kill_both_and_compare


def test_no_seed_loses_or_doubles_an_acknowledged_row(tmp_path: Path) -> None:
    count = int(os.environ.get("ALGO_TRADER_SOAK_SEEDS", "1000"))
    first = int(os.environ.get("ALGO_TRADER_SOAK_FIRST_SEED", "0"))
    seeds = range(first, first + count)
    wrong = [kill_both_and_compare(tmp_path / str(seed), seed) for seed in seeds]
    assert [text for text in wrong if text] == []
