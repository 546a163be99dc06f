"""Who comes in by a key, at whichever door: the same judgement over HTTP and Flight."""

from __future__ import annotations

import hmac
import threading
from typing import Final

from infrastructure.clock import Clock
from infrastructure.errors import CorruptStore
from infrastructure.logging import get_logger
from system.algo_trader.api.access.api_key import ApiKey, KeyScope
from system.algo_trader.api.access.caller import Caller
from system.algo_trader.api.access.key_store import OF_A_KEY, KeyStore
from system.algo_trader.api.access.rate_limit import Allowance, RateLimits
from system.algo_trader.api.operations.problem import Problem

FAILURES_PER_MINUTE: Final = 60
OWNER: Final = frozenset(str(each) for each in KeyScope)
_CALLERS: Final = 1024
_log = get_logger("api.doorkeeper")


class Refused(Problem):
    """Say why somebody is not let in: one reason for the outside, another for the audit.

    Attributes:
        reason: For the audit alone; which key it was, only if it is one of ours.
        kind: For the figures: "key", "guessing" or "rate".
        allowance: What was left; None where that is not what it is about.
    """

    def __init__(
        self, problem: Problem, reason: str, kind: str, allowance: Allowance | None = None
    ) -> None:
        super().__init__(
            problem.status, problem.detail, problem.parameter, problem.allowed,
            problem.next_step, problem.retry_after_s,
        )  # fmt: skip
        self.reason = reason
        self.kind = kind
        self.allowance = allowance


class Doorkeeper:
    """Judge keys and count requests, for all doors of a service together; any thread may ask.

    Args:
        keys: The keys of the realm.
        owner_secret: What the owner's programs on this machine show; "" for nothing.
        clock: Tells the time.
    """

    def __init__(self, keys: KeyStore, owner_secret: str, clock: Clock) -> None:
        self.keys = keys
        self._owner_secret = owner_secret
        self._limits = RateLimits(clock)
        self._callers: dict[str, tuple[ApiKey, Caller]] = {}
        self._lock = threading.Lock()

    def admit(self, text: str, stranger: str) -> tuple[Caller, Allowance | None]:
        """Return whose key a text is, and what that one may still ask; None for the owner.

        Args:
            text: What was shown.
            stranger: Under which name wrong keys are counted, such as an address.

        Raises:
            Refused: 401 or 429.
            Problem: 503, if keys cannot be checked.
        """
        if self._is_owner(text):
            return Caller("local", OWNER), None
        try:
            found = self.keys.find(text)
        except CorruptStore as error:
            _log.error("%s", error)
            raise Problem(503, "keys cannot be checked now", retry_after_s=30) from error
        if not isinstance(found, ApiKey):
            raise self._stranger(text, found, stranger)
        allowance = self.take(found.key_id, found.rate_per_minute)
        return self._caller(found), allowance

    def take(self, name: str, per_minute: int) -> Allowance:
        """Count a request.

        Raises:
            Refused: 429, if there are too many.
        """
        with self._lock:
            allowance = self._limits.take(name, per_minute)
        if allowance.is_allowed:
            return allowance
        wait_s = max(1, round(allowance.retry_after_s + 0.5))
        said = f"more than {per_minute} requests a minute"
        problem = Problem(429, said, retry_after_s=wait_s)
        raise Refused(problem, f"too often {name}", "rate", allowance)

    def still_admits(self, text: str) -> bool:
        """Return whether a key that was let in would be now; nothing is counted."""
        try:
            return self._is_owner(text) or isinstance(self.keys.find(text), ApiKey)
        except CorruptStore:
            return False

    def _is_owner(self, text: str) -> bool:
        secret = self._owner_secret
        shown = text.encode("utf-8", "replace")
        return bool(secret) and hmac.compare_digest(shown, secret.encode())

    def _stranger(self, text: str, reason: str, stranger: str) -> Refused:
        # The outside is not told which; whose key it was, only if it is one of ours.
        told = f"{reason} {text.split('_')[1]}" if reason in OF_A_KEY else reason
        # Those who guess are slowed down; a right key from the same address is not locked out.
        with self._lock:
            guess = self._limits.take(f"failed {stranger}", FAILURES_PER_MINUTE)
        if guess.is_allowed:
            return Refused(Problem(401, "this key is not valid", "Authorization"), told, "key")
        problem = Problem(429, "too many wrong keys came from this address", retry_after_s=60)
        return Refused(problem, told, "guessing")

    def _caller(self, key: ApiKey) -> Caller:
        """Return who shows a key: made once as long as the key is the same."""
        known = self._callers.get(key.key_id)
        if known is not None and known[0] is key:
            return known[1]
        caller = Caller(key.key_id, frozenset(str(each) for each in key.scopes))
        if len(self._callers) >= _CALLERS:
            self._callers.clear()
        self._callers[key.key_id] = key, caller
        return caller
