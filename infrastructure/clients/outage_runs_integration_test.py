from pathlib import Path

import pytest

from infrastructure.clients.outage_runs import Child


def test_a_writer_that_is_stuck_says_where_and_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Nobody reads what it says, and nobody answers it.
    child = Child(tmp_path, "http://127.0.0.1:1", 0, 0, life_s=0.5)
    child.until(10**9)
    with pytest.raises(AssertionError, match="seed 0, life 0, was stuck after"):
        child.kill()
    assert "Fatal Python error: Aborted" in capfd.readouterr().err
