"""A service's log: bounded, and quoted when something fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from infrastructure.supervision.files import told_in_a_sentence

TAIL_BYTES = 16 * 1024
TAIL_LINES = 5


def open_for_append(path: Path) -> int:
    """Return a descriptor that appends to a log of mode 0600; its caller closes it."""
    with told_in_a_sentence(path, "open the log"):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def rotate(path: Path, limit_bytes: int) -> bool:
    """Move a log beyond its limit to `NAME.1`, in place of the one before; whether it was.

    The log is copied and cut, not renamed: the service goes on appending to the same file. A
    line that it writes between the two is lost, which a log of its own can bear.
    """
    if not path.exists() or path.stat().st_size <= limit_bytes:
        return False
    with told_in_a_sentence(path, "rotate"):
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)
    return True


def tail(path: Path, *, since: int = 0, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, empty when there is none.

    Args:
        path: The log.
        since: Nothing before this byte is returned.
        lines: How many lines at most.
    """
    if not path.exists():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL_BYTES, min(since, size)))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])
