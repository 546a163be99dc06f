"""Who asks, and what that one may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from system.algo_trader.api.operations.problem import Problem

ADMIN: Final = "admin"
CALLER: Final = "algo_trader.caller"
"""The key of an ASGI scope under which the gate writes who asks."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Name who asks.

    Attributes:
        key_id: Of the key; "owner" for the owner's browser.
        scopes: What it may do.
        is_browser: Whether it came by the owner's session.
        csrf_token: What a change by the browser has to carry; "" for a key.
    """

    key_id: str
    scopes: frozenset[str]
    is_browser: bool = False
    csrf_token: str = field(default="", repr=False)

    def may(self, scope: str) -> bool:
        """Return whether it may do something."""
        return scope in self.scopes


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """Return who asks by an ASGI scope that has passed the gate."""
    found: Caller = scope[CALLER]
    return found


def require(scope: Mapping[str, Any], needed: str) -> Caller:
    """Return who asks if that one may.

    Raises:
        Problem: 403, naming the scope that is missing.
    """
    caller = caller_of(scope)
    if not caller.may(needed):
        raise Problem(
            403,
            f"this key may not do that: it lacks the scope {needed}",
            next_step=f"Make one with `algo-trader keys create --scope {needed}`.",
        )
    return caller
