"""Start one of each service, find it again, and stop it when its last user has left."""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from infrastructure.supervision import keeping, starting
from infrastructure.supervision.endpoint import Endpoint
from infrastructure.supervision.files import make_private_folder
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.paths import ServicePaths
from infrastructure.supervision.process import is_alive, terminate
from infrastructure.supervision.spec import ServiceSpec

LOCK_MARGIN_S = 30.0
STOP_GRACE_S = 10.0
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What is known about a service of a name.

    Attributes:
        name: The service.
        state: "running", "starting", "stopped", "restarting" or "gave up".
        endpoint: Where it answers, None unless it is running.
        keeper_pid: The process that restarts it, None when nobody keeps it.
        restarts: How often its keeper has restarted it.
        reason: Why it was last restarted or given up, empty when it was not.
    """

    name: str
    state: str
    endpoint: Endpoint | None = None
    keeper_pid: int | None = None
    restarts: int = 0
    reason: str = ""


class Supervisor:
    """Own the processes whose folders stand below one folder.

    Two processes that ask for the same service get the same server. What was not started to be
    kept is stopped by the last of them that leaves, and when that one was killed, by the next
    that comes and goes.

    Args:
        directory: The folder with one folder a service, made when absent.
        clock: Measures deadlines.
    """

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self.directory = directory
        self.clock: Clock = SystemClock() if clock is None else clock

    def paths(self, name: str) -> ServicePaths:
        """Return the files of a service."""
        return ServicePaths(self.directory / name)

    def ensure(self, spec: ServiceSpec, keep: bool = False) -> Handle:
        """Return the running service, started now if need be.

        Args:
            spec: What to run.
            keep: Leave it running, watched by a keeper, until `stop`.

        Raises:
            ServiceUnavailable: If it does not answer in time; the last lines of its log are in
                the message.
            StackError: Whatever the process announced as the reason why it cannot serve.
        """
        paths = self.paths(spec.name)
        make_private_folder(paths.folder)
        lease = FileLock(paths.leases)
        with self._locked(paths, spec.ready_timeout_s * spec.attempts):
            lease.lock(shared=True, timeout_s=LOCK_MARGIN_S, clock=self.clock)
            started, was_kept = False, starting.is_kept(paths)
            try:
                endpoint, started = starting.find_or_start(spec, paths, keep, self.clock)
                if keep:
                    keeping.start_keeper(self.directory, spec, paths, self.clock)
            except BaseException:
                lease.unlock()
                newly_kept = keep and (started or not was_kept)
                if not self._stop_unused(paths, even_kept=newly_kept) and newly_kept:
                    starting.unkeep(paths)
                raise
        return Handle(self, spec.name, endpoint, started, lease)

    def status(self, name: str) -> ServiceStatus:
        """Say whether a service runs, where, and who keeps it."""
        paths = self.paths(name)
        kept = keeping.read(paths)
        keeper_pid = kept.pid if kept is not None and kept.alive else None
        restarts, reason = (kept.restarts, kept.reason) if kept is not None else (0, "")
        endpoint = starting.published(paths)
        if endpoint is not None:
            return ServiceStatus(name, "running", endpoint, keeper_pid, restarts, reason)
        process = starting.recorded_process(paths)
        state = "stopped"
        if process is not None and is_alive(*process):
            state = "starting"
        elif kept is not None and (kept.alive or kept.state == keeping.GAVE_UP):
            state = kept.state
        return ServiceStatus(name, state, None, keeper_pid, restarts, reason)

    def stop(self, name: str, grace_s: float = STOP_GRACE_S) -> bool:
        """Stop a service and its keeper, whoever uses it; whether there was one.

        Args:
            name: The service.
            grace_s: Seconds between SIGTERM and SIGKILL.

        Raises:
            OperatorError: If it belongs to another user, or cannot be ended.
        """
        paths = self.paths(name)
        if not paths.folder.is_dir():
            return False
        with self._without_keeper(paths, grace_s):
            return starting.stop_process(paths, grace_s, self.clock)

    def unkeep(self, name: str) -> None:
        """End a service's keeper; the service ends with its last lease from now on.

        Args:
            name: The service.

        Raises:
            OperatorError: If the keeper cannot be ended.
        """
        paths = self.paths(name)
        if not paths.folder.is_dir():
            return
        with self._without_keeper(paths, STOP_GRACE_S):
            starting.unkeep(paths)

    def restart(self, spec: ServiceSpec) -> Endpoint:
        """Start a kept service that has ended, or return the one that somebody started since."""
        paths = self.paths(spec.name)
        with self._locked(paths, spec.ready_timeout_s):
            return starting.find_or_start(spec, paths, True, self.clock)[0]

    def leave(self, name: str, endpoint: Endpoint, lease: FileLock) -> bool:
        """Give a lease back, and stop the service if it was the last one; whether it did.

        Args:
            name: The service.
            endpoint: The process that is left. It is what is stopped when a person has removed
                the folder, and with it everything that could tell others of the process.
            lease: The lease.
        """
        paths = self.paths(name)
        if not paths.folder.is_dir():
            last = not endpoint.kept and lease.is_sole_holder()
            lease.unlock()
            return last and terminate(
                endpoint.pid, endpoint.start_time, grace_s=STOP_GRACE_S, clock=self.clock
            )
        with self._locked(paths, STOP_GRACE_S):
            lease.unlock()
            return self._stop_unused(paths)

    def _stop_unused(self, paths: ServicePaths, *, even_kept: bool = False) -> bool:
        """Stop a service that is not kept and has no lease on it. The lock is held.

        Args:
            paths: Its files.
            even_kept: Stop it although it is marked as kept, since nobody came to keep it.
        """
        process = starting.recorded_process(paths)
        if process is None or (starting.is_kept(paths) and not even_kept):
            return False
        leases = FileLock(paths.leases)
        if not leases.try_lock():
            return False
        try:
            return starting.stop_process(paths, STOP_GRACE_S, self.clock)
        finally:
            leases.unlock()

    @contextlib.contextmanager
    def _without_keeper(self, paths: ServicePaths, longest_s: float) -> Iterator[None]:
        """Hold the lock, with the keeper ended."""
        # A keeper holds the lock for as long as the service that it restarts takes to answer.
        keeping.end_keeper(paths, self.clock)
        with self._locked(paths, longest_s):
            # Whoever held the lock until now may have started another one.
            keeping.stop_keeper(paths, self.clock)
            yield

    @contextlib.contextmanager
    def _locked(self, paths: ServicePaths, longest_s: float) -> Iterator[None]:
        with FileLock(paths.lock).holding(timeout_s=longest_s + LOCK_MARGIN_S, clock=self.clock):
            yield


class Handle:
    """A lease on a running service, given back by `close` or at the end of this process.

    Attributes:
        endpoint: Where it answers.
        started_here: Whether this call started it.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        name: str,
        endpoint: Endpoint,
        started_here: bool,
        lease: FileLock,
    ) -> None:
        self.endpoint = endpoint
        self.started_here = started_here
        self._supervisor = supervisor
        self._name = name
        self._lease = lease
        self._owner = os.getpid()
        atexit.register(self._close_at_exit)

    def close(self) -> bool:
        """Leave the service; the last to leave stops it unless it is kept. Whether it did.

        A second call does nothing, and so does a process forked from the one that got the
        handle.
        """
        atexit.unregister(self._close_at_exit)
        if os.getpid() != self._owner or not self._lease.held:
            return False
        return self._supervisor.leave(self._name, self.endpoint, self._lease)

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except StackError as error:
            _log.error("%s could not be left in order: %s", self._name, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Handle({self._name!r}, {self.endpoint.url!r}, started_here={self.started_here})"
