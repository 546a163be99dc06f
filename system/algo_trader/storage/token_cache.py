"""The sign-in's copy in Redis: encrypted, shared by machines, never needed.

The file is the truth. The cache spares a refresh when another machine has just made one; without
Redis everything works, after one line of warning.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from infrastructure.config import Secret
from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from infrastructure.schwab.oauth.tokens import NS_PER_S, TokenSet
from system.algo_trader.storage.key_ring import KeyRing

_log = get_logger("storage.token_cache")
T = TypeVar("T")


class TokenRedis(Protocol):
    """What the cache needs of this system's Redis client."""

    def save_access_token(self, ciphertext: bytes, ttl_s: int) -> None:
        """Keep the encrypted access token for so many seconds."""

    def load_access_token(self) -> bytes | None:
        """Return the encrypted access token, None when there is none."""

    def save_refresh_token(self, ciphertext: bytes) -> None:
        """Keep the encrypted refresh token."""

    def load_refresh_token(self) -> bytes | None:
        """Return the encrypted refresh token, None when there is none."""

    def delete_tokens(self) -> None:
        """Forget both."""


class TokenCache:
    """Copy token sets to Redis, and read them back if they belong to the same sign-in.

    Args:
        redis: The client; None for no cache at all.
        key_ring: Encrypts and decrypts.
    """

    def __init__(self, redis: TokenRedis | None, key_ring: KeyRing) -> None:
        self._redis = redis
        self._key_ring = key_ring
        self._warned = False

    def save(self, tokens: TokenSet, now_ns: int) -> None:
        """Copy the token set; a failure is one warning, not an error."""
        redis = self._redis
        ttl_s = (tokens.expires_at_ns - now_ns) // NS_PER_S
        if redis is None or ttl_s <= 0:
            return
        access, refresh = self._sealed(tokens)
        self._attempt(lambda: redis.save_access_token(access, ttl_s))
        self._attempt(lambda: redis.save_refresh_token(refresh))

    def newer_than(self, tokens: TokenSet) -> TokenSet | None:
        """Return the cached token set if it is a later refresh of the same sign-in.

        Args:
            tokens: The stored token set.
        """
        redis = self._redis
        if redis is None:
            return None
        access = self._opened(self._attempt(redis.load_access_token))
        refresh = self._opened(self._attempt(redis.load_refresh_token))
        try:
            same = access["signed_in_at_ns"] == refresh["signed_in_at_ns"] == tokens.signed_in_at_ns
            if not same or access["expires_at_ns"] <= tokens.expires_at_ns:
                return None
            return replace(
                tokens,
                access_token=Secret(access["access_token"]),
                refresh_token=Secret(refresh["refresh_token"]),
                expires_at_ns=access["expires_at_ns"],
            )
        except (KeyError, TypeError):
            return None

    def delete(self) -> None:
        """Forget the copy; a failure is one warning, not an error."""
        if self._redis is not None:
            self._attempt(self._redis.delete_tokens)

    def _sealed(self, tokens: TokenSet) -> tuple[bytes, bytes]:
        access = {
            "access_token": tokens.access_token.reveal(),
            "expires_at_ns": tokens.expires_at_ns,
            "signed_in_at_ns": tokens.signed_in_at_ns,
        }
        refresh = {
            "refresh_token": tokens.refresh_token.reveal(),
            "signed_in_at_ns": tokens.signed_in_at_ns,
        }
        return self._sealed_values(access), self._sealed_values(refresh)

    def _sealed_values(self, values: dict[str, Any]) -> bytes:
        return self._key_ring.encrypt(json.dumps(values).encode("utf-8"))[1]

    def _opened(self, ciphertext: bytes | None) -> dict[str, Any]:
        """Return the values of a copy, empty when it is missing or not ours to read."""
        plaintext = None if ciphertext is None else self._key_ring.decrypt(ciphertext)
        values = {} if plaintext is None else json.loads(plaintext)
        return values if isinstance(values, dict) else {}

    def _attempt(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except StackError as error:
            if not self._warned:
                self._warned = True
                _log.warning("Redis holds no copy of the sign-in, the file does: %s", error)
            return None
