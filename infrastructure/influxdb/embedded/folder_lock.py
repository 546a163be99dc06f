"""One process a data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from infrastructure.errors import StoreLocked


def lock_folder(folder: Path) -> int:
    """Lock a folder for this process and return the descriptor that holds the lock.

    Raises:
        StoreLocked: If another process holds it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreLocked(
            f"another process has {folder} open",
            next_step="Stop that server first, or name another folder.",
        ) from None
    return descriptor
