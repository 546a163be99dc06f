"""A stand-in for this system's Redis client where only the sign-in's copy matters."""

from __future__ import annotations


class RedisInMemory:
    """Keep the two ciphertexts, as `TokenRedis` says; raise `trouble` while there is any."""

    def __init__(self) -> None:
        self.access: bytes | None = None
        self.refresh: bytes | None = None
        self.ttl_s: int | None = None
        self.trouble: Exception | None = None

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def save_access_token(self, ciphertext: bytes, ttl_s: int) -> None:
        """Keep the access token and the seconds it lives."""
        self._check()
        self.access, self.ttl_s = ciphertext, ttl_s

    def load_access_token(self) -> bytes | None:
        """Return the access token."""
        self._check()
        return self.access

    def save_refresh_token(self, ciphertext: bytes) -> None:
        """Keep the refresh token."""
        self._check()
        self.refresh = ciphertext

    def load_refresh_token(self) -> bytes | None:
        """Return the refresh token."""
        self._check()
        return self.refresh

    def delete_tokens(self) -> None:
        """Forget both."""
        self._check()
        self.access = self.refresh = None
