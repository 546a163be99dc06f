"""Runs of an import that is killed at a named step, and what must be there after it; for tests."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from infrastructure.clock import VirtualClock, rfc3339
from infrastructure.exchange.calendars import calendar
from infrastructure.supervision import module_command
from system.algo_trader.jobs.import_job import ImportRequest, import_file
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.archive_crash_runs import dying, strays
from system.algo_trader.storage.steps import LOG_STEPS, PART_STEPS, Faults, no_faults

STEPS: Final = (*PART_STEPS, *LOG_STEPS, "finished")
RUN_S: Final = 60.0
OPEN: Final = 1_552_055_400_000_000_000
"""2019-03-08T14:30:00Z, an opening bell."""

NOW: Final = OPEN + 10**15
_MINUTE: Final = 60_000_000_000
_MODULE: Final = "system.algo_trader.jobs.import_crash_runs"

Rows = list[tuple[int, float]]


def step_of(seed: int) -> tuple[str, int]:
    """Return the step at which a run dies, and the how-manyeth time it is reached."""
    return STEPS[seed % len(STEPS)], random.Random(-seed - 1).randint(1, 2)


def rows_of(seed: int) -> tuple[Rows, Rows]:
    """Return the minutes (start, close) and trades (time, price) of a seed's two files, sorted."""
    rng = random.Random(seed)
    minutes = [(OPEN + n * _MINUTE, float(rng.randrange(1, 9))) for n in range(30)]
    trades = [(OPEN + rng.randrange(9), float(rng.randrange(1, 4))) for _ in range(25)]
    return minutes, sorted(trades)


def write_files(folder: Path, seed: int) -> None:
    """Write the two files, bars by their end and in disorder."""
    minutes, trades = rows_of(seed)
    rng = random.Random(seed)
    with (folder / "bars.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("datetime", "open", "high", "low", "close", "volume"))
        for start, close in rng.sample(minutes, len(minutes)):
            out.writerow((rfc3339(start + _MINUTE), close, close, close, close, 1))
    with (folder / "trades.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("ts_event_ns", "price", "size"))
        out.writerows((at, price, 1) for at, price in rng.sample(trades, len(trades)))


def bring_in(folder: Path, name: str, faults: Faults = no_faults) -> None:
    """Import one of the two files."""
    clock = VirtualClock(NOW)
    request = ImportRequest(folder / name, None, "end", "ZZZ", Timeframe.M1)
    archive = Archive(folder / "archive", clock=clock, faults=faults)
    import_file(archive, request, calendar=calendar("XNYS"), clock=clock)


def stored(folder: Path) -> tuple[Rows, Rows]:
    """Return every stored minute, revisions included, and every trade."""
    archive = Archive(folder / "archive")
    bars = archive.revisions("ZZZ", Timeframe.M1).table
    trades = archive.records("trades", "ZZZ")
    return (
        sorted(zip(bars["start"].to_pylist(), bars["close"].to_pylist(), strict=True)),
        sorted(zip(trades["ts_event"].to_pylist(), trades["price"].to_pylist(), strict=True)),
    )


def kill_and_compare(folder: Path, seed: int) -> str:
    """Run a seed and return what is wrong, "" if nothing is.

    Args:
        folder: For the run alone.
        seed: Any natural number.
    """
    said = f"seed {seed}, import killed at {step_of(seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder, seed)
    argv, env = module_command(_MODULE, str(folder), str(seed))
    run = subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    if run.returncode != -signal.SIGKILL:
        return f"{said}: the run did not die there: {run.returncode} {run.stderr}"
    acknowledged, whole = len(run.stdout.split()), rows_of(seed)
    # A file is there as a whole or not at all; an acknowledged one is there.
    allowed = ([[], whole[0]][min(acknowledged, 1) :], [[], whole[1]][max(acknowledged - 1, 0) :])
    bars, trades = stored(folder)
    if bars not in allowed[0] or trades not in allowed[1]:
        return f"{said}: {acknowledged} files were acknowledged, {bars} and {trades} were there"
    for name in ("bars.csv", "trades.csv"):
        bring_in(folder, name)
    if stored(folder) != whole:
        return f"{said}: after the same files again, {stored(folder)} was there"
    left = strays(folder / "archive")
    damages = Archive(folder / "archive").damages()
    return f"{said}: {left} {damages}" if left or damages else ""


def main(folder: Path, seed: int) -> None:
    """Import both files and die at the step."""
    die = dying(*step_of(seed))
    for name in ("bars.csv", "trades.csv"):
        bring_in(folder, name, die)
        os.write(1, b"imported\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
