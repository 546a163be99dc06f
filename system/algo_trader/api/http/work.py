"""Work that blocks, done by a few threads beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from system.algo_trader.api.operations.problem import Problem, problem_of

THREADS: Final = 4
MOST_WAITING: Final = 256
_log = get_logger("api.work")
T = TypeVar("T")


class Work:
    """Run functions by a few threads; where too many wait, the next one is told to come back.

    Args:
        threads: How many.
        most_waiting: How many may wait or run.
    """

    def __init__(self, threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answer")
        self._most = most_waiting
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Return how many functions wait or run."""
        return self._waiting

    def close(self) -> None:
        """End the threads; what waits is not done."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def do(self, function: Callable[[], T]) -> T:
        """Return what a function returns.

        Raises:
            Problem: What it raises of our tree, as a problem; 503 where too many wait; 500 for
                any other error, which is logged.
        """
        if self._waiting >= self._most:
            raise Problem(503, "too many questions wait to be answered", retry_after_s=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)
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
            self._waiting -= 1
