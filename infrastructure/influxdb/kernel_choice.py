"""Decide when compiled kernels are worth their loading."""

from __future__ import annotations

SMALL_BATCH = 200
LOAD_AFTER = 50_000


class KernelChoice:
    """Choose between the kernels and the path that needs no compilation.

    Loading the kernels costs as much as some hundred thousand rows save. So a short command never
    loads them, and a process that has shown to be busy uses them for every batch but small ones.

    Args:
        load_after: Rows that a process handles before the kernels are loaded.
    """

    def __init__(self, load_after: int = LOAD_AFTER) -> None:
        self._load_after = load_after
        self._seen = 0

    def takes(self, rows: int) -> bool:
        """Count a batch and return whether the kernels take it."""
        self._seen += rows
        return rows >= SMALL_BATCH and self._seen >= self._load_after
