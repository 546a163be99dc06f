"""A thread that works on what it is given, in batches, behind a bounded queue."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from infrastructure.logging import get_logger

T = TypeVar("T")
_log = get_logger("pipeline.worker")


class Worker(Generic[T]):
    """Hand items to a function in their order, everything that waits at once.

    A failure of the function ends the worker; it is raised to whoever gives or joins next, so
    that nothing is lost in silence. The function itself retries what is worth it.

    Args:
        name: For logs and the thread.
        work: Takes a batch of items.
        limit: Items that may wait.

    Attributes:
        most: The most items that ever waited.
    """

    def __init__(self, name: str, work: Callable[[list[T]], None], limit: int) -> None:
        self.name = name
        self._work = work
        self._limit = limit
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._busy = False
        self._failure: BaseException | None = None
        self.most = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._items)

    def offer(self, item: T) -> bool:
        """Append an item unless the queue is full; say whether it was taken.

        Raises:
            BaseException: What ended the worker, if it failed.
        """
        with self._changed:
            self._raise()
            if len(self._items) >= self._limit:
                return False
            self._items.append(item)
            self.most = max(self.most, len(self._items))
            self._changed.notify_all()
            return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything given so far is done; say whether it is.

        Raises:
            BaseException: What ended the worker, if it failed.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._failure is not None or not (self._items or self._busy), timeout_s
            )
            self._raise()
            return done

    def close(self, timeout_s: float) -> bool:
        """Work off what waits and end; say whether that was done in time. Errors as `flush`."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            self._raise()
        return not self._thread.is_alive()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._items or self._ending)
                    if not self._items:
                        return
                    batch = list(self._items)
                    self._items.clear()
                    self._busy = True
                self._work(batch)
        except BaseException as error:
            _log.error("%s has ended: %s", self.name, error)
            with self._changed:
                self._failure = error
                self._busy = False
                self._changed.notify_all()
