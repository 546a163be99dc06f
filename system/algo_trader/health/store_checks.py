"""How what is stored on this machine is: the archive, the spool, the disk and memory below it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infrastructure.clock import Clock
from system.algo_trader.health.check import Check, State, state_of_share, worst
from system.algo_trader.jobs.spool_delivery import spool_state
from system.algo_trader.realm import Realm
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.manifest import MANIFEST_FILE, Manifest
from system.algo_trader.storage.quota import WARN_AT, quota_of
from system.algo_trader.storage.version import check_version

if TYPE_CHECKING:
    from system.algo_trader.runtime import Runtime

DISK_DEGRADED: Final = 0.90
DISK_DOWN: Final = 0.95
MEMORY_DEGRADED: Final = 0.85
MEMORY_DOWN: Final = 0.95
LOOK_S: Final = 1.0
"""How long files are looked at: the newest of a large archive, in place of no answer at all."""
MEMORY_FILE: Final = Path("/proc/meminfo")


def spool_check(realm: Realm) -> Check:
    """Return how the spool of a realm is: what waits there for InfluxDB, and what was refused."""
    state = spool_state(realm)
    quiet = not state.waiting and not state.refused
    return Check("spool", "ok" if quiet else "degraded", state.sentence)


def archive_check(root: Path, clock: Clock, look_s: float = LOOK_S) -> Check:
    """Return how an archive is as far as its log and its files' sizes tell; no file is read.

    Args:
        root: The archive's folder.
        clock: Tells the age of the newest commit, and how long files are looked at.
        look_s: How long, seconds; the newest files first.

    Raises:
        StackError: If the log is damaged, or a newer version wrote it.
    """
    check_version(root)
    manifest = Manifest(root / MANIFEST_FILE)
    commits, parts = manifest.commits(), manifest.parts()
    if not commits:
        return Check("archive", "degraded", "empty; run `algo-trader` to fill it")
    looked_at, damage = _looked_at(root, parts, clock, look_s)
    if damage is not None:
        return Check("archive", "down", f"{damage}; run `algo-trader archive verify`")
    age_s = max(0.0, (clock.now_ns() - commits[-1].committed_at_ns) / 1e9)
    seen = "all" if looked_at == len(parts) else f"the newest {looked_at:,}"
    return Check(
        "archive",
        "ok",
        f"{sum(part.rows for part in parts):,} rows in {len(parts):,} files, {seen} of their "
        f"size; newest commit {_age(age_s)} ago",
    )


def _looked_at(
    root: Path, parts: Sequence[Part], clock: Clock, look_s: float
) -> tuple[int, str | None]:
    """Compare sizes, and return how many files were looked at and the first damage."""
    begun_ns = clock.monotonic_ns()
    for count, part in enumerate(reversed(parts)):
        if clock.monotonic_ns() - begun_ns > look_s * 1e9:
            return count, None
        try:
            size = os.stat(root / part.path).st_size
        except FileNotFoundError:
            return count, f"{part.path} is missing"
        except OSError as error:
            return count, f"{part.path} cannot be read: {error.strerror}"
        if size != part.bytes:
            return count, f"{part.path} has {size:,} bytes, expected {part.bytes:,}"
    return len(parts), None


def verified_archive_check(runtime: Runtime) -> Check:
    """Return how an archive is after every part was read and compared with its checksum."""
    damages = runtime.archive.damages()
    if damages:
        return Check("archive", "down", "; ".join(damages[:3]))
    parts = runtime.archive.files()
    if not parts:
        return Check("archive", "degraded", "empty; run `algo-trader` to fill it")
    rows = sum(part.rows for part in parts)
    return Check("archive", "ok", f"{rows:,} rows in {len(parts):,} files, every one verified")


def disk_check(home: Path, archive: Path) -> Check:
    """Return how full the disk of a home is, and how much of its quota an archive has used.

    Raises:
        StackError: If the quota or the archive's log cannot be read.
    """
    usage = shutil.disk_usage(next(each for each in (home, *home.parents) if each.exists()))
    # As df counts: what is kept for root is nobody's to use.
    share = usage.used / (usage.used + usage.free)
    state = state_of_share(share, degraded_from=DISK_DEGRADED, down_from=DISK_DOWN)
    detail = f"{share:.0%} used, {usage.free / 1024**3:.1f} GiB free"
    quota = quota_of(archive)
    if quota is None:
        return Check("disk", state, detail)
    part_share = sum(part.bytes for part in Manifest(archive / MANIFEST_FILE).parts()) / quota
    full: State = state_of_share(part_share, degraded_from=WARN_AT, down_from=1.0)
    return Check("disk", worst((state, full)), f"{detail}; {part_share:.0%} of the archive's quota")


def memory_check(file: Path = MEMORY_FILE) -> Check:
    """Return how much of the machine's memory is used.

    Args:
        file: Where Linux says so; other systems have none.
    """
    try:
        text = file.read_text(encoding="ascii")
    except OSError:
        return Check("memory", "ok", f"not measured on {sys.platform}")
    kilobytes = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in text.splitlines())
        if name in ("MemTotal", "MemAvailable")
    }
    available = kilobytes["MemAvailable"]
    share = 1 - available / kilobytes["MemTotal"]
    state = state_of_share(share, degraded_from=MEMORY_DEGRADED, down_from=MEMORY_DOWN)
    return Check("memory", state, f"{share:.0%} used, {available / 1024**2:.1f} GiB available")


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
