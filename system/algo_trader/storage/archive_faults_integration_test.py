"""Two processes on one archive: both are served, one after the other, and nothing is doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infrastructure.clock import SystemClock
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_test import bars

PROGRAM = """
import sys
from pathlib import Path
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_test import bars

archive = Archive(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for first in range(int(sys.argv[2]), 24, 1):
    archive.append(bars([float(first), first + 1.0], first=first), f"{sys.argv[3]}/{first}")
"""


def test_two_processes_write_in_turn_and_each_bar_is_stored_once(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path), str(first), name],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for first, name in ((0, "one"), (6, "two"))
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    archive = Archive(tmp_path, clock=SystemClock())
    stored = archive.revisions("AAPL", Timeframe.D1)
    assert sorted(stored.floats("close").tolist()) == [float(close) for close in range(25)]
    assert stored.integers("revision").tolist() == [0] * 25
    sequences = [commit.sequence for commit in archive.commits()]
    assert sequences == [*range(1, len(sequences) + 1)]
    assert archive.damages() == []
    assert archive.append(bars([0.0]), "again").unchanged == 1
