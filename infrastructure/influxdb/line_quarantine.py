"""A file of the lines that InfluxDB refused, each with the reason, as JSON lines."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection
from pathlib import Path

from infrastructure.errors import LineError
from infrastructure.influxdb.lines import split_lines
from infrastructure.supervision.files import told_in_a_sentence

_TAIL_BYTES = 4 * 1024 * 1024
"""How far back a line is looked for that a block sent again brings again."""
_LOCK = threading.Lock()


def keep_refused(
    path: Path, lines: bytes, errors: Collection[LineError], *, reason: str = ""
) -> int:
    """Put refused lines in quarantine; they are on disk then. What stands there stays once.

    Args:
        path: The file; made when absent.
        lines: The block that was sent.
        errors: What the server says of its lines.
        reason: Why the whole block is refused, where no line is named.

    Returns:
        How many lines are new in the file.

    Raises:
        DiskFull: If there is no space left.
        OperatorError: If the file system refuses.
    """
    known = dict(split_lines(lines.decode(errors="replace")))
    rows = [
        {"line": known.get(each.line_number, each.original_line), "reason": each.message}
        for each in errors
    ] or [{"line": line, "reason": reason} for line in known.values()]
    with _LOCK, told_in_a_sentence(path):
        tail = _tail(path)
        there = set(tail.splitlines())
        texts = dict.fromkeys(map(json.dumps, rows))
        fresh = [text for text in texts if text not in there]
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "a", encoding="utf-8") as file:
            if tail and not tail.endswith("\n"):
                file.write("\n")
            file.write("".join(text + "\n" for text in fresh))
            file.flush()
            os.fsync(file.fileno())
    return len(fresh)


def refused_count(path: Path) -> int:
    """Return how many lines are in quarantine."""
    if not path.exists():
        return 0
    with told_in_a_sentence(path, "read"), path.open("rb") as file:
        return sum(1 for _ in file)


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return file.read().decode(errors="replace")
