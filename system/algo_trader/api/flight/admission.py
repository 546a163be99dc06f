"""Who may ask over Flight: the same keys, limits and audit as over HTTP."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyarrow import flight

from infrastructure.errors import CorruptStore
from infrastructure.logging import get_logger
from system.algo_trader.api.access.api_key import ApiKey, KeyScope
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.access.rate_limit import RateLimits
from system.algo_trader.api.flight.refusal import refusal_of
from system.algo_trader.api.http.caller import Caller
from system.algo_trader.api.operations.problem import Problem

MIDDLEWARE: Final = "admission"
METHOD: Final = "FLIGHT"
FAILURES_PER_MINUTE: Final = 60
_STRANGERS: Final = "failed flight"
_UNKNOWN: Final = "flight"
"""The address of those who are refused at once: Flight tells it only to calls that go on."""
_OWNER: Final = frozenset(str(each) for each in KeyScope)
_log = get_logger("api.flight")


@dataclass(frozen=True, slots=True)
class FlightAdmission:
    """Hold what callers are judged by; used by many threads.

    Attributes:
        keys: The keys of the realm.
        limits: Who has asked how often; of this door alone.
        audit: Gets a line a call.
        owner_secret: What the owner's programs on this machine show; "" for nothing.
        lock: Guards the limits.
    """

    keys: KeyStore
    limits: RateLimits
    audit: Audit
    owner_secret: str
    lock: threading.Lock

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
        secret = self.owner_secret
        if secret and hmac.compare_digest(text.encode("utf-8", "replace"), secret.encode()):
            return Caller("local", _OWNER)
        try:
            found = self.keys.find(text)
        except CorruptStore as error:
            _log.error("%s", error)
            raise Problem(503, "keys cannot be checked now", retry_after_s=30) from error
        if not isinstance(found, ApiKey):
            # Those who guess are slowed down; a right key is not locked out by them.
            with self.lock:
                guess = self.limits.take(_STRANGERS, FAILURES_PER_MINUTE)
            if not guess.is_allowed:
                self._note(f"({found})", 429)
                raise Problem(429, "too many wrong keys came", retry_after_s=60)
            self._note(f"({found})", 401)
            raise Problem(401, "this key is not valid", "authorization")
        with self.lock:
            allowance = self.limits.take(found.key_id, found.rate_per_minute)
        if not allowance.is_allowed:
            self._note(found.key_id, 429)
            raise Problem(
                429,
                f"more than {found.rate_per_minute} calls a minute",
                retry_after_s=max(1, round(allowance.retry_after_s + 0.5)),
            )
        return Caller(found.key_id, frozenset(str(each) for each in found.scopes))

    def _note(self, who: str, status: int) -> None:
        self.audit.note(who, METHOD, "(key)", status, 0, 0.0, _UNKNOWN)


class AdmittedCall(flight.ServerMiddleware):  # type: ignore[misc]
    """Carry who asks through one call.

    Args:
        caller: Who.
    """

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller


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
            return AdmittedCall(self._admission.caller_of(headers))
        except Problem as problem:
            raise refusal_of(problem) from None


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
