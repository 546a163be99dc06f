"""One part's health, and the report of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from infrastructure.clock import rfc3339

State = Literal["ok", "degraded", "down"]
_SEVERITY: Final[dict[State, int]] = {"ok": 0, "degraded": 1, "down": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """Say how one part is.

    Attributes:
        name: The part.
        state: "ok"; "degraded" when a person should look but work goes on; "down".
        detail: One sentence.
        took_ms: How long it took to find out; None where that was not measured.
    """

    name: str
    state: State
    detail: str
    took_ms: float | None = None

    @property
    def severity(self) -> int:
        """Return 0 for ok, 1 for degraded, 2 for down."""
        return _SEVERITY[self.state]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON output."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Report:
    """Say how all parts are.

    Attributes:
        state: That of the worst part.
        checks: One a part.
        at_ns: When they were asked, nanoseconds UTC.
    """

    state: State
    checks: tuple[Check, ...]
    at_ns: int

    @classmethod
    def of(cls, checks: Iterable[Check], at_ns: int) -> Report:
        """Return the report that checks make."""
        made = tuple(checks)
        return cls(worst(check.state for check in made), made, at_ns)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON output, the instant as RFC 3339."""
        return {
            "state": self.state,
            "checks": [check.as_dict() for check in self.checks],
            "at": rfc3339(self.at_ns),
        }


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states, "ok" of none."""
    return max(states, key=_SEVERITY.__getitem__, default="ok")


def state_of_share(share: float, *, degraded_from: float, down_from: float) -> State:
    """Return the state of something that fills up.

    Args:
        share: How much of it is used, 0 to 1.
        degraded_from: From where on a person should look.
        down_from: From where on it counts as full.
    """
    if share >= down_from:
        return "down"
    return "degraded" if share >= degraded_from else "ok"
