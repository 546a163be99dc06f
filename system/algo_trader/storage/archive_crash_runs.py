"""Runs of an archive whose writer is killed at a named step, and what must be there after it.

For tests. A seed decides the deed, the step, which time it is reached, and the rows. The process
that is killed says each acknowledgement on its standard output; the one that started it compares
with a plain dictionary of what was given.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from infrastructure.supervision import module_command
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Timeframe
from system.algo_trader.storage.archive import LOCK_FILE, Archive
from system.algo_trader.storage.backup import backup, restore
from system.algo_trader.storage.manifest import MANIFEST_FILE
from system.algo_trader.storage.records import TRADE_SCHEMA, TRADES
from system.algo_trader.storage.steps import (
    END_STEPS,
    LOG_STEPS,
    PART_STEPS,
    RESTORE_STEPS,
    SWEEP_STEPS,
    Faults,
    no_faults,
)
from system.algo_trader.storage.upkeep import compact, retire
from system.algo_trader.storage.version import VERSION_FILE

RUN_S: Final = 60.0
WRITES: Final = 10
DAY: Final = 86_400_000_000_000
MINUTE: Final = 60_000_000_000
OPEN: Final = 17_000 * DAY + 52_200_000_000_000
"""A trading day's opening bell in summer, nanoseconds UTC."""

SYMBOLS: Final = ("AAA", "BBB")
KEEP: Final = {"bars_1m": "2d", "trades": "2d"}
NOW: Final = OPEN + 2 * DAY + DAY // 2
_MODULE: Final = "system.algo_trader.storage.archive_crash_runs"
_WRITING: Final = (*PART_STEPS, *LOG_STEPS)

DEEDS: Final[dict[str, tuple[str, ...]]] = {
    "commit": (*_WRITING, "finished"),
    "compact": (*_WRITING, *END_STEPS),
    "retire": ("marked", *LOG_STEPS, *END_STEPS),
    "restore": RESTORE_STEPS,
    "recover": SWEEP_STEPS,
}
"""What is being done when the process dies, and the steps at which it may."""

RUNS: Final = tuple((deed, step) for deed, steps in DEEDS.items() for step in steps)

Key = tuple[str, int]
Trade = tuple[str, int, float, int]


@dataclass(frozen=True, slots=True)
class Write:
    """Hold what one transaction is given: closes by minute of one symbol, and trades."""

    symbol: str
    closes: dict[int, float]
    trades: tuple[tuple[int, float], ...]


@dataclass(slots=True)
class Model:
    """Hold what must be stored: each bar's closes in the order of their revisions, and trades."""

    closes: dict[Key, list[float]] = field(default_factory=dict)
    trades: Counter[Trade] = field(default_factory=Counter)

    def give(self, write: Write) -> None:
        """Apply a write as the archive's documentation says it is stored."""
        for start, close in write.closes.items():
            stored = self.closes.setdefault((write.symbol, start), [])
            if not stored or stored[-1] != close:
                stored.append(close)
        given = Counter((write.symbol, at, price, 1) for at, price in write.trades)
        self.trades |= given

    def after(self, instant: int) -> Model:
        """Return what is left once whole days before the instant's day are gone."""
        return Model(
            {key: list(values) for key, values in self.closes.items() if key[1] >= instant},
            Counter({trade: count for trade, count in self.trades.items() if trade[1] >= instant}),
        )


def writes_of(seed: int) -> list[Write]:
    """Return the writes of a seed: minutes and trades of three days, many of them twice."""
    rng = random.Random(seed)
    made = []
    for _ in range(WRITES):
        starts = {OPEN + rng.randrange(3) * DAY + rng.randrange(8) * MINUTE for _ in range(6)}
        closes = {start: float(rng.randrange(1, 4)) for start in sorted(starts)}
        times = [OPEN + rng.randrange(3) * DAY + rng.randrange(20) for _ in range(rng.randrange(5))]
        trades = tuple((at, float(rng.randrange(1, 3))) for at in sorted(times))
        made.append(Write(rng.choice(SYMBOLS), closes, trades))
    return made


def run_of(seed: int) -> tuple[str, str, int]:
    """Return the deed, the step at which it dies, and the how-manyeth time that is reached."""
    deed, step = RUNS[seed % len(RUNS)]
    once = deed in ("retire", "recover") or step.startswith("restore")
    return deed, step, 1 if once else random.Random(-seed - 1).randint(1, 4)


def model_of(writes: list[Write]) -> Model:
    """Return what must be stored after some writes."""
    model = Model()
    for write in writes:
        model.give(write)
    return model


def apply(archive: Archive, write: Write, number: int) -> None:
    """Store one write in one transaction, every other one in files that symbols may share."""
    series = Series(write.symbol, Timeframe.M1, adjustment=Adjustment.RAW, source=Source.FILE)
    close = list(write.closes.values())
    bars = Bars.of(series, start=list(write.closes), open=close, high=close, low=close,
                   close=close, volume=[1] * len(close), fetched_at=number,
                   is_synthetic=False)  # fmt: skip
    rows = [
        {
            "symbol": write.symbol,
            "source": "file",
            "ts_event": at,
            "price": price,
            "size": 1,
            "is_synthetic": False,
        }
        for at, price in write.trades
    ]
    with archive.transaction(f"write/{number}") as transaction:
        together = number % 2 == 1
        transaction.append(bars, together=together)
        if rows:
            table = pa.Table.from_pylist(rows, schema=TRADE_SCHEMA)
            transaction.append_records(TRADES, table, together=together)


