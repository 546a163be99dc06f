"""kill -9 at every named step of the archive: nothing is missing, nothing doubled, nothing left."""

from pathlib import Path

import pytest

from system.algo_trader.storage import steps
from system.algo_trader.storage.archive_crash_runs import RUNS, kill_and_compare, run_of

SEEDS = range(len(RUNS) + 6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_at_a_named_step_loses_doubles_and_leaves_nothing(tmp_path: Path, seed: int) -> None:
    assert kill_and_compare(tmp_path / "run", seed) == ""


def test_the_recorded_seeds_die_at_every_step() -> None:
    assert len(SEEDS) >= 30
    assert {run_of(seed)[1] for seed in SEEDS} == {
        *(*steps.PART_STEPS, *steps.LOG_STEPS, *steps.END_STEPS),
        *(*steps.RESTORE_STEPS, *steps.SWEEP_STEPS),
    }
