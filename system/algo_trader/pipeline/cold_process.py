"""Store in a process of its own: what is kept for good never takes a turn from what is live."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from multiprocessing import Pipe
from types import TracebackType
from typing import Any, Final, Self

from infrastructure.errors import ServiceUnavailable
from infrastructure.logging import get_logger
from infrastructure.supervision import module_command
from infrastructure.supervision.spec import child_environment
from system.algo_trader.market.bars import Bars
from system.algo_trader.pipeline.cold_messages import (
    SETTLE_S,
    Answer,
    Commit,
    Done,
    End,
    EndRun,
    Failed,
    Places,
    Project,
    Request,
)
from system.algo_trader.pipeline.pieces import Built, Keeper, Kept, Piece, RunFacts, Told
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.pipeline.worker import Worker

_MODULE: Final = "system.algo_trader.pipeline.cold_child"
_REQUESTS_WAIT: Final = 5_000
"""Twenty minutes of pieces: longer than any outage that the archive itself survives."""
_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "2"}
"""What a portion took goes back at once: glibc would keep it for the next one, a minute later."""
_END_S: Final = 10.0
_log = get_logger("pipeline.cold_process")


class ColdProcess:
    """Stand for a `ColdStore` of another process.

    Args:
        places: The stores.

    Attributes:
        write_errors: Writes that InfluxDB has refused or missed so far.
        pid: The other process.
    """

    def __init__(self, places: Places) -> None:
        self._pipe, theirs = Pipe()
        argv, env = module_command(_MODULE, str(theirs.fileno()))
        # A session of its own: a Ctrl-C at the terminal is for the run, which drains first.
        self._process = subprocess.Popen(
            argv,
            env=child_environment(env | _MEMORY),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.pid = self._process.pid
        self.write_errors = 0
        self._failure: BaseException | None = None
        self._answers: deque[Done] = deque()
        self._unawaited = 0
        self._changed = threading.Condition()
        self._is_ending = False
        self._told: Told | None = None
        self._outbox: Worker[Request] = Worker("to-keeper", self._send, _REQUESTS_WAIT)
        self._reader = threading.Thread(target=self._read, name="from-keeper", daemon=True)
        self._reader.start()
        self._post(places)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self.close(SETTLE_S):
                _log.error("InfluxDB did not take everything in %g s; it waits", SETTLE_S)
        except BaseException:
            # What went wrong first is what is told.
            if error is None:
                raise

    def commit(self, portions: list[Portion]) -> None:
        """Store portions, each in one transaction that carries its mark.

        Raises:
            BaseException: What keeps the other process from storing.
        """
        self._ask(Commit(portions), None)

    def project(self, bars: Bars, metrics: Sequence[dict[str, Any]]) -> None:
        """Hand bars and figures to InfluxDB. Errors as `commit`."""
        self._post(Project(bars, tuple(metrics)))

    def keeper(self, facts: RunFacts, told: Told) -> Keeper:
        """Return what collects the pieces of a run there."""
        self._told = told
        self._post(facts)
        return _Remote(self)

    def close(self, timeout_s: float) -> bool:
        """Send what waits for InfluxDB and end the process; say whether that was done in time."""
        try:
            return self._ask(End(timeout_s), timeout_s + _END_S)
        finally:
            self._is_ending = True
            self._pipe.close()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __len__(self) -> int:
        """Return how many requests have not reached the other process."""
        return len(self._outbox)

    def offer(self, piece: Piece) -> bool:
        """Send a piece unless too much waits; say whether it was taken. Errors as `commit`."""
        self._raise()
        return self._outbox.offer(piece)

    def end_run(self, timeout_s: float) -> bool:
        """Have the run's pieces stored; say whether that was done in time. Errors as `commit`."""
        return self._ask(EndRun(timeout_s), timeout_s + _END_S)

    def _post(self, request: Request) -> None:
        self._raise()
        if not self._outbox.offer(request):
            raise ServiceUnavailable(
                "the process that stores takes nothing any more",
                next_step="See the log above for what it waits for.",
            )

    def _ask(self, request: Request, timeout_s: float | None) -> bool:
        """Send a request and wait for its answer; requests are answered in their order."""
        self._post(request)
        with self._changed:
            self._changed.wait_for(lambda: self._answers or self._failure is not None, timeout_s)
            if not self._answers:
                self._raise()
                # It will come, before that of the next request.
                self._unawaited += 1
                return False
            return self._answers.popleft().in_time

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _send(self, requests: list[Request]) -> None:
        try:
            for request in requests:
                self._pipe.send(request)
        except OSError:
            # The reader knows better why.
            _log.debug("the pipe to the storing process is broken")

    def _read(self) -> None:
        try:
            while True:
                self._take(self._pipe.recv())
        except (EOFError, OSError):
            self._over(
                ServiceUnavailable(
                    "the process that stores has ended; what it had not stored is in Redis",
                    next_step="Start the stream again: it stores that first.",
                )
            )
        except Exception as error:
            # A pipe that is closed under its reader says so by a TypeError.
            self._over(error)

    def _over(self, error: Exception) -> None:
        """Note that no answer will come any more, and why, if that was not wanted."""
        with self._changed:
            if not self._is_ending:
                self._failure = self._failure or error
            self._changed.notify_all()

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Kept | Built):
            if isinstance(answer, Kept):
                self.write_errors = answer.write_errors
            if self._told is not None:
                try:
                    self._told(answer)
                except Exception as error:
                    self._fail(error)
            return
        if isinstance(answer, Failed):
            self._fail(answer.error)
            return
        with self._changed:
            if self._unawaited:
                self._unawaited -= 1
            else:
                self._answers.append(answer)
                self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()


class _Remote:
    """Collect pieces in the other process."""

    def __init__(self, process: ColdProcess) -> None:
        self._process = process

    def take(self, piece: Piece) -> bool:
        return self._process.offer(piece)

    def __len__(self) -> int:
        return len(self._process)

    def close(self, timeout_s: float) -> bool:
        return self._process.end_run(timeout_s)
