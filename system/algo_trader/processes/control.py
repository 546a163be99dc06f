"""Start, stop and show the long-running processes of this system."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError, UsageError
from infrastructure.supervision import Supervisor
from infrastructure.supervision.files import make_private_folder
from system.algo_trader.processes.order import (
    DRAIN_S,
    Order,
    check_name,
    health_at,
    spec_of,
)
from system.algo_trader.settings import AppSettings


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process, as `services status` shows it.

    Attributes:
        name: The service.
        state: "running", "stopped", "starting", "restarting" or "gave up".
        health: "ok", "degraded" or "down"; None unless it runs, "silent" if it does not answer.
        reasons: What is not as it should be.
        url: Where /health and /metrics are; empty unless it runs.
        pid: The process.
        since: When it was ready, RFC 3339.
        restarts: How often its keeper has started it anew.
        log: Its log file.
    """

    name: str
    state: str
    health: str | None
    reasons: tuple[str, ...]
    url: str
    pid: int | None
    since: str | None
    restarts: int
    log: str

    @property
    def is_well(self) -> bool:
        """Return whether nothing asks for a person."""
        return self.state != "gave up" and self.health not in ("down", "silent")

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values for JSON output."""
        return asdict(self)


class Processes:
    """Control the processes of one home.

    Args:
        settings: Name the home.
    """

    def __init__(self, settings: AppSettings) -> None:
        self._settings = settings
        self._supervisor = Supervisor(settings.home / "services")

    def start(self, name: str, options: str | None, *, is_simulated: bool) -> ProcessRow:
        """Start one and keep it running until `stop`.

        Args:
            name: Which.
            options: Of its verb, as in a shell; None for none.
            is_simulated: Whether it runs against the simulator.

        Raises:
            UsageError: If there is no such process, or its options cannot be read.
            StackError: What the process says why it cannot run.
        """
        check_name(name)
        row = self.status(name)
        if row.state == "running":
            raise UsageError(
                f"{name} runs already, as process {row.pid}",
                next_step=f"`services restart {name}` starts it anew.",
            )
        return self._start(Order(name, _parts(options), is_simulated))

    def restart(self, name: str, options: str | None) -> ProcessRow:
        """Stop one and start it as it was asked for last, or with other options.

        Raises:
            NoDataError: If it was never started.
            StackError: As `start`.
        """
        check_name(name)
        order = Order.read(name, self._supervisor.paths(name).folder)
        if order is None:
            raise NoDataError(
                f"{name} was never started", next_step=f"Run `services start {name}`."
            )
        self._supervisor.stop(name, DRAIN_S)
        if options is not None:
            order = Order(name, _parts(options), order.is_simulated)
        return self._start(order)

    def stop(self, name: str) -> bool:
        """Let one drain and end; say whether it ran.

        Raises:
            UsageError: If there is no such process.
            OperatorError: If it cannot be ended.
        """
        check_name(name)
        return self._supervisor.stop(name, DRAIN_S)

    def status(self, name: str) -> ProcessRow:
        """Say how one is.

        Raises:
            UsageError: If there is no such process.
        """
        check_name(name)
        found = self._supervisor.status(name)
        endpoint = found.endpoint
        health = None if endpoint is None else health_at(endpoint.url)
        reasons = tuple(health["reasons"]) if health else (found.reason,) if found.reason else ()
        return ProcessRow(
            name=name,
            state=found.state,
            health=None if endpoint is None else health["state"] if health else "silent",
            reasons=reasons,
            url="" if endpoint is None else endpoint.url,
            pid=None if endpoint is None else endpoint.pid,
            since=None if endpoint is None else rfc3339(endpoint.started_at_ns),
            restarts=found.restarts,
            log=str(self._supervisor.paths(name).log),
        )

    def _start(self, order: Order) -> ProcessRow:
        folder = make_private_folder(self._supervisor.paths(order.name).folder)
        order.write(folder)
        spec = spec_of(order, self._settings, folder)
        # The keeper holds it from now on; this command only looked on.
        self._supervisor.ensure(spec, keep=True).close()
        return self.status(order.name)


def _parts(options: str | None) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(options or ""))
    except ValueError as error:
        raise UsageError(f"the options {options!r} cannot be read: {error}") from None
