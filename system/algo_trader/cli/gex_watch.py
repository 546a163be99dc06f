"""The loop of `gex --watch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from infrastructure.errors import RetryableError

if TYPE_CHECKING:
    from infrastructure.clock import Clock

PERIOD_S: Final = 20.0
"""Below the 30 seconds for which a report is kept; three of the 120 requests a minute."""


def watch(refresh: Callable[[], None], report: Callable[[RetryableError], None], clock: Clock,
          *, period_s: float = PERIOD_S) -> None:  # fmt: skip
    """Refresh again and again until a person interrupts.

    Args:
        refresh: Fetches and shows once.
        report: Is told of a failure that passes by itself; the next round tries again.
        clock: Waits between rounds.
        period_s: Seconds between two rounds.

    Raises:
        StackError: Whatever else `refresh` raises.
    """
    try:
        while True:
            try:
                refresh()
            except RetryableError as error:
                report(error)
            clock.sleep(period_s)
    except KeyboardInterrupt:
        return
