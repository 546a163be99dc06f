"""What a killed writer leaves behind, and how the next one finds and removes it.

A writer marks the archive before its first file and takes the mark away after its last. Whoever
finds a mark while it holds the lock knows that its predecessor died, and removes every file of
ours that no commit counts. Files of other names are a person's own, and stay.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from infrastructure.logging import get_logger
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.durable_file import sync_folder
from system.algo_trader.storage.steps import Faults, no_faults

MARK_FILE: Final = "unfinished"
_OURS: Final = re.compile(
    r"(?:\.draft-)?part-[0-9a-f]{16}\.parquet(?:\.new)?|"
    r"(?:manifest\.log|version\.json|quota\.json)\.new"
)
_log = get_logger("archive")


def mark(root: Path) -> None:
    """Say on disk that a writer has begun.

    Raises:
        DiskFull: If there is no space left.
        OperatorError: If the file system refuses.
    """
    path = root / MARK_FILE
    with told_in_a_sentence(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_folder(root)


def unmark(root: Path) -> None:
    """Say that the writer has left nothing behind; losing this costs one needless sweep."""
    with told_in_a_sentence(root / MARK_FILE, "remove"):
        (root / MARK_FILE).unlink(missing_ok=True)


def is_marked(root: Path) -> bool:
    """Whether a writer has begun and not ended; for one that holds the lock: whether it died."""
    return (root / MARK_FILE).exists()


def sweep(root: Path, counting: Iterable[str], faults: Faults = no_faults) -> int:
    """Remove every file of a dead writer, then the mark; return how many files went.

    Args:
        root: The archive's folder, whose lock is held.
        counting: Paths of the parts that count, relative to the archive.
        faults: Called with `swept` after each file.

    Raises:
        OperatorError: If the file system refuses.
    """
    known = set(counting)
    gone = 0
    with told_in_a_sentence(root, "sweep"):
        for folder, _, names in os.walk(root, topdown=False):
            for name in names:
                path = Path(folder, name)
                if _OURS.fullmatch(name) and str(path.relative_to(root)) not in known:
                    path.unlink(missing_ok=True)
                    gone += 1
                    faults("swept")
            prune(root, Path(folder))
    unmark(root)
    if gone:
        _log.warning("a writer of %s was killed; %d files that it left were removed", root, gone)
    return gone


def prune(root: Path, folder: Path) -> None:
    """Remove a folder below the archive if it is empty, and those above it that are empty then."""
    while root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
