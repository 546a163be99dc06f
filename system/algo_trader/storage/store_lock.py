"""One writer of a store at a time, across threads and processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import StoreLocked
from infrastructure.supervision.files import make_private_folder
from infrastructure.supervision.locks import FileLock

LONGEST_WAIT_S = 150.0
"""Above the time that a refresh with its retries and timeouts may take while it holds the lock."""


class StoreLock:
    """A file lock that one thread may nest and other threads wait for.

    Args:
        path: The lock's file; it stays, since removing it would let two holders in.
        longest_wait_s: How long to wait for another holder, seconds.
        clock: Waits.
    """

    def __init__(
        self,
        path: Path,
        *,
        longest_wait_s: float = LONGEST_WAIT_S,
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._longest_wait_s = longest_wait_s
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._threads = threading.RLock()
        self._processes = FileLock(path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block.

        Raises:
            StoreLocked: If another holder keeps it longer than the longest wait.
            OperatorError: If its file cannot be made.
        """
        if not self._threads.acquire(timeout=self._longest_wait_s):
            raise StoreLocked(
                f"another thread has held {self._path} for {self._longest_wait_s:g} s",
                next_step="Wait for it and try again.",
            )
        try:
            if self._processes.held:
                yield
                return
            make_private_folder(self._path.parent)
            with self._processes.holding(timeout_s=self._longest_wait_s, clock=self._clock):
                yield
        finally:
            self._threads.release()
