"""A process with a spool is killed by SIGKILL at named steps; what it acknowledged is there."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.influxdb.spool import Spool

LIMIT = 10**6
SEEDS = range(30)
STEPS = ("written", "synced", "delivered", "removed")


def child(folder: Path, seed: int) -> None:
    """Put and deliver at random, note what was acknowledged, and die at a step."""
    source = random.Random(seed)
    fatal, left = source.choice(STEPS), [source.randrange(1, 12)]

    def step(name: str) -> None:
        if name == fatal:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    journal = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    spool = Spool(folder / "spool", LIMIT, on_step=step)
    waiting: list[int] = []
    for count in range(2000):
        if waiting and source.random() < 0.6:
            number = waiting.pop(source.randrange(len(waiting)))
            os.write(journal, f"delivering {number}\n".encode())
            spool.delivered(number)
        else:
            number = spool.put(line(seed, count))
            os.write(journal, f"kept {number} {count}\n".encode())
            waiting.append(number)


def line(seed: int, count: int) -> bytes:
    return b"m,seed=%d f=%d %d\n" % (seed, count, count) * (1 + count % 5)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_acknowledged_block_is_lost_by_kill_9(tmp_path: Path, seed: int) -> None:
    (tmp_path / "spool").mkdir()
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path), str(seed)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    kept: dict[int, bytes] = {}
    delivering: set[int] = set()
    for word, *values in map(str.split, (tmp_path / "journal").read_text().splitlines()):
        if word == "kept":
            kept[int(values[0])] = line(seed, int(values[1]))
        else:
            delivering.add(int(values[0]))
    spool = Spool(tmp_path / "spool", LIMIT)
    found = {block.number: block.lines for block in spool.oldest(10**6)}
    missing = kept.keys() - delivering - found.keys()
    assert not missing, f"seed {seed}"
    assert all(found[number] == kept[number] for number in found.keys() & kept.keys())
    # At most the block that was being kept when the process died is there unacknowledged.
    assert len(found.keys() - kept.keys()) <= 1
    assert spool.put(b"m f=1 1\n") > max([0, *kept])


if __name__ == "__main__":
    child(Path(sys.argv[1]), int(sys.argv[2]))
