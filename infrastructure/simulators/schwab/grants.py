"""Codes and tokens that the simulator has given out, and how long each lives.

Tokens are remembered by their SHA-256 only; a state file holds no usable secret.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import CorruptStore
from infrastructure.supervision.files import make_private_folder, write_json
from infrastructure.supervision.locks import FileLock

NS_PER_S: Final = 1_000_000_000
ISSUER: Final = "oauth2.cdc.schwab.com"

_STATE_VERSION: Final = 1
_LOCK_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each thing lives, in seconds.

    Attributes:
        code_s: An authorization code, about 30 s. [C][O]
        access_s: An access token. [O]
        refresh_s: A refresh token, from the sign-in on; refreshing never extends it. [O]
        client_credentials_s: An access token without a sign-in, "about 1 h". [O]
        consent_s: An open consent page. [?]
    """

    code_s: float = 30
    access_s: float = 1_800
    refresh_s: float = 7 * 86_400
    client_credentials_s: float = 3_600
    consent_s: float = 600


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """What an authorization code stands for, until it is redeemed."""

    redirect_uri: str
    code_challenge: str | None
    expires_ns: int


class _State(msgspec.Struct):
    """Everything that outlives the process.

    Attributes:
        refresh: Digest of the one refresh token that is good, None before the first sign-in.
        signed_in_at_ns: When its sign-in was.
        access: Digest of each access token to the moment at which it ends.
    """

    version: int = _STATE_VERSION
    refresh: str | None = None
    signed_in_at_ns: int = 0
    access: dict[str, int] = msgspec.field(default_factory=dict)


class RefreshRefused(Exception):
    """A refresh token is not good.

    Attributes:
        is_expired: Whether it is the right one, but past its life; else unknown or superseded.
    """

    def __init__(self, *, is_expired: bool) -> None:
        super().__init__("expired" if is_expired else "unknown or superseded")
        self.is_expired = is_expired


class CodeRefused(Exception):
    """An authorization code is not good; the text says why."""


