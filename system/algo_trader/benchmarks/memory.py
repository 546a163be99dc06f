"""How much memory a piece of work needs at its peak."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable


def peak_mb(work: Callable[[], object]) -> float:
    """Return the most megabytes that were allocated while something ran.

    Args:
        work: What is run once; it ran before, so that imports and compiled code are there.
    """
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
