"""Work that blocks, done by a few threads beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final, TypeVar

from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from system.algo_trader.api.operations.problem import Problem, problem_of

_log = get_logger("api.work")
T = TypeVar("T")


class Lane(StrEnum):
    """Name threads of their own: what takes seconds keeps nothing of another lane waiting."""

    ANSWERS = "answer"
    SQL = "sql"
    CHANGES = "change"
    """Of services and processes: one that ends has a minute and a half to write what it has."""


SQL_AT_ONCE: Final = 16
_THREADS: Final = {Lane.ANSWERS: 4, Lane.SQL: SQL_AT_ONCE, Lane.CHANGES: 2}
# Of SQL each has its thread at once: the sandbox bounds how many are answered, and how long the
# others wait for it.
_MOST_WAITING: Final = {Lane.ANSWERS: 256, Lane.SQL: SQL_AT_ONCE, Lane.CHANGES: 16}


class Work:
    """Run functions by a few threads; where too many wait, the next one is told to come back."""

    def __init__(self) -> None:
        self._pools = {
            lane: ThreadPoolExecutor(threads, thread_name_prefix=lane)
            for lane, threads in _THREADS.items()
        }
        self._waiting = dict.fromkeys(Lane, 0)

    def close(self) -> None:
        """End the threads; what waits is not done."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    async def do(self, function: Callable[[], T], lane: Lane = Lane.ANSWERS) -> T:
        """Return what a function returns.

        Args:
            function: What is done.
            lane: By whose threads.

        Raises:
            Problem: What it raises of our tree, as a problem; 503 where too many wait; 500 for
                any other error, which is logged.
        """
        if self._waiting[lane] >= _MOST_WAITING[lane]:
            raise Problem(503, "too many questions wait to be answered", retry_after_s=1)
        self._waiting[lane] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pools[lane], function)
        except Problem:
            raise
        except StackError as error:
            problem = problem_of(error)
            if problem.status >= 500:
                _log.warning("%s: %s", type(error).__name__, error)
            raise problem from error
        except Exception as error:
            _log.exception("an answer failed")
            raise Problem(500, "this is a fault of the service; its log says more") from error
        finally:
            self._waiting[lane] -= 1
