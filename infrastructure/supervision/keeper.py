"""Keep one service running: restart it with backoff, give up with a reason.

Run as `python -m infrastructure.supervision.keeper` with the order as JSON on standard input.
It lives in a session of its own until it is ended or gives up. It ends without touching the
service: `Supervisor.stop` ends both, the keeper first.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import DiskFull, StackError
from infrastructure.logging import configure, get_logger
from infrastructure.supervision import keeping, starting
from infrastructure.supervision.backoff import Backoff
from infrastructure.supervision.endpoint import Endpoint
from infrastructure.supervision.keeping import GAVE_UP, RESTARTING, WATCHING, KeeperState
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.logfile import rotate
from infrastructure.supervision.process import exit_code, is_alive, start_time, terminate
from infrastructure.supervision.spec import ServiceSpec
from infrastructure.supervision.supervisor import Supervisor

LOOK_EVERY_S = 5.0
DEAF_LOOKS = 6
_log = get_logger(__name__)


class Keeper:
    """Watch one service and restart it.

    Args:
        supervisor: Owns the service's folder.
        spec: The service.
        backoff: Waits between restarts, and when to give up.
        look_every_s: Seconds between two probes of a running service.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        spec: ServiceSpec,
        backoff: Backoff | None = None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._supervisor = supervisor
        self._clock: Clock = supervisor.clock
        self._spec = spec
        self._paths = supervisor.paths(spec.name)
        self._backoff = Backoff() if backoff is None else backoff
        self._look_every_s = look_every_s
        self._restarts = 0
        self._failures = 0
        self._complaints: set[str] = set()

    def run(self) -> str:
        """Keep the service until it fails too often; return why it was given up.

        A full disk is no reason to give up: nobody else would start the service once there is
        room.

        Raises:
            StackError: If its first word cannot be written, without which nobody could stop it.
        """
        # Whoever waits for its first word may kill the service at once.
        endpoint = starting.published(self._paths)
        self._write(WATCHING, "")
        reason, is_full = "", False
        while True:
            if endpoint is not None:
                self._say(WATCHING, reason)
                began_ns = self._clock.monotonic_ns()
                reason = self._watch(endpoint)
                lived_s = (self._clock.monotonic_ns() - began_ns) / 1e9
                if is_full or lived_s >= self._backoff.healthy_after_s:
                    self._failures = 0
                is_full = False
            self._failures += 1
            if self._backoff.gives_up(self._failures) and not is_full:
                reason = f"{self._failures} failures in a row; the last: {reason or 'it is gone'}"
                self._say(GAVE_UP, reason)
                return reason
            self._say(RESTARTING, reason)
            self._clock.sleep(self._backoff.wait_s(self._failures))
            try:
                self._supervisor.restart(self._spec)
                self._restarts += 1
            except StackError as error:
                reason = str(error)
                is_full = isinstance(error, DiskFull)
                _log.warning("%s does not start: %s", self._spec.name, error)
            endpoint = starting.published(self._paths)

    def _watch(self, endpoint: Endpoint) -> str:
        """Return why the service has to be started anew, once it has."""
        deaf = 0
        while self._still_runs_after(endpoint, self._look_every_s):
            if not self._paths.folder.is_dir():
                self._end_without_folder(endpoint)
            self._rotate_log()
            deaf = 0 if self._answers(endpoint) else deaf + 1
            if deaf >= DEAF_LOOKS:
                return f"process {endpoint.pid} answered none of {deaf} probes"
        code = exit_code(endpoint.pid)
        return f"process {endpoint.pid} ended" + ("" if code is None else f" with code {code}")

    def _end_without_folder(self, endpoint: Endpoint) -> None:
        """End the service and this keeper, whose folder a person has removed."""
        terminate(
            endpoint.pid,
            endpoint.start_time,
            grace_s=self._spec.stop_grace_s,
            clock=self._clock,
        )
        raise SystemExit(0)

    def _answers(self, endpoint: Endpoint) -> bool:
        try:
            return self._spec.probe(endpoint)
        except StackError as error:
            _log.warning("%s: its probe failed: %s", self._spec.name, error)
            return False

    def _still_runs_after(self, endpoint: Endpoint, seconds: float) -> bool:
        """Wait for a process to end, at most so long; whether it runs on."""
        try:
            number = os.pidfd_open(endpoint.pid)
        except AttributeError:
            return self._polled(endpoint, seconds)
        except ProcessLookupError:
            return False
        try:
            if is_alive(endpoint.pid, endpoint.start_time):
                select.select([number], [], [], seconds)
            return is_alive(endpoint.pid, endpoint.start_time)
        finally:
            os.close(number)

    def _polled(self, endpoint: Endpoint, seconds: float) -> bool:
        deadline = self._clock.monotonic_ns() + round(seconds * 1e9)
        while is_alive(endpoint.pid, endpoint.start_time):
            if self._clock.monotonic_ns() >= deadline:
                return True
            self._clock.sleep(min(1.0, seconds))
        return False

    def _rotate_log(self) -> None:
        try:
            rotate(self._paths.log, self._spec.log_limit_bytes)
        except StackError as error:
            self._complain(error)

    def _say(self, state: str, reason: str) -> None:
        """Tell those who ask of a state; where that cannot be written, the log tells of it."""
        try:
            self._write(state, reason)
        except StackError as error:
            self._complain(error)

    def _complain(self, error: StackError) -> None:
        """Log an error that keeps nobody from his work, once until the state can be written."""
        if str(error) not in self._complaints:
            self._complaints.add(str(error))
            _log.warning("%s is kept on: %s", self._spec.name, error)

    def _write(self, state: str, reason: str) -> None:
        pid = os.getpid()
        KeeperState(
            pid=pid,
            start_time=start_time(pid) or "",
            state=state,
            restarts=self._restarts,
            reason=reason,
            since_ns=self._clock.now_ns(),
        ).write(self._paths)
        self._complaints.clear()
        _log.info("%s: %s %s", self._spec.name, state, reason)


def main() -> int:
    """Read the order, become the only keeper of that service, and keep it."""
    configure(level="INFO")
    order = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGTERM, _leave)
    supervisor = Supervisor(Path(order["directory"]), SystemClock())
    spec = keeping.spec_from_json(order["spec"])
    lock = FileLock(supervisor.paths(spec.name).keeper_lock)
    if not lock.try_lock():
        _log.info("%s has a keeper already", spec.name)
        return 0
    Keeper(supervisor, spec).run()
    return 3


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
