"""Start, find and stop the keeper of a service."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infrastructure.clock import Clock
from infrastructure.errors import BugError, ServiceUnavailable
from infrastructure.supervision.files import read_json, write_json
from infrastructure.supervision.locks import FileLock
from infrastructure.supervision.logfile import open_for_append, rotate, tail
from infrastructure.supervision.paths import ServicePaths
from infrastructure.supervision.process import (
    is_alive,
    remember_child,
    start_time,
    terminate,
)
from infrastructure.supervision.spec import ServiceSpec, child_environment, module_command

WATCHING, RESTARTING, GAVE_UP = "watching", "restarting", "gave up"
KEEPER_START_S = 15.0
KEEPER_GRACE_S = 5.0
KEEPER_LOG_BYTES = 1024 * 1024
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class KeeperState:
    """What a keeper says about its work.

    Attributes:
        pid: Its process.
        start_time: When that began.
        state: "watching", "restarting" or "gave up".
        restarts: How often it has restarted the service.
        reason: Why it last did, or gave up.
        since_ns: When it entered that state, nanoseconds UTC.
    """

    pid: int
    start_time: str
    state: str
    restarts: int = 0
    reason: str = ""
    since_ns: int = 0

    @property
    def alive(self) -> bool:
        """Whether the keeper still runs."""
        return is_alive(self.pid, self.start_time)

    def write(self, paths: ServicePaths) -> None:
        """Replace the keeper's file."""
        write_json(paths.keeper, asdict(self))


def read(paths: ServicePaths) -> KeeperState | None:
    """Return what the last keeper said, None when there was none."""
    values = read_json(paths.keeper)
    try:
        return None if values is None else KeeperState(**values)
    except TypeError:
        return None


def is_watched(paths: ServicePaths, clock: Clock) -> bool:
    """Whether a keeper lives; the end of one that has given up is waited for."""
    deadline = clock.monotonic_ns() + round(KEEPER_GRACE_S * 1e9)
    while not FileLock.is_free(paths.keeper_lock):
        state = read(paths)
        gave_up = state is not None and state.state == GAVE_UP
        if not gave_up or clock.monotonic_ns() >= deadline:
            return True
        clock.sleep(POLL_S)
    return False


def start_keeper(directory: Path, spec: ServiceSpec, paths: ServicePaths, clock: Clock) -> None:
    """Start a detached keeper unless one lives, and wait until it watches.

    When that fails or is interrupted, no keeper is left.

    Args:
        directory: The supervisor's folder.
        spec: The service.
        paths: Its files.
        clock: Measures the deadline.

    Raises:
        BugError: If the spec's functions cannot be named to another process.
        ServiceUnavailable: If the keeper does not come up.
    """
    if is_watched(paths, clock):
        return
    order = json.dumps({"directory": str(directory), "spec": spec_as_json(spec)})
    argv, env = module_command("infrastructure.supervision.keeper")
    paths.keeper.unlink(missing_ok=True)
    rotate(paths.keeper_log, KEEPER_LOG_BYTES)
    since = paths.keeper_log.stat().st_size if paths.keeper_log.exists() else 0
    with open(open_for_append(paths.keeper_log), "wb") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=paths.folder,
            env=child_environment({**env, **spec.env}),
            start_new_session=True,
        )
    try:
        remember_child(child)
        assert child.stdin is not None
        with child.stdin as pipe:
            pipe.write(order.encode())
        if not _comes_up(child, paths, clock):
            said = tail(paths.keeper_log, since=since).replace("\n", " | ")
            raise ServiceUnavailable(
                f"the keeper of {spec.name} did not start; it wrote: {said or 'nothing'}",
                next_step=f"Its whole log is {paths.keeper_log}.",
            )
    except BaseException:
        began = start_time(child.pid)
        if began is not None:
            terminate(child.pid, began, grace_s=KEEPER_GRACE_S, clock=clock)
        paths.keeper.unlink(missing_ok=True)
        raise


def _comes_up(child: subprocess.Popen[bytes], paths: ServicePaths, clock: Clock) -> bool:
    """Wait for a keeper that was started to watch; whether it does in time."""
    deadline = clock.monotonic_ns() + round(KEEPER_START_S * 1e9)
    while (state := read(paths)) is None or state.pid != child.pid:
        if child.poll() is not None or clock.monotonic_ns() >= deadline:
            return False
        clock.sleep(POLL_S)
    return True


def end_keeper(paths: ServicePaths, clock: Clock) -> bool:
    """End the keeper, and leave its service and its file to the caller; whether there was one.

    A keeper that runs within the calling process is not ended. Without the service's lock
    another one may be on its way, whose file is not there yet.

    Raises:
        OperatorError: If it belongs to another user, or cannot be ended.
    """
    state = read(paths)
    return (
        state is not None
        and state.pid != os.getpid()
        and terminate(state.pid, state.start_time, grace_s=KEEPER_GRACE_S, clock=clock)
    )


def stop_keeper(paths: ServicePaths, clock: Clock) -> bool:
    """End the keeper and remove its file, as `end_keeper` does. The service's lock is held."""
    ended = end_keeper(paths, clock)
    paths.keeper.unlink(missing_ok=True)
    return ended


def spec_as_json(spec: ServiceSpec) -> dict[str, Any]:
    """Return a spec as plain values, its functions by their names.

    Raises:
        BugError: If a function is not found in a module under its own name.
    """
    return {
        "name": spec.name,
        "argv": list(spec.argv),
        "env": dict(spec.env),
        "directory": str(spec.directory),
        "probe": _named(spec.probe),
        "ready_timeout_s": spec.ready_timeout_s,
        "explain": None if spec.explain is None else _named(spec.explain),
        "attempts": spec.attempts,
        "stop_grace_s": spec.stop_grace_s,
        "log_limit_bytes": spec.log_limit_bytes,
    }


def spec_from_json(values: dict[str, Any]) -> ServiceSpec:
    """Build the spec that `spec_as_json` wrote."""
    rest = {name: value for name, value in values.items() if name in _PLAIN}
    return ServiceSpec(
        argv=tuple(values["argv"]),
        directory=Path(values["directory"]),
        probe=_function(values["probe"]),
        explain=None if values["explain"] is None else _function(values["explain"]),
        **rest,
    )


_PLAIN = {"name", "env", "ready_timeout_s", "attempts", "stop_grace_s", "log_limit_bytes"}


def _named(function: Callable[..., Any]) -> str:
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    label = f"{module}:{name}"
    if not module or not name.isidentifier() or module == "__main__":
        raise BugError(f"a kept service needs module functions, but got {function!r}")
    if _function(label) is not function:
        raise BugError(f"{label} does not name the function {function!r}")
    return label


def _function(label: str) -> Callable[..., Any]:
    module, _, name = label.partition(":")
    function = getattr(importlib.import_module(module), name, None)
    if not callable(function):
        raise BugError(f"{label} is no function of a module")
    return function  # type: ignore[no-any-return]
