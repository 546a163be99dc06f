"""Find a service's process by its files, start it, stop it. The service's lock is held here."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from infrastructure.clock import Clock
from infrastructure.errors import (
    DiskFull,
    MissingService,
    PortTaken,
    ServiceUnavailable,
    StackError,
    StoreLocked,
)
from infrastructure.logging import get_logger, redact
from infrastructure.supervision import keeping
from infrastructure.supervision.announcement import announced_endpoint, announced_pid
from infrastructure.supervision.endpoint import Endpoint
from infrastructure.supervision.files import make_private_folder, read_json, write_json
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.logfile import open_for_append, rotate, tail
from infrastructure.supervision.paths import ServicePaths
from infrastructure.supervision.process import (
    exit_code,
    is_alive,
    remember_child,
    start_time,
    terminate,
)
from infrastructure.supervision.spec import ENDPOINT_FILE, ServiceSpec, child_environment

POLL_S = 0.02
ORPHAN_WAIT_S = 5.0
_log = get_logger(__name__)


def recorded_process(paths: ServicePaths) -> tuple[int, str] | None:
    """Return the pid and the start time on record; None when there is no record."""
    values = read_json(paths.pid) or {}
    pid, began = values.get("pid"), values.get("start_time")
    if isinstance(pid, int) and isinstance(began, str):
        return pid, began
    return None


def is_kept(paths: ServicePaths) -> bool:
    """Whether the service was started to outlive its starter."""
    return bool((read_json(paths.pid) or {}).get("kept"))


def published(paths: ServicePaths) -> Endpoint | None:
    """Return the endpoint of the process that runs now; None when none is ready."""
    endpoint = Endpoint.read(paths.endpoint)
    if endpoint is None or not is_alive(endpoint.pid, endpoint.start_time):
        return None
    return endpoint


def find_or_start(
    spec: ServiceSpec, paths: ServicePaths, keep: bool, clock: Clock
) -> tuple[Endpoint, bool]:
    """Return the service's endpoint, and whether it was started now.

    Args:
        spec: What to run.
        paths: Its files.
        keep: Mark it as kept.
        clock: Measures deadlines.

    Raises:
        StackError: As `Supervisor.ensure` says.
    """
    found = _find(spec, paths, clock)
    keep = keep or keeping.is_watched(paths, clock)
    if found is not None:
        if keep and not is_kept(paths):
            _record(paths, found.pid, found.start_time, kept=True)
            found = replace(found, kept=True)
            found.write(paths.endpoint)
        return found, False
    for attempt in range(1, spec.attempts + 1):
        try:
            return _start(spec, paths, keep, clock), True
        except (ServiceUnavailable, PortTaken) as error:
            if attempt == spec.attempts or not error.context.get("ended_at_once"):
                raise
            _log.info("%s ended at once, starting it again: %s", spec.name, error)
    raise ValueError(f"{spec.name} has attempts={spec.attempts}, but needs one at least")


def stop_process(paths: ServicePaths, grace_s: float, clock: Clock) -> bool:
    """End the recorded process and remove what says that it runs; whether there was one."""
    process = _adopted(paths, clock)
    ended = False
    if process is not None:
        ended = terminate(*process, grace_s=grace_s, clock=clock)
    for path in (paths.endpoint, paths.announcement, paths.pid):
        path.unlink(missing_ok=True)
    return ended


def _find(spec: ServiceSpec, paths: ServicePaths, clock: Clock) -> Endpoint | None:
    process = _adopted(paths, clock)
    if process is None or not is_alive(*process):
        return None
    endpoint = published(paths)
    if endpoint is not None and spec.probe(endpoint):
        return endpoint
    try:
        return _wait_until_ready(spec, paths, process, clock)
    except ServiceUnavailable as error:
        _log.warning("%s runs but does not answer; it is replaced: %s", spec.name, error)
        stop_process(paths, spec.stop_grace_s, clock)
        return None


def _adopted(paths: ServicePaths, clock: Clock) -> tuple[int, str] | None:
    """Return the process on record, or the one whose starter died before it wrote the record.

    Every process of a service holds the lock `alive`, which it inherited at its birth. If that
    is held and the record names no living process, the announcement will name it.
    """
    process = recorded_process(paths)
    if process is not None and is_alive(*process):
        return process
    deadline = clock.monotonic_ns() + round(ORPHAN_WAIT_S * 1e9)
    while not FileLock.is_free(paths.alive):
        pid = announced_pid(paths.announcement)
        began = None if pid is None else start_time(pid)
        if pid is not None and began is not None and _holds(pid, paths.alive):
            _record(paths, pid, began, kept=is_kept(paths))
            return pid, began
        if clock.monotonic_ns() >= deadline:
            raise StoreLocked(
                f"a process that nobody knows still holds {paths.alive}",
                next_step=f"Find it with `fuser {paths.alive}`, end it and try again.",
            )
        clock.sleep(POLL_S)
    return process


def _holds(pid: int, path: Path) -> bool:
    """Whether a process has a file open; taken as true where /proc cannot tell."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        names = list(folder.iterdir())
    except FileNotFoundError:
        return not Path("/proc/self/fd").is_dir()
    except PermissionError:
        return False
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            if name.readlink() == path.resolve():
                return True
    return False


