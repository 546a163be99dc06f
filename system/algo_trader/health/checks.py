"""Check the running system: sign-in, services, archive. Nothing is started or changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from infrastructure.errors import StackError

if TYPE_CHECKING:
    from system.algo_trader.realm import Realm
    from system.algo_trader.runtime import Runtime

State = Literal["ok", "degraded", "down"]
_SEVERITY: Final[dict[State, int]] = {"ok": 0, "degraded": 1, "down": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """Say how one part is.

    Attributes:
        name: The part.
        state: "ok"; "degraded" when a person should look but work goes on; "down".
        detail: One sentence.
    """

    name: str
    state: State
    detail: str

    @property
    def severity(self) -> int:
        """Return 0 for ok, 1 for degraded, 2 for down."""
        return _SEVERITY[self.state]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON output."""
        return asdict(self)


def check_health(runtime: Runtime) -> list[Check]:
    """Return one check a part."""
    parts: tuple[tuple[str, Callable[[Runtime], Check]], ...] = (
        ("sign-in", _sign_in),
        ("archive", _archive),
        ("spool", lambda runtime: spool_check(runtime.realm)),
    )
    checks = [_guarded(name, check, runtime) for name, check in parts]
    checks.extend(
        Check(
            row.name,
            "down" if row.state in ("unreachable", "gave up") else "ok",
            f"{row.origin}, {row.state}{f' at {row.url}' if row.url else ''}"
            f"{f': {row.note}' if row.note else ''}",
        )
        for row in runtime.services.status()
    )
    return checks


def _guarded(name: str, check: Callable[[Runtime], Check], runtime: Runtime) -> Check:
    try:
        return check(runtime)
    except StackError as error:
        return Check(name, "down", str(error))


def _sign_in(runtime: Runtime) -> Check:
    status = runtime.stored_sign_in()
    realm = "simulator" if runtime.realm.is_simulated else "Schwab"
    if status.state == "signed in":
        days = (status.refresh_age_s or 0.0) / 86_400
        return Check("sign-in", "ok", f"{realm}, {days:.1f} of 7 days old")
    if status.state == "due" or runtime.realm.is_simulated:
        return Check("sign-in", "degraded", f"{realm}: {status.state}")
    return Check("sign-in", "down", f"{realm}: {status.state}. {status.next_step or ''}".strip())


def spool_check(realm: Realm) -> Check:
    """Return how the spool of a realm is: what waits there for InfluxDB, and what was refused."""
    from system.algo_trader.jobs.spool_delivery import spool_state

    state = spool_state(realm)
    quiet = not state.waiting and not state.refused
    return Check("spool", "ok" if quiet else "degraded", state.sentence)


def _archive(runtime: Runtime) -> Check:
    damages = runtime.archive.damages()
    if damages:
        return Check("archive", "down", damages[0])
    spans = runtime.archive.spans()
    rows = sum(span.rows for span in spans)
    if not rows:
        return Check("archive", "degraded", "empty; run `algo-trader` to fill it")
    symbols = len({span.symbol for span in spans})
    return Check("archive", "ok", f"{rows:,} rows of {symbols} symbols, every part verified")
