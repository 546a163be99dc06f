"""The token set of one sign-in, and the protocol of whoever keeps it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from infrastructure.config import Secret
from infrastructure.logging import register_secret

NS_PER_S = 1_000_000_000
REFRESH_TOKEN_LIFETIME_S = 7 * 86_400
"""Counted from the sign-in; refreshing never extends it (schwab-api.md §1, observed)."""


@dataclass(frozen=True, slots=True)
class TokenSet:
    """Hold what one sign-in gave, and when.

    Attributes:
        access_token: Sent with every request.
        refresh_token: Exchanged for new access tokens until seven days after the sign-in.
        expires_at_ns: End of the access token, nanoseconds UTC.
        signed_in_at_ns: The sign-in, nanoseconds UTC; a refresh does not change it.
        scope: As Schwab says, usually `api`.
        token_type: As Schwab says, usually `Bearer`.
        id_token: The identity token, None where the answer had none.
    """

    access_token: Secret
    refresh_token: Secret
    expires_at_ns: int
    signed_in_at_ns: int
    scope: str | None = None
    token_type: str = "Bearer"
    id_token: Secret | None = field(default=None)

    def __post_init__(self) -> None:
        for secret in (self.access_token, self.refresh_token, self.id_token):
            if secret is not None:
                register_secret(secret.reveal())

    def is_fresh(self, now_ns: int, *, leeway_s: float) -> bool:
        """Tell whether the access token lives for at least so many seconds more."""
        return self.expires_at_ns - now_ns >= leeway_s * NS_PER_S

    def refresh_age_s(self, now_ns: int) -> float:
        """Return the refresh token's age in seconds."""
        return (now_ns - self.signed_in_at_ns) / NS_PER_S

    @property
    def refresh_expires_at_ns(self) -> int:
        """End of the refresh token, nanoseconds UTC."""
        return self.signed_in_at_ns + REFRESH_TOKEN_LIFETIME_S * NS_PER_S

    def reveal(self) -> dict[str, Any]:
        """Return plain values, secrets included, for a store to encrypt."""
        return {
            "access_token": self.access_token.reveal(),
            "refresh_token": self.refresh_token.reveal(),
            "expires_at_ns": self.expires_at_ns,
            "signed_in_at_ns": self.signed_in_at_ns,
            "scope": self.scope,
            "token_type": self.token_type,
            "id_token": None if self.id_token is None else self.id_token.reveal(),
        }

    @classmethod
    def from_revealed(cls, values: dict[str, Any]) -> TokenSet:
        """Return the token set of `reveal`'s values; unknown keys are passed over.

        Raises:
            KeyError: If a required value is missing.
            TypeError: If a value has another type.
        """
        texts = (values["access_token"], values["refresh_token"])
        instants = (values["expires_at_ns"], values["signed_in_at_ns"])
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("expected the tokens as text")
        if not all(type(instant) is int for instant in instants):
            raise TypeError("expected the instants as integers")
        id_token = values.get("id_token")
        return cls(
            access_token=Secret(texts[0]),
            refresh_token=Secret(texts[1]),
            expires_at_ns=instants[0],
            signed_in_at_ns=instants[1],
            scope=values.get("scope"),
            token_type=values.get("token_type") or "Bearer",
            id_token=None if id_token is None else Secret(id_token),
        )


class TokenStore(Protocol):
    """Keep one token set, shared by every thread and process of one user."""

    def load(self) -> TokenSet | None:
        """Return what is kept, None when nobody is signed in."""

    def save(self, tokens: TokenSet) -> None:
        """Keep the token set in place of the last one, wholly or not at all."""

    def delete(self) -> None:
        """Forget the token set; nothing happens when there is none."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep every other thread and process from changing it; one thread may nest it."""


class MemoryTokenStore:
    """Keep a token set in this process only, for tests and scripts.

    Args:
        tokens: What is kept at first.
    """

    def __init__(self, tokens: TokenSet | None = None) -> None:
        self._tokens = tokens
        self._lock = threading.RLock()

    def load(self) -> TokenSet | None:
        """Return what is kept, None when nobody is signed in."""
        return self._tokens

    def save(self, tokens: TokenSet) -> None:
        """Keep the token set in place of the last one."""
        with self._lock:
            self._tokens = tokens

    def delete(self) -> None:
        """Forget the token set."""
        with self._lock:
            self._tokens = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other thread from changing it."""
        with self._lock:
            yield
