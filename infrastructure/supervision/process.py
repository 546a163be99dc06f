"""One process among all: its identity beyond a pid, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from infrastructure.clock import Clock
from infrastructure.errors import OperatorError

POLL_S = 0.02
KILL_WAIT_S = 5.0
_children: dict[int, subprocess.Popen[bytes]] = {}


def remember_child(child: subprocess.Popen[bytes]) -> None:
    """Keep a child's object, so that its end is reaped and its death not waited for."""
    _children[child.pid] = child


def exit_code(pid: int) -> int | None:
    """Return the exit code of a child of ours, None while it runs or when it is not ours."""
    child = _children.get(pid)
    return None if child is None else child.poll()


def start_time(pid: int) -> str | None:
    """Return when a process began, in a form to compare only; None when none such lives.

    A pid is given again to others, a pid with its start time is not. Linux counts clock ticks
    since the boot (proc_pid_stat(5), field 22), so the boot's id goes with it; elsewhere `ps`
    is asked. A zombie is dead: it holds nothing but its exit code.
    """
    if pid <= 0:
        return None
    exit_code(pid)
    return _linux_start_time(pid) if sys.platform == "linux" else _ps_start_time(pid)


def is_alive(pid: int, began: str) -> bool:
    """Whether the process of that pid and that start time still runs."""
    return bool(began) and start_time(pid) == began


def send(pid: int, began: str, number: signal.Signals) -> bool:
    """Signal exactly one process, with its group when it leads one; False when it is gone.

    Raises:
        OperatorError: If it belongs to another user.
    """
    if not is_alive(pid, began):
        return False
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise OperatorError(
            f"process {pid} belongs to another user and was left alone",
            next_step="Stop it as that user.",
        ) from error
    return True


def wait_until_gone(pid: int, began: str, *, seconds: float, clock: Clock) -> bool:
    """Wait for a process to end; whether it did in time."""
    deadline = clock.monotonic_ns() + round(seconds * 1e9)
    while is_alive(pid, began):
        if clock.monotonic_ns() >= deadline:
            return False
        clock.sleep(POLL_S)
    return True


def terminate(pid: int, began: str, *, grace_s: float, clock: Clock) -> bool:
    """End a process: SIGTERM, some grace, SIGKILL. Whether it was there to be ended.

    Args:
        pid: The process.
        began: Its start time; another process under its pid is left alone.
        grace_s: Seconds between the two signals.
        clock: Measures them.

    Raises:
        OperatorError: If it belongs to another user, or outlives SIGKILL.
    """
    if not send(pid, began, signal.SIGTERM):
        return False
    if wait_until_gone(pid, began, seconds=grace_s, clock=clock):
        return True
    send(pid, began, signal.SIGKILL)
    if not wait_until_gone(pid, began, seconds=KILL_WAIT_S, clock=clock):
        raise OperatorError(f"process {pid} did not end after SIGKILL")
    return True


def _linux_start_time(pid: int) -> str | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = line.rpartition(")")[2].split()
    if after_name[0] in "ZX":
        return None
    return f"{_boot_id()}:{after_name[19]}"


@lru_cache(maxsize=1)
def _boot_id() -> str:
    with contextlib.suppress(FileNotFoundError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    return "boot"


def _ps_start_time(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ.get("PATH", "/bin:/usr/bin"), "LC_ALL": "C", "TZ": "UTC"},
        check=False,
    )
    state, _, began = answer.stdout.strip().partition(" ")
    if not began or state.startswith("Z"):
        return None
    return " ".join(began.split())
