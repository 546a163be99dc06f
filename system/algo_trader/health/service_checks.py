"""How the servers and long-running processes are that this system uses. None is started."""

from __future__ import annotations

import os
import ssl
import time
from typing import Final
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.clock import Clock
from infrastructure.errors import ForeignService
from system.algo_trader.client.local_door import LocalDoor
from system.algo_trader.clients.grafana import is_named
from system.algo_trader.clients.grafana_client import AlgoTraderGrafanaClient
from system.algo_trader.health.check import Check, State
from system.algo_trader.identification import OWNER_NAMESPACE, identify_influxdb, is_listening
from system.algo_trader.processes.control import Processes, ProcessRow
from system.algo_trader.realm import Realm
from system.algo_trader.services import INFLUXDB, REDIS, ServiceRow, Services
from system.algo_trader.settings import AppSettings

SLOW_MS: Final = 500.0
"""A round trip on one machine or in one room takes a thousandth of it."""
DEFAULT_GRAFANA_PORT: Final = 3000
_BROKEN: Final = ("unreachable", "gave up")
_ON_THE_WAY: Final = ("starting", "restarting")


def redis_check(settings: AppSettings, realm: Realm, clock: Clock, timeout_s: float) -> Check:
    """Return how Redis is, by the round trip of a PING."""
    services = Services(settings, realm)
    [row] = services.status((REDIS,))
    url = services.running_url(row)
    if url is None:
        return _not_running(row)
    with BaseRedisClient(url, OWNER_NAMESPACE, timeout_s=timeout_s) as client:
        client.ping()  # the first one pays for the connection
        begun_ns = clock.monotonic_ns()
        client.ping()
        took_ms = (clock.monotonic_ns() - begun_ns) / 1e6
    return _answered(row, took_ms, f"PING {took_ms:.1f} ms")


def influxdb_check(settings: AppSettings, realm: Realm, clock: Clock, timeout_s: float) -> Check:
    """Return how InfluxDB is, by the round trip of a /ping."""
    services = Services(settings, realm)
    [row] = services.status((INFLUXDB,))
    url = services.running_url(row)
    if url is None:
        return _not_running(row)
    token = settings.influxdb3_auth_token if row.origin == "named" else None
    begun_ns = clock.monotonic_ns()
    found = identify_influxdb(url, token, timeout_s)
    took_ms = (clock.monotonic_ns() - begun_ns) / 1e6
    return _answered(row, took_ms, f"{found.product} {found.version}, /ping {took_ms:.1f} ms")


def _not_running(row: ServiceRow) -> Check:
    state: State = "ok"
    if row.state in _BROKEN:
        state = "down"
    elif row.state in _ON_THE_WAY:
        state = "degraded"
    return Check(row.name, state, f"{row.origin}, {row.state}{f': {row.note}' if row.note else ''}")


def _answered(row: ServiceRow, took_ms: float, said: str) -> Check:
    note = f"; {row.note}" if row.note else ""
    state: State = "ok" if took_ms < SLOW_MS else "degraded"
    return Check(row.name, state, f"{row.origin}, running at {row.url}, {said}{note}")


def process_check(settings: AppSettings, name: str) -> Check:
    """Return how a long-running process is; one that nobody started is well."""
    return _of_process(Processes(settings).status(name))


def _of_process(row: ProcessRow) -> Check:
    reasons = "; ".join(row.reasons)
    if row.state == "running":
        state: State = "ok" if row.health == "ok" else "degraded"
        if not row.is_well:
            state = "down"
        said = "does not answer" if row.health == "silent" else f"{row.health}"
        text = f"running as process {row.pid}, {said}"
        if row.restarts:
            text += f", started anew {row.restarts} times"
    else:
        state = "degraded" if row.state in _ON_THE_WAY else "ok"
        if not row.is_well:
            state = "down"
        text = "not started" if row.state == "stopped" else row.state
    return Check(row.name, state, f"{text}: {reasons}" if reasons else text)


def grafana_check(settings: AppSettings, timeout_s: float) -> Check | None:
    """Return how Grafana is, by its own /api/health; None where nobody has set one up.

    One that no setting names is looked for at its default port, and counts if it runs there.
    """
    if is_named(settings) or settings.settled.origins["grafana_url"].kind != "default":
        return _grafana_at(settings.grafana_url, timeout_s)
    url = f"http://localhost:{os.environ.get('GRAFANA_PORT') or DEFAULT_GRAFANA_PORT}"
    if not settings.probe_default_ports or not is_listening(url):
        return None
    try:
        return _grafana_at(url, timeout_s)
    except ForeignService:
        return None


def _grafana_at(url: str, timeout_s: float) -> Check:
    health = AlgoTraderGrafanaClient(url, timeout_s=timeout_s).health()
    return Check("grafana", "ok", f"version {health.version} at {url}")


def service_check(realm: Realm, timeout_s: float) -> Check | None:
    """Return whether the service answers; None where none runs.

    Only a process that lives is asked: one that hangs is down, one that has ended is not there.
    """
    door = LocalDoor.of(realm)
    if door is None or not door.is_open:
        return None
    began_ns = time.monotonic_ns()
    # The owner's own service on this machine: its certificate may name another host.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    ask = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    try:
        with ask.open(f"{door.url}/health/live", timeout=timeout_s) as answer:
            status = answer.status
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Check("service", "down", f"{door.url} does not answer: {reason}")
    took_ms = (time.monotonic_ns() - began_ns) / 1e6
    return Check("service", "ok", f"{door.url} answers {status} in {took_ms:.1f} ms")
