"""The named steps of the archive's writers, at which tests let a process die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Faults = Callable[[str], None]

PART_STEPS: Final = (
    "marked",
    "part",
    "part half written",
    "part written",
    "part synced",
    "part renamed",
    "part on disk",
)
"""Of each part that a transaction writes; `marked` once before the first of them."""

LOG_STEPS: Final = ("manifest", "line half written", "line written", "committed")
"""Of the log's line, which makes the transaction's parts count."""

END_STEPS: Final = ("removed", "finished")
"""`removed` for each file that counts no longer, `finished` when the mark is gone."""

RESTORE_STEPS: Final = (
    "restore marked",
    "cleared",
    "created",
    "half written",
    "written",
    "synced",
    "renamed",
    "folder synced",
    "restored",
    "restore finished",
)
"""Of a restore; those in the middle for each file that it brings back."""

SWEEP_STEPS: Final = ("swept",)
"""For each file of a dead writer that the next one removes."""


def no_faults(step: str) -> None:
    """Do nothing at a named step; tests pass a function that fails there."""
