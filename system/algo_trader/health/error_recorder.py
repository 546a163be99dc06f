"""Take errors of this process to their registry, without holding up whoever met them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from infrastructure.clock import Clock
from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from infrastructure.logging.logger import ROOT
from system.algo_trader.health.occurrence import Occurrence

MOST_WAITING: Final = 200
"""Different errors that wait for Redis; the same one again takes no more room."""
RETRY_S: Final = 1.0
END_S: Final = 2.0
"""How long the end of a process waits for what is not in Redis yet."""
_log = get_logger("health.errors")


class Registry(Protocol):
    """Take errors: the part of `ErrorRegistry` that is needed."""

    def record(self, seen: Occurrence) -> object:
        """Count one.

        Raises:
            StackError: If it cannot be done now.
        """


class ErrorRecorder:
    """Note errors at once, and write them by a thread as soon as Redis takes them.

    Nothing here raises or waits. The thread begins with the first error.

    Args:
        registry: Returns the registry, None as long as this process has no Redis.
        clock: Dates errors.
        process: What runs: the words of its verb.
        most_waiting: Different errors that wait; further ones are left out, and a warning says so.
        retry_s: How long after a failed write the next one is tried, seconds.
    """

    def __init__(
        self,
        registry: Callable[[], Registry | None],
        clock: Clock,
        process: str,
        *,
        most_waiting: int = MOST_WAITING,
        retry_s: float = RETRY_S,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._process = process
        self._most_waiting = most_waiting
        self._retry_s = retry_s
        self._waiting: dict[str, Occurrence] = {}
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._has_warned = False
        self.left_out = 0

    def record(self, error: StackError) -> None:
        """Note an error of our tree."""
        self._note(lambda: Occurrence.of(error, self._process, self._clock.now_ns()))

    def record_log(self, record: logging.LogRecord) -> None:
        """Note a line of the log, unless the writing thread itself has logged it."""
        if threading.current_thread() is not self._thread:
            self._note(lambda: Occurrence.of_log(record, self._process))

    @property
    def waiting(self) -> int:
        """Return how many different errors are not in Redis yet."""
        with self._changed:
            return len(self._waiting)

    @property
    def is_working(self) -> bool:
        """Return whether its thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def close(self, wait_s: float = END_S) -> None:
        """Try once more to write what waits, for so many seconds at most, and end."""
        with self._changed:
            self._is_closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(wait_s)

    def _note(self, made: Callable[[], Occurrence]) -> None:
        try:
            if not self._wait(made()) and self.left_out == 1:
                _log.warning("too many errors wait for their registry: further ones are left out")
        except Exception as error:  # what is told about an error must not become another one
            _log.debug("an error could not be recorded: %s", error)

    def _wait(self, seen: Occurrence) -> bool:
        """Let an error wait; return False where there is no room."""
        with self._changed:
            if self._is_closing:
                return True
            before = self._waiting.get(seen.id)
            if before is None and len(self._waiting) >= self._most_waiting:
                self.left_out += 1
                return False
            self._waiting[seen.id] = seen if before is None else before.merged(seen)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="errors", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                is_closing = self._is_closing
            is_written = self._write_all()
            with self._changed:
                if is_closing:
                    return
                if not is_written:
                    self._changed.wait_for(lambda: self._is_closing, self._retry_s)

    def _write_all(self) -> bool:
        """Write what waits; return False while it cannot be written."""
        try:
            registry = self._registry()
            while registry is not None:
                with self._changed:
                    if not self._waiting:
                        return True
                    seen = self._waiting.pop(next(iter(self._waiting)))
                if not self._write(registry, seen):
                    return False
        except Exception as error:
            self._warn(error)
        return False

    def _write(self, registry: Registry, seen: Occurrence) -> bool:
        try:
            registry.record(seen)
        except StackError as error:
            with self._changed:
                newer = self._waiting.get(seen.id)
                self._waiting[seen.id] = seen if newer is None else seen.merged(newer)
            self._warn(error)
            return False
        self._has_warned = False
        return True

    def _warn(self, error: Exception) -> None:
        """Say once an outage that errors wait."""
        if not self._has_warned:
            self._has_warned = True
            _log.warning("errors wait for their registry: %s", error)


class ErrorLog(logging.Handler):
    """Take what is logged as an error, or worse, to a recorder.

    Args:
        recorder: Notes it.
    """

    def __init__(self, recorder: ErrorRecorder) -> None:
        super().__init__(logging.ERROR)
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        """Note one line."""
        self._recorder.record_log(record)


@contextmanager
def recorded_log(recorder: ErrorRecorder) -> Iterator[None]:
    """Record what is logged as an error in a block, and end the recorder behind it."""
    handler, root = ErrorLog(recorder), logging.getLogger(ROOT)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        recorder.close()
