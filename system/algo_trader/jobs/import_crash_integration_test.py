"""kill -9 at every named step of an import: a file is in the archive as a whole or not at all."""

from pathlib import Path

import pytest

from system.algo_trader.jobs.import_crash_runs import STEPS, kill_and_compare, step_of

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_import_is_whole_or_absent_and_the_same_file_completes_it(
    tmp_path: Path, seed: int
) -> None:
    assert kill_and_compare(tmp_path / "run", seed) == ""


def test_the_recorded_seeds_die_at_every_step() -> None:
    assert {step_of(seed)[0] for seed in SEEDS} == set(STEPS)
