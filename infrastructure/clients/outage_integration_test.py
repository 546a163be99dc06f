"""InfluxDB is killed, then the process that writes, and both start again: nothing is lost."""

from pathlib import Path

import pytest

from infrastructure.clients.outage_runs import kill_both_and_compare


@pytest.mark.parametrize("seed", range(3))
def test_every_acknowledged_row_arrives_once_though_server_and_writer_are_killed(
    tmp_path: Path, seed: int
) -> None:
    assert kill_both_and_compare(tmp_path / "run", seed) == ""
