"""Who may ask over Flight: the same keys, limits and audit as over HTTP."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyarrow import flight

from infrastructure.errors import CorruptStore
from system.algo_trader.api.access.api_key import ApiKey, KeyScope
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.access.rate_limit import RateLimits
from system.algo_trader.api.http.caller import Caller

MIDDLEWARE: Final = "admission"
FAILURES_PER_MINUTE: Final = 60
_OWNER: Final = frozenset(str(each) for each in KeyScope)


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

    def caller_of(self, headers: Mapping[str, Sequence[Any]], client: str) -> Caller:
        """Return who asks.

        Raises:
            FlightUnauthenticatedError: Without a valid key.
            FlightUnavailableError: If that one asks too often, or keys cannot be checked.
        """
        text = _key_text(headers)
        if text is None:
            raise flight.FlightUnauthenticatedError(
                "a key is needed: the header authorization with `Bearer KEY`"
            )
        secret = self.owner_secret
        if secret and hmac.compare_digest(text.encode("utf-8", "replace"), secret.encode()):
            return Caller("local", _OWNER)
        try:
            found = self.keys.find(text)
        except CorruptStore as error:
            raise flight.FlightUnavailableError("keys cannot be checked now") from error
        if not isinstance(found, ApiKey):
            # Those who guess are slowed down; a right key is not locked out by them.
            with self.lock:
                guess = self.limits.take(f"failed {client}", FAILURES_PER_MINUTE)
            self.audit.note(f"({found})", "FLIGHT", "(key)", 401, 0, 0.0, client)
            if not guess.is_allowed:
                raise flight.FlightUnavailableError(
                    "too many wrong keys came from this address; try again in a minute"
                )
            raise flight.FlightUnauthenticatedError("this key is not valid")
        with self.lock:
            allowance = self.limits.take(found.key_id, found.rate_per_minute)
        if not allowance.is_allowed:
            raise flight.FlightUnavailableError(
                f"more than {found.rate_per_minute} calls a minute; "
                f"try again in {allowance.retry_after_s:.0f} s"
            )
        return Caller(found.key_id, frozenset(str(each) for each in found.scopes))


class AdmittedCall(flight.ServerMiddleware):  # type: ignore[misc]
    """Carry who asks through one call.

    Args:
        caller: Who.
        client: From which address.
    """

    def __init__(self, caller: Caller, client: str) -> None:
        super().__init__()
        self.caller = caller
        self.client = client


class AdmissionFactory(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Judge each call before anything of it is looked at.

    Args:
        admission: What is judged by.
    """

    def __init__(self, admission: FlightAdmission) -> None:
        super().__init__()
        self._admission = admission

    def start_call(self, info: Any, headers: Mapping[str, Sequence[Any]]) -> AdmittedCall:
        """Return the call's caller; errors as `FlightAdmission.caller_of`."""
        return AdmittedCall(self._admission.caller_of(headers, "flight"), "flight")


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
