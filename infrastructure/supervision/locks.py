"""Locks between processes that end with their holder, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from infrastructure.clock import Clock
from infrastructure.errors import StoreLocked
from infrastructure.supervision.files import told_in_a_sentence

POLL_S = 0.02


class FileLock:
    """A flock(2) on a file of its own: the kernel gives it back when its last holder dies.

    Args:
        path: The lock's file, made when absent and never removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._number is not None

    def fileno(self) -> int:
        """Return the descriptor of a held lock; a child that inherits it holds the lock too."""
        if self._number is None:
            raise ValueError(f"{self.path} is not locked by this object")
        return self._number

    def try_lock(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free; whether it was.

        Args:
            shared: Others may hold it as well, if they share it too.

        Raises:
            OperatorError: If the file cannot be opened.
        """
        if self._number is not None:
            raise ValueError(f"{self.path} is locked by this object already")
        with told_in_a_sentence(self.path, "open the lock"):
            number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(number)
            return False
        self._number = number
        return True

    def is_sole_holder(self) -> bool:
        """Whether nobody else shares this held lock; it is exclusive then.

        That is known even when the file has been removed, since the lock is on the open file.
        """
        try:
            fcntl.flock(self.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self, *, shared: bool = False, timeout_s: float, clock: Clock) -> None:
        """Take the lock, waiting for it.

        Raises:
            StoreLocked: If it is not free in time.
        """
        deadline = clock.monotonic_ns() + round(timeout_s * 1e9)
        while not self.try_lock(shared=shared):
            if clock.monotonic_ns() >= deadline:
                raise StoreLocked(
                    f"another process has held {self.path} for {timeout_s:g} s",
                    next_step="Wait for it, or end it, and run the command again.",
                )
            clock.sleep(POLL_S)

    def unlock(self) -> None:
        """Give the lock back; nothing when it is not held."""
        if self._number is not None:
            number, self._number = self._number, None
            os.close(number)

    @contextlib.contextmanager
    def holding(self, *, timeout_s: float, clock: Clock) -> Iterator[None]:
        """Hold the lock for the length of a block."""
        self.lock(timeout_s=timeout_s, clock=clock)
        try:
            yield
        finally:
            self.unlock()

    @staticmethod
    def is_free(path: Path) -> bool:
        """Whether nobody holds the lock on a file, exclusive or shared."""
        probe = FileLock(path)
        if not probe.try_lock():
            return False
        probe.unlock()
        return True