def _start(spec: ServiceSpec, paths: ServicePaths, keep: bool, clock: Clock) -> Endpoint:
    make_private_folder(spec.directory)
    rotate(paths.log, spec.log_limit_bytes)
    for path in (paths.endpoint, paths.announcement, paths.pid):
        path.unlink(missing_ok=True)
    since = paths.log.stat().st_size if paths.log.exists() else 0
    process = _spawn(spec, paths, keep, clock)
    try:
        return _wait_until_ready(spec, paths, process, clock, since=since)
    except BaseException:
        terminate(*process, grace_s=spec.stop_grace_s, clock=clock)
        for path in (paths.endpoint, paths.announcement, paths.pid):
            path.unlink(missing_ok=True)
        raise


def _spawn(spec: ServiceSpec, paths: ServicePaths, keep: bool, clock: Clock) -> tuple[int, str]:
    argv = [part.replace(ENDPOINT_FILE, str(paths.announcement)) for part in spec.argv]
    alive = FileLock(paths.alive)
    alive.lock(timeout_s=ORPHAN_WAIT_S, clock=clock)
    log = open_for_append(paths.log)
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=spec.directory,
            env=child_environment(spec.env),
            start_new_session=True,
            pass_fds=(alive.fileno(),),
        )
    except OSError as error:
        raise MissingService(f"cannot run {argv[0]}: {error.strerror or error}") from error
    finally:
        alive.unlock()
        os.close(log)
    remember_child(child)
    began = start_time(child.pid) or "ended"
    try:
        _record(paths, child.pid, began, kept=keep)
    except BaseException:
        terminate(child.pid, began, grace_s=spec.stop_grace_s, clock=clock)
        raise
    return child.pid, began


def _record(paths: ServicePaths, pid: int, began: str, *, kept: bool) -> None:
    write_json(paths.pid, {"pid": pid, "start_time": began, "kept": kept})


def _wait_until_ready(
    spec: ServiceSpec,
    paths: ServicePaths,
    process: tuple[int, str],
    clock: Clock,
    since: int = 0,
) -> Endpoint:
    pid, began = process
    deadline = clock.monotonic_ns() + round(spec.ready_timeout_s * 1e9)
    while True:
        alive = is_alive(pid, began)
        endpoint = announced_endpoint(
            paths.announcement, pid=pid, kept=is_kept(paths), now_ns=clock.now_ns()
        )
        if not alive:
            raise _ended_at_once(spec, paths, pid, since)
        if endpoint is not None and spec.probe(endpoint):
            endpoint.write(paths.endpoint)
            return endpoint
        if clock.monotonic_ns() >= deadline:
            said = _quoted(paths, since)
            raise ServiceUnavailable(
                f"{spec.name} did not answer within {spec.ready_timeout_s:g} s{said}",
                next_step=f"Its whole log is {paths.log}.",
            )
        clock.sleep(POLL_S)


def _ended_at_once(spec: ServiceSpec, paths: ServicePaths, pid: int, since: int) -> StackError:
    last_lines = tail(paths.log, since=since)
    if spec.explain is not None:
        explained = spec.explain(last_lines)
        if explained is not None:
            return explained
    if "No space left on device" in last_lines:
        return DiskFull(
            f"{spec.name} cannot write to {spec.directory}: no space is left there",
            next_step="Free some space on that disk and run the command again.",
        )
    code = exit_code(pid)
    how = "" if code is None else f" with code {code}"
    kind: type[PortTaken] | type[ServiceUnavailable] = ServiceUnavailable
    if "ddress already in use" in last_lines:
        kind = PortTaken
    return kind(
        f"{spec.name} ended{how} before it answered{_quoted(paths, since)}",
        next_step=f"Its whole log is {paths.log}.",
        ended_at_once=True,
    )


def _quoted(paths: ServicePaths, since: int) -> str:
    last_lines = redact(tail(paths.log, since=since)).replace("\n", " | ")
    return f"; it last wrote: {last_lines}" if last_lines else ", and wrote nothing"


def unkeep(paths: ServicePaths) -> None:
    """Mark a process as one that ends with its last lease; nothing where none is recorded."""
    values = read_json(paths.pid)
    if values is not None:
        write_json(paths.pid, {**values, "kept": False})
    endpoint = published(paths)
    if endpoint is not None and endpoint.kept:
        replace(endpoint, kept=False).write(paths.endpoint)
