"""Who may ask over Flight: the same keys, limits and audit as over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyarrow import flight

from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.caller import Caller
from system.algo_trader.api.access.doorkeeper import Doorkeeper, Refused
from system.algo_trader.api.flight.refusal import refusal_of
from system.algo_trader.api.operations.problem import Problem

MIDDLEWARE: Final = "admission"
METHOD: Final = "FLIGHT"
_STRANGERS: Final = "flight"
_UNKNOWN: Final = "flight"
"""The address of those who are refused at once: Flight tells it only to calls that go on."""


@dataclass(frozen=True, slots=True)
class FlightAdmission:
    """Hold what callers are judged by; used by many threads.

    Attributes:
        doorkeeper: Judges keys, as for HTTP.
        audit: Gets a line a call.
    """

    doorkeeper: Doorkeeper
    audit: Audit

    def caller_of(self, headers: Mapping[str, Sequence[Any]]) -> Caller:
        """Return who asks.

        Raises:
            Problem: Without a valid key, if that one asks too often, or keys cannot be checked.
        """
        text = _key_text(headers)
        if text is None:
            self._note("(a key is needed)", 401)
            raise Problem(
                401, "a key is needed", "authorization",
                "authorization: Bearer KEY, or x-api-key: KEY",
            )  # fmt: skip
        try:
            return self.doorkeeper.admit(text, _STRANGERS)[0]
        except Refused as refused:
            self._note(f"({refused.reason})", refused.status)
            raise

    def _note(self, who: str, status: int) -> None:
        self.audit.note(who, METHOD, "(key)", status, 0, 0.0, _UNKNOWN)


class AdmittedCall(flight.ServerMiddleware):  # type: ignore[misc]
    """Carry who asks through one call.

    Args:
        caller: Who.
        is_still_in: Whether that one would be let in now.
    """

    def __init__(self, caller: Caller, is_still_in: Callable[[], bool]) -> None:
        super().__init__()
        self.caller = caller
        self.is_still_in = is_still_in


class AdmissionFactory(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Judge each call before anything of it is looked at.

    Args:
        admission: What is judged by.
    """

    def __init__(self, admission: FlightAdmission) -> None:
        super().__init__()
        self._admission = admission

    def start_call(self, info: Any, headers: Mapping[str, Sequence[Any]]) -> AdmittedCall:
        """Return the call's caller.

        Raises:
            FlightError: What `FlightAdmission.caller_of` says, as the error of its kind.
        """
        try:
            caller = self._admission.caller_of(headers)
        except Problem as problem:
            raise refusal_of(problem) from None
        doorkeeper, text = self._admission.doorkeeper, _key_text(headers) or ""
        return AdmittedCall(caller, lambda: doorkeeper.still_admits(text))


def _key_text(headers: Mapping[str, Sequence[Any]]) -> str | None:
    found = {name.lower(): values for name, values in headers.items()}
    for value in found.get("authorization", ()):
        kind, _, text = _text(value).partition(" ")
        if kind.lower() == "bearer":
            return text.strip()
    for value in found.get("x-api-key", ()):
        return _text(value).strip()
    return None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
