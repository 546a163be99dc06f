"""An API key: what is shown once, and what is kept of it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from infrastructure.clock import rfc3339

PREFIX: Final = "at"
RATE_PER_MINUTE: Final = 600
_TEXT: Final = re.compile(r"at_([A-Za-z0-9]{12})_([A-Za-z0-9]{43})")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43
"""Of 62 letters: 43 of them hold 256 bits."""
_SALT_BYTES: Final = 16
LATEST_NS: Final = 9_000_000_000_000_000_000
"""The last instant that a key may name, in the year 2255: later ones have no place in 64 bits."""
MOST_PER_MINUTE: Final = 1_000_000


class KeyScope(StrEnum):
    """Name what a key may do. No scope can trade or read accounts."""

    READ_TICKS = "read:ticks"
    READ_OPTIONS = "read:options"
    ADMIN = "admin"


READING: Final = (KeyScope.READ_TICKS, KeyScope.READ_OPTIONS)
"""What whoever reads everything has to be allowed."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Hold what is kept of a key; its secret is not among it.

    Attributes:
        key_id: Public; the key is found by it.
        name: What its owner calls it.
        scopes: What it may do.
        salt: Random bytes.
        digest: SHA-256 of salt and secret.
        rate_per_minute: Requests that it may make.
        created_at_ns: Nanoseconds UTC.
        expires_at_ns: When it ends by itself; None for never.
        revoked_at_ns: When it was revoked; None while it was not.
    """

    key_id: str
    name: str
    scopes: frozenset[KeyScope]
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    rate_per_minute: int
    created_at_ns: int
    expires_at_ns: int | None = None
    revoked_at_ns: int | None = None

    def matches(self, secret: str) -> bool:
        """Return whether this is the key's secret, in a time that does not tell how nearly."""
        return hmac.compare_digest(_digest(self.salt, secret), self.digest)

    def state(self, now_ns: int) -> str:
        """Return "valid", "expired" or "revoked"."""
        if self.revoked_at_ns is not None:
            return "revoked"
        is_over = self.expires_at_ns is not None and now_ns >= self.expires_at_ns
        return "expired" if is_over else "valid"

    def as_row(self, now_ns: int) -> dict[str, Any]:
        """Return what a person may see of it."""
        return {
            "key_id": self.key_id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "state": self.state(now_ns),
            "rate_per_minute": self.rate_per_minute,
            "created_at": rfc3339(self.created_at_ns),
            "expires_at": None if self.expires_at_ns is None else rfc3339(self.expires_at_ns),
            "revoked_at": None if self.revoked_at_ns is None else rfc3339(self.revoked_at_ns),
        }

    def as_stored(self) -> dict[str, Any]:
        """Return what the file holds of it."""
        return {
            "key_id": self.key_id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "salt": self.salt.hex(),
            "digest": self.digest.hex(),
            "rate_per_minute": self.rate_per_minute,
            "created_at_ns": self.created_at_ns,
            "expires_at_ns": self.expires_at_ns,
            "revoked_at_ns": self.revoked_at_ns,
        }

    @classmethod
    def of_stored(cls, values: dict[str, Any]) -> ApiKey:
        """Return the key of what the file holds.

        Raises:
            LookupError, TypeError, ValueError, ArithmeticError: If that is no key.
        """
        found = cls(
            key_id=str(values["key_id"]),
            name=str(values["name"]),
            scopes=frozenset(KeyScope(each) for each in values["scopes"]),
            salt=bytes.fromhex(values["salt"]),
            digest=bytes.fromhex(values["digest"]),
            rate_per_minute=int(values["rate_per_minute"]),
            created_at_ns=int(values["created_at_ns"]),
            expires_at_ns=_whole(values["expires_at_ns"]),
            revoked_at_ns=_whole(values["revoked_at_ns"]),
        )
        times = (found.created_at_ns, found.expires_at_ns, found.revoked_at_ns)
        if not all(time is None or 0 <= time <= LATEST_NS for time in times):
            raise ValueError("a key names an instant that cannot be")
        if not 1 <= found.rate_per_minute <= MOST_PER_MINUTE:
            raise ValueError("a key names a rate that cannot be")
        return found


def make_key(
    name: str,
    scopes: frozenset[KeyScope],
    now_ns: int,
    *,
    expires_at_ns: int | None = None,
    rate_per_minute: int = RATE_PER_MINUTE,
) -> tuple[ApiKey, str]:
    """Make a key; return what is kept, and the text that is shown once."""
    key_id, secret = _random(_ID_LENGTH), _random(_SECRET_LENGTH)
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _digest(salt, secret)
    key = ApiKey(key_id, name, scopes, salt, digest, rate_per_minute, now_ns, expires_at_ns)
    return key, f"{PREFIX}_{key_id}_{secret}"


def parts_of(text: str) -> tuple[str, str] | None:
    """Return id and secret of a key's text, None if it has not the form of one."""
    found = _TEXT.fullmatch(text)
    return None if found is None else (found[1], found[2])


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _digest(salt: bytes, secret: str) -> bytes:
    return hashlib.sha256(salt + secret.encode()).digest()


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
