"""What a service is: its command, its folder, and how to tell that it is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.errors import StackError
from infrastructure.supervision.endpoint import Endpoint

ENDPOINT_FILE = "{endpoint_file}"
"""Stands in an argv for the path at which the process announces itself."""

INHERITED = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME", "VIRTUAL_ENV",
             "NUMBA_CACHE_DIR", "ALGO_TRADER_CACHE")  # fmt: skip
INHERITED_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON", "RUNFILES", "COVERAGE", "SSL_CERT")


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A server that the supervisor can start.

    The process announces itself by writing a JSON file (see `announcement.announce`) at the
    path that stands in its argv for `ENDPOINT_FILE`. No secret belongs into argv or env.

    Attributes:
        name: Its folder's name below the supervisor's.
        argv: The command; `ENDPOINT_FILE` in it is replaced by the announcement's path.
        env: Variables on top of the few that a service inherits.
        directory: Its working directory, made when absent.
        probe: Whether the service at an endpoint answers and is the one meant. For a kept
            service it must be a function of a module, since the keeper is another process.
        ready_timeout_s: Seconds that it may take to answer.
        explain: Turns the last lines of its log into the error that they mean, or None;
            under the same condition as `probe`.
        attempts: How often a start is tried when the process ends at once.
        stop_grace_s: Seconds between SIGTERM and SIGKILL.
        log_limit_bytes: Size at which its log is rotated.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    probe: Callable[[Endpoint], bool]
    ready_timeout_s: float = 15.0
    explain: Callable[[str], StackError | None] | None = None
    attempts: int = 1
    stop_grace_s: float = 10.0
    log_limit_bytes: int = field(default=10 * 1024 * 1024)


def module_command(module: str, *arguments: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the argv and the env that run a module of ours in this Python with our imports.

    Args:
        module: Its dotted name.
        *arguments: The rest of argv.
    """
    places = [os.path.abspath(place) for place in sys.path]
    argv = (sys.executable, "-P", "-m", module, *arguments)
    return argv, {"PYTHONPATH": os.pathsep.join(dict.fromkeys(places))}


def child_environment(
    extra: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return a service's environment: what any program needs, and nothing that is secret.

    Args:
        extra: The spec's own variables.
        environment: Stands for the process environment in tests.
    """
    source = os.environ if environment is None else environment
    passed = {
        name: value
        for name, value in source.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    return {**passed, **extra}
