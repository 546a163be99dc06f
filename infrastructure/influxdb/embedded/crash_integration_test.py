"""kill -9 at every named step: no acknowledged row is missing, none is there twice."""

from pathlib import Path

import pytest

from infrastructure.influxdb.embedded import faults
from infrastructure.influxdb.embedded.crash_runs import kill_and_compare, step_of

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_at_a_named_step_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    assert kill_and_compare(tmp_path / "data", seed) == ""


def test_the_recorded_seeds_die_at_every_step() -> None:
    assert {step_of(seed)[0] for seed in SEEDS} == set(faults.STEPS)
