"""How long a thread may keep the interpreter while another waits for it."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import Final

TURN_S: Final = 0.0001
"""A fiftieth of Python's own: an update goes through two threads on its way to Redis, and what it
may wait for each of them is one turn of the others."""


@contextlib.contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take turns quickly for the length of a block.

    What was loaded until now is not searched for garbage meanwhile: that stops every thread.
    """
    before = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()
