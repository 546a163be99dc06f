"""Runs of a store that is killed at a named step, and what must be there after it; for tests.

A seed decides the step, which time it is reached, and the writes. The process that is killed says
each acknowledgement on its standard output; the one that started it compares.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from infrastructure.influxdb.embedded import faults
from infrastructure.influxdb.embedded.limits import Limits
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.parse import parse_lines
from infrastructure.supervision import module_command

WRITES = 40
RUN_S = 60.0
_LIMITS = Limits(flush_rows=60)
_MODULE = "infrastructure.influxdb.embedded.crash_runs"

Found = dict[tuple[str, int], dict[str, Any]]


def writes_of(seed: int) -> list[list[tuple[str, int, str]]]:
    """Return the rows of each write: tag, time, and the one field that is set."""
    rng = random.Random(seed)
    return [
        [(rng.choice("xyz"), rng.randrange(40), rng.choice("fg")) for _ in range(rng.randint(1, 9))]
        for _ in range(WRITES)
    ]


def step_of(seed: int) -> tuple[str, int]:
    """Return the step at which a run dies, and the how-manyeth time it is reached."""
    rng = random.Random(-seed - 1)
    # Every step has its turn; the how-manyeth time is left to chance.
    return faults.STEPS[seed % len(faults.STEPS)], rng.randint(1, 6)


def expected(seed: int, count: int) -> Found:
    """Return the rows after the first writes: of each field the last value."""
    rows: Found = {}
    for number, write in enumerate(writes_of(seed)[:count]):
        for tag, time, name in write:
            row = rows.setdefault((tag, time), {"a": tag, "time": time})
            row[name] = float(number)
    return rows


def found(folder: Path) -> list[dict[str, Any]]:
    """Open a store as the next start does, and return its rows without nulls."""
    with Store(folder, limits=_LIMITS) as store:
        if "db" not in store.database_names():
            return []
        view = store.table("db", "m").view()
        rows = pa.Table.from_batches(view.batches, view.schema)
        index = rows.schema.get_field_index("time")
        rows = rows.set_column(index, "time", rows.column("time").cast(pa.int64()))
        return [
            {name: value for name, value in row.items() if value is not None}
            for row in rows.to_pylist()
        ]


def kill_and_compare(folder: Path, seed: int) -> str:
    """Run a seed and return what is wrong, "" if nothing is.

    Args:
        folder: For the run alone.
        seed: Any natural number.
    """
    argv, env = module_command(_MODULE, str(folder), str(seed))
    run = subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    said = f"seed {seed}, killed at {step_of(seed)}"
    if run.returncode not in (0, -signal.SIGKILL):
        return f"{said}: the run failed: {run.stderr}"
    acknowledged = len(run.stdout.split())
    for attempt in ("first", "second"):
        rows = found(folder)
        keys = [(row["a"], row["time"]) for row in rows]
        if len(set(keys)) < len(keys):
            return f"{said}: a row is doubled after the {attempt} start"
        have = dict(zip(keys, rows, strict=True))
        # The write that was not acknowledged may be there, as a whole or not at all.
        if have not in (expected(seed, acknowledged), expected(seed, acknowledged + 1)):
            return f"{said}: {acknowledged} writes were acknowledged, and {have} was there"
    return ""


def main(folder: str, seed: int) -> None:
    """Write until the step is reached, and die there."""
    step, left = step_of(seed)

    def die(reached: str) -> None:
        nonlocal left
        if reached == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    faults.hook = die
    rng = random.Random(seed)
    with Store(Path(folder), limits=_LIMITS) as store:
        for number, write in enumerate(writes_of(seed)):
            lines = "\n".join(f"m,a={tag} {name}={number} {time}" for tag, time, name in write)
            store.write("db", parse_lines(lines.encode(), precision="ns", now_ns=0))
            os.write(1, f"{number}\n".encode())
            if rng.random() < 0.15:
                store.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