class Grants:
    """Give out codes and tokens and check them. Safe to share between threads and processes.

    Args:
        clock: Tells when things end.
        lifetimes: How long they live.
        state_file: Where issued tokens outlive the process; nowhere when None.
        rotate_refresh_token: Give a new refresh token at each refresh. Most reports see the same
            one again. [?]
        check_code_verifier: Compare PKCE's verifier when a challenge was sent. Whether Schwab
            does is not known. [?]
    """

    def __init__(
        self,
        clock: Clock,
        lifetimes: Lifetimes,
        *,
        state_file: Path | None = None,
        rotate_refresh_token: bool = False,
        check_code_verifier: bool = True,
    ) -> None:
        self.lifetimes = lifetimes
        self.rotate_refresh_token = rotate_refresh_token
        self.check_code_verifier = check_code_verifier
        self._clock = clock
        self._file = state_file
        self._lock = threading.RLock()
        self._codes: dict[str, AuthorizationCode] = {}
        self._state = _State()
        if state_file is not None:
            make_private_folder(state_file.parent)
            self._load()

    def issue_code(self, redirect_uri: str, code_challenge: str | None) -> str:
        """Return a new single-use authorization code, such as `C0.b2F1dGgy.Xy…@`. [C][O]"""
        code = f"C0.{_base64(ISSUER.encode())}.{_random(32)}@"
        ends = self._clock.now_ns() + round(self.lifetimes.code_s * NS_PER_S)
        with self._lock:
            self._codes[_digest(code)] = AuthorizationCode(redirect_uri, code_challenge, ends)
        return code

    def redeem(
        self, code: str, redirect_uri: str | None, code_verifier: str | None
    ) -> dict[str, Any]:
        """Exchange a code for the token answer; earlier refresh tokens end. [O]

        Raises:
            CodeRefused: If the code is unknown, used, late, or for another redirect URL, or the
                verifier does not fit.
        """
        with self._lock:
            grant = self._codes.pop(_digest(code), None)
        now = self._clock.now_ns()
        if grant is None:
            raise CodeRefused("Authorization code is invalid or has been used")
        if now >= grant.expires_ns:
            raise CodeRefused("Authorization code has expired")
        if redirect_uri != grant.redirect_uri:
            raise CodeRefused("Redirect URI does not match")
        if grant.code_challenge is not None and self.check_code_verifier:
            sent = _base64(hashlib.sha256((code_verifier or "").encode()).digest())
            if not code_verifier or sent != grant.code_challenge:
                raise CodeRefused("Code verifier does not match the code challenge")
        refresh_token = f"{_random(64)}@"
        with self._changing() as state:
            state.refresh = _digest(refresh_token)
            state.signed_in_at_ns = now
            access_token = self._new_access(state, self.lifetimes.access_s)
        return self._answer(access_token, refresh_token)

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """Return a token answer with a new access token.

        Raises:
            RefreshRefused: If the token is not the last sign-in's, or too old.
        """
        with self._changing() as state:
            if state.refresh is None or state.refresh != _digest(refresh_token):
                raise RefreshRefused(is_expired=False)
            ends = state.signed_in_at_ns + round(self.lifetimes.refresh_s * NS_PER_S)
            if self._clock.now_ns() >= ends:
                raise RefreshRefused(is_expired=True)
            if self.rotate_refresh_token:
                refresh_token = f"{_random(64)}@"
                state.refresh = _digest(refresh_token)
            access_token = self._new_access(state, self.lifetimes.access_s)
        return self._answer(access_token, refresh_token)

    def client_credentials(self) -> dict[str, Any]:
        """Return an access token that nobody signed in for, without a refresh token. [O]"""
        with self._changing() as state:
            access_token = self._new_access(state, self.lifetimes.client_credentials_s)
        return {
            "expires_in": round(self.lifetimes.client_credentials_s),
            "token_type": "Bearer",
            "scope": "api",
            "access_token": access_token,
        }

    def accepts(self, access_token: str) -> bool:
        """Say whether an access token was given out and is not over."""
        digest = _digest(access_token)
        with self._lock:
            if digest not in self._state.access and self._file is not None:
                self._load()
            return self._state.access.get(digest, 0) > self._clock.now_ns()

    def end_access_tokens(self) -> None:
        """End every access token early, as Schwab does at times. [C]"""
        with self._changing() as state:
            state.access.clear()

    def end_refresh_token(self) -> None:
        """End the refresh token before its time, as a changed password does. [O]"""
        with self._changing() as state:
            state.refresh = None

    def _new_access(self, state: _State, lifetime_s: float) -> str:
        now = self._clock.now_ns()
        token = f"I0.{_base64(ISSUER.encode())}.{_random(32)}@"
        state.access = {digest: ends for digest, ends in state.access.items() if ends > now}
        state.access[_digest(token)] = now + round(lifetime_s * NS_PER_S)
        return token

    def _answer(self, access_token: str, refresh_token: str) -> dict[str, Any]:
        return {
            "expires_in": round(self.lifetimes.access_s),
            "token_type": "Bearer",
            "scope": "api",
            "refresh_token": refresh_token,
            "access_token": access_token,
            "id_token": self._id_token(),
        }

    def _id_token(self) -> str:
        now_s = self._clock.now_ns() // NS_PER_S
        header = {"alg": "none", "typ": "JWT"}
        claims = {"iss": ISSUER, "sub": "simulated", "iat": now_s, "exp": now_s + 3_600}
        return ".".join([*(_base64(json.dumps(part).encode()) for part in (header, claims)), ""])

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_State]:
        """Yield the newest state; keep it if the block ends well."""
        with self._lock:
            if self._file is None:
                yield self._state
                return
            file_lock = FileLock(self._file.with_name(self._file.name + ".lock"))
            file_lock.lock(timeout_s=_LOCK_TIMEOUT_S, clock=SystemClock())
            try:
                self._load()
                yield self._state
                write_json(self._file, msgspec.to_builtins(self._state))
            finally:
                file_lock.unlock()

    def _load(self) -> None:
        assert self._file is not None
        try:
            self._state = msgspec.json.decode(self._file.read_bytes(), type=_State)
        except FileNotFoundError:
            self._state = _State()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorruptStore(
                f"{self._file} is not the simulated Schwab's list of issued tokens: {error}",
                next_step="Remove it and sign in to the simulator again.",
            ) from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _random(size: int) -> str:
    return _base64(secrets.token_bytes(size))
