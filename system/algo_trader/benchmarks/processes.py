"""What processes of this machine take: cores and memory, out of /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_FORGET_PEAK: Final = "5"


class Usage:
    """Measure processes between two calls.

    Args:
        pids: The processes, by name.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._at = time.monotonic()
        self._ticks = {name: cpu_ticks(pid) for name, pid in self._pids.items()}

    def cores(self) -> dict[str, float]:
        """Return how many cores each has used since the call before, or since the beginning."""
        now = time.monotonic()
        ticks = {name: cpu_ticks(pid) for name, pid in self._pids.items()}
        span = (now - self._at) * _TICKS_A_SECOND
        used = {name: (ticks[name] - self._ticks[name]) / span for name in ticks}
        self._at, self._ticks = now, ticks
        return used


def cpu_ticks(pid: int) -> int:
    """Return the processor time of a process so far, in clock ticks; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def taken_peak(pid: int) -> int:
    """Return the most memory that a process has held since the call before; 0 when it is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        status = (folder / "status").read_text(encoding="ascii")
        (folder / "clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
    except OSError:
        return 0
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
