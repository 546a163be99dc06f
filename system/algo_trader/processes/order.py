"""What can be kept running, and the command that each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from infrastructure.errors import ConfigError, StackError, UsageError
from infrastructure.supervision import ENDPOINT_FILE, Endpoint, ServiceSpec, module_command
from infrastructure.supervision.files import read_json, write_json
from system.algo_trader.processes.health import State
from system.algo_trader.settings import AppSettings

STREAM: Final = "stream"
VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    STREAM: ("stream",),
    "candles-sync": ("candles", "sync"),
    "options-refresh": ("options", "refresh"),
    "keep-fresh": ("auth", "keep-fresh"),
    "serve": ("serve",),
}
"""The verbs that run until they are ended, by the name of the service."""

NAMES: Final = tuple(VERBS)
READY_S: Final = 60.0
DRAIN_S: Final = 90.0
"""A stream drains for a minute at most, then InfluxDB's spool for another: what is left by then is
in Redis and in the spool."""
_ASK_S: Final = 3.0
_ORDER_FILE: Final = "order.json"


@dataclass(frozen=True, slots=True)
class Order:
    """Say how a process was asked for.

    Attributes:
        name: The service.
        options: Of its verb.
        is_simulated: Whether it may run against the simulator; it never changes sides by itself.
    """

    name: str
    options: tuple[str, ...]
    is_simulated: bool

    def write(self, folder: Path) -> None:
        """Remember it for a restart."""
        write_json(
            folder / _ORDER_FILE,
            {"options": list(self.options), "is_simulated": self.is_simulated},
        )

    @classmethod
    def read(cls, name: str, folder: Path) -> Order | None:
        """Return how a process was last asked for, None when it never was."""
        values = read_json(folder / _ORDER_FILE)
        if values is None:
            return None
        return cls(name, tuple(map(str, values["options"])), bool(values["is_simulated"]))


def spec_of(order: Order, settings: AppSettings, folder: Path) -> ServiceSpec:
    """Return what runs an order.

    Args:
        order: The order.
        settings: Of the command that starts it.
        folder: Where it works and writes its log.

    Raises:
        ConfigError: If a secret stands in this shell's environment only: the process, and the one
            that starts it again, are not told it.
    """
    _refuse_shell_secrets(settings)
    argv, env = module_command(
        "system.algo_trader.main",
        *("--home", str(settings.home), "--log-level", settings.log_level),
        "--sim" if order.is_simulated else "--live",
        *("--endpoint-file", ENDPOINT_FILE),
        *VERBS[order.name],
        "--json",
        *order.options,
    )
    return ServiceSpec(
        name=order.name,
        argv=argv,
        env={**env, **_plain_variables(settings)},
        directory=folder,
        probe=is_alive,
        ready_timeout_s=READY_S,
        stop_grace_s=DRAIN_S,
    )


def check_name(name: str) -> None:
    """Refuse what is no process of ours.

    Raises:
        UsageError: If it is none.
    """
    if name not in VERBS:
        raise UsageError(
            f"{name!r} is no service", next_step=f"There are redis, influxdb, {', '.join(NAMES)}."
        )


def health_at(url: str) -> dict[str, Any] | None:
    """Return what a process says of its health, None when it does not answer."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            found = session.get(f"{url}/health", timeout=_ASK_S).json()
    except (requests.RequestException, ValueError):
        return None
    return found if isinstance(found, dict) and "state" in found else None


def is_alive(endpoint: Endpoint) -> bool:
    """Whether a process answers and is not down; its keeper starts one anew that is."""
    health = health_at(endpoint.url)
    return health is not None and health["state"] != State.DOWN


def announced(error: StackError, arguments: Sequence[str]) -> None:
    """Tell whoever started this process why it cannot run, if it was started to be kept.

    Args:
        error: Why.
        arguments: Of this process.
    """
    from infrastructure.supervision import announce_failure

    if "--endpoint-file" in arguments[:-1]:
        announce_failure(Path(arguments[list(arguments).index("--endpoint-file") + 1]), error)


def _refuse_shell_secrets(settings: AppSettings) -> None:
    settled = settings.settled
    told = [
        each.variable
        for each in settled.declared
        if settled.origins[each.name].kind == "environment"
        and (each.secret or "@" in str(settled[each.name]))
    ]
    if told:
        raise ConfigError(
            f"{', '.join(told)} stands in this shell's environment only, and a service that is "
            "kept running is not told secrets that way",
            next_step="Write it into algo_trader.env, which both read.",
        )


def _plain_variables(settings: AppSettings) -> dict[str, str]:
    """Return the variables of this shell that settle anything and are no secret."""
    import os

    settled = settings.settled
    return {
        each.variable: os.environ[each.variable]
        for each in settled.declared
        if settled.origins[each.name].kind == "environment"
        and each.name != "home"
        and each.variable in os.environ
    }