def stored(archive: Archive) -> Model:
    """Return what an archive holds, and check that revisions are numbered from 0 without holes."""
    found = Model()
    for symbol in SYMBOLS:
        table = archive.revisions(symbol, Timeframe.M1).table
        rows = zip(*(table.column(name).to_pylist() for name in ("start", "revision", "close")),
                   strict=True)  # fmt: skip
        for start, revision, close in sorted(rows):
            values = found.closes.setdefault((symbol, start), [])
            if revision != len(values):
                raise AssertionError(f"{symbol} {start} has revision {revision} after {values}")
            values.append(close)
        trades = archive.records(TRADES, symbol).to_pylist()
        found.trades.update((symbol, row["ts_event"], row["price"], row["size"]) for row in trades)
    return found


def strays(root: Path) -> list[str]:
    """Return the files of an archive that nothing names."""
    known = {part.path for part in Archive(root).parts()}
    known |= {MANIFEST_FILE, VERSION_FILE, LOCK_FILE}
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return sorted(files - known)


def kill_and_compare(folder: Path, seed: int) -> str:
    """Run a seed and return what is wrong, "" if nothing is.

    Args:
        folder: For the run alone.
        seed: Any natural number.
    """
    deed, step, time = run_of(seed)
    said = f"seed {seed}, {deed} killed at {step!r}, time {time}"
    folder.mkdir(parents=True, exist_ok=True)
    argv, env = module_command(_MODULE, str(folder), str(seed))
    run = subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    if run.returncode != -signal.SIGKILL:
        return f"{said}: the run did not die there: {run.returncode} {run.stderr}"
    try:
        return _compare(folder, seed, run.stdout.split(), said)
    except Exception as error:
        error.add_note(said)
        raise


def _compare(folder: Path, seed: int, acknowledged: list[str], said: str) -> str:
    deed, writes = run_of(seed)[0], writes_of(seed)
    root = folder / ("restored" if deed == "restore" else "archive")
    count = len(acknowledged)
    # What was not acknowledged may be done, as a whole or not at all.
    allowed = {
        "commit": [model_of(writes[:count]), model_of(writes[: count + 1])],
        "retire": [model_of(writes), model_of(writes).after(OPEN + DAY)],
        "restore": [Model(), model_of(writes)],
    }.get(deed, [model_of(writes)])
    found = stored(Archive(root))
    if found not in allowed:
        return f"{said}: {count} writes were acknowledged, and {found} was there"
    damages = Archive(root).damages()
    if damages:
        return f"{said}: {damages}"
    return _go_on(folder, seed, root, count, said)


def _go_on(folder: Path, seed: int, root: Path, count: int, said: str) -> str:
    """Do what the dead process had left to do, and compare again."""
    deed, writes = run_of(seed)[0], writes_of(seed)
    whole = model_of(writes)
    if deed == "commit":
        # The write that was under way is given again, whether it is there or not.
        for number, write in enumerate(writes[count:], count):
            apply(Archive(root), write, number)
    elif deed == "compact":
        compact(Archive(root))
    elif deed == "retire":
        whole = whole.after(OPEN + DAY)
        retire(Archive(root), NOW, KEEP, apply=True)
    elif deed == "restore" and not (root / MANIFEST_FILE).exists():
        restore(folder / "copy", root)
    if stored(Archive(root)) != whole:
        return f"{said}: after going on, {stored(Archive(root))} was there"
    apply(Archive(root), Write("CCC", {OPEN: 1.0}, ()), 99)
    if strays(root):
        return f"{said}: nobody removes {strays(root)}"
    damages = Archive(root).damages()
    return f"{said}: {damages}" if damages else ""


def dying(step: str, time: int) -> Faults:
    """Return what kills the process when a step is reached for the how-manyeth time."""
    left = time

    def die(reached: str) -> None:
        nonlocal left
        if reached == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return die


def main(folder: Path, seed: int) -> None:
    """Write, do the deed, and die at the step."""
    deed, step, time = run_of(seed)
    root = folder / "archive"
    die = dying(step, time)
    archive = Archive(root, faults=die if deed == "commit" else no_faults)
    for number, write in enumerate(writes_of(seed)):
        apply(archive, write, number)
        os.write(1, f"{number}\n".encode())
    if deed == "compact":
        compact(Archive(root, faults=die))
    elif deed == "retire":
        retire(Archive(root, faults=die), NOW, KEEP, apply=True)
    elif deed == "restore":
        backup(Archive(root), folder / "copy")
        restore(folder / "copy", folder / "restored", faults=die)
    elif deed == "recover":
        _die_twice(root, die)


def _die_twice(root: Path, die: Faults) -> None:
    """Let a child die within a commit, then die while removing what it left."""
    child = os.fork()
    if child == 0:
        lost = Archive(root, faults=dying("manifest", 1))
        apply(lost, Write("CCC", {OPEN: 2.0, OPEN + DAY: 3.0}, ((OPEN, 1.0),)), 98)
        os._exit(1)
    os.waitpid(child, 0)
    apply(Archive(root, faults=die), Write("CCC", {OPEN: 1.0}, ()), 99)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
