"""Named steps at which tests let the server die, fail or wait; outside of tests they do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

STEPS: Final = (
    "log.before_write",
    "log.half_written",
    "log.before_sync",
    "log.synced",
    "log.segment_made",
    "log.segments_dropped",
    "commit.applied",
    "flush.frozen",
    "part.written",
    "part.renamed",
    "flush.parts_written",
    "catalog.written",
    "catalog.replaced",
    "flush.published",
)

hook: Callable[[str], None] | None = None


def reach(step: str) -> None:
    """Say that a step is reached.

    Args:
        step: One of STEPS.
    """
    if hook is not None:
        hook(step)
