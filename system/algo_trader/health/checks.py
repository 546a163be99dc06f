"""Check the running system: sign-in, stores, services, processes. Nothing is started or changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from system.algo_trader.health.check import Check, Report
from system.algo_trader.health.parallel import TIMEOUT_S, Part, ask_all
from system.algo_trader.health.service_checks import (
    grafana_check,
    influxdb_check,
    process_check,
    redis_check,
    service_check,
)
from system.algo_trader.health.store_checks import (
    archive_check,
    disk_check,
    memory_check,
    spool_check,
    verified_archive_check,
)
from system.algo_trader.processes.order import NAMES as PROCESSES
from system.algo_trader.realm import Realm
from system.algo_trader.sign_in import SignInStatus

if TYPE_CHECKING:
    from system.algo_trader.runtime import Runtime

_DAY_NS: Final = 86_400e9


def check_health(runtime: Runtime, *, timeout_s: float = TIMEOUT_S, deep: bool = False) -> Report:
    """Return how every part is; all are asked at once, each within its time.

    Args:
        runtime: Of this run; none of its services is started.
        timeout_s: The longest that is waited for a part, seconds.
        deep: Read every part of the archive and compare it with its checksum, however long it
            takes.
    """
    return Report.of(
        ask_all(_parts(runtime, timeout_s, deep), runtime.clock), runtime.clock.now_ns()
    )


def _parts(runtime: Runtime, timeout_s: float, deep: bool) -> list[Part]:
    settings, realm, clock = runtime.settings, runtime.realm, runtime.clock
    if deep:
        archive = Part("archive", lambda: verified_archive_check(runtime), timeout_s=None)
    else:
        archive = Part("archive", lambda: archive_check(realm.archive, clock), timeout_s)
    return [
        Part("sign-in", lambda: _sign_in(runtime), timeout_s),
        archive,
        Part("spool", lambda: spool_check(realm), timeout_s),
        Part("disk", lambda: disk_check(settings.home, realm.archive), timeout_s),
        Part("memory", memory_check, timeout_s),
        Part("redis", lambda: redis_check(settings, realm, clock, timeout_s), timeout_s),
        Part("influxdb", lambda: influxdb_check(settings, realm, clock, timeout_s), timeout_s),
        # A verb that can be kept running is checked as soon as `processes.order` names it.
        *(Part(name, partial(process_check, settings, name), timeout_s) for name in PROCESSES),
        Part("grafana", lambda: grafana_check(settings, timeout_s), timeout_s),
        Part("service", lambda: service_check(realm, timeout_s), timeout_s),
    ]


def _sign_in(runtime: Runtime) -> Check:
    status = runtime.stored_sign_in()
    return sign_in_check(status, runtime.realm, runtime.clock.now_ns())


def sign_in_check(status: SignInStatus, realm: Realm, now_ns: int) -> Check:
    """Return how a sign-in is: how long the refresh token still lives.

    Args:
        status: As it is stored.
        realm: Whose; the simulator signs in by itself.
        now_ns: The time of day, nanoseconds UTC.
    """
    side = "simulator" if realm.is_simulated else "Schwab"
    expires_ns = status.refresh_expires_at_ns
    if status.state in ("signed in", "due") and expires_ns is not None:
        left = f"{side}, {(expires_ns - now_ns) / _DAY_NS:.1f} of 7 days left"
        if status.state == "signed in":
            return Check("sign-in", "ok", left)
        return Check("sign-in", "degraded", f"{left}. {status.next_step or ''}".strip())
    if realm.is_simulated:
        return Check("sign-in", "degraded", f"{side}: {status.state}; a run signs in by itself")
    return Check("sign-in", "down", f"{side}: {status.state}. {status.next_step or ''}".strip())
