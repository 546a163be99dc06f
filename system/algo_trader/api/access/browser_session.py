"""The owner's browser: a link that opens once, a session in a cookie, a token for changes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from infrastructure.clock import Clock

LINK_LIVES_S: Final = 120.0
IDLE_S: Final = 12 * 3600.0
LONGEST_S: Final = 7 * 86_400.0
MOST_SESSIONS: Final = 32
_MOST_LINKS: Final = 16
_LONGEST_TEXT: Final = 128
COOKIE: Final = "algo_trader_session"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"


@dataclass(slots=True)
class Session:
    """Hold one browser's session.

    Attributes:
        csrf_token: What each change has to carry beside the cookie.
        opened_ns: When it began, nanoseconds of the monotonic clock.
        used_ns: When it was used last.
    """

    csrf_token: str = field(repr=False)
    opened_ns: int
    used_ns: int

    def accepts(self, token: str | None) -> bool:
        """Return whether a change carries the session's token."""
        if token is None or len(token) > _LONGEST_TEXT:
            return False
        return hmac.compare_digest(_digest(token), _digest(self.csrf_token))


class Sessions:
    """Open, find and end the sessions of the owner's browsers. Used by one event loop only.

    Nothing of it outlives the process. Links and cookies are kept as digests.

    Args:
        clock: Tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._links: OrderedDict[bytes, int] = OrderedDict()
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def link_token(self) -> str:
        """Return a token that opens one session, once, within two minutes."""
        token = secrets.token_urlsafe(32)
        self._links[_digest(token)] = self._clock.monotonic_ns() + int(LINK_LIVES_S * 1e9)
        while len(self._links) > _MOST_LINKS:
            self._links.popitem(last=False)
        return token

    def open(self, token: str) -> tuple[str, Session] | None:
        """Return the cookie's value and the session that a link opens, None if it opens none."""
        if len(token) > _LONGEST_TEXT:
            return None
        ends_ns = self._links.pop(_digest(token), None)
        now_ns = self._clock.monotonic_ns()
        if ends_ns is None or now_ns > ends_ns:
            return None
        cookie = secrets.token_urlsafe(32)
        session = Session(secrets.token_urlsafe(32), now_ns, now_ns)
        self._sessions[_digest(cookie)] = session
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie's value, None if there is none any more."""
        if len(cookie) > _LONGEST_TEXT:
            return None
        name = _digest(cookie)
        session = self._sessions.get(name)
        if session is None:
            return None
        now_ns = self._clock.monotonic_ns()
        is_idle = now_ns - session.used_ns > IDLE_S * 1e9
        if is_idle or now_ns - session.opened_ns > LONGEST_S * 1e9:
            del self._sessions[name]
            return None
        session.used_ns = now_ns
        self._sessions.move_to_end(name)
        return session

    def close(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(cookie[:_LONGEST_TEXT]), None)


def cookie_header(value: str, *, is_secure: bool) -> str:
    """Return the header that sets a session's cookie.

    Args:
        value: Of the cookie.
        is_secure: Whether the service speaks TLS.
    """
    name = SECURE_COOKIE if is_secure else COOKIE
    rest = "; Secure" if is_secure else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={int(LONGEST_S)}{rest}"


def cookie_of(header: str | None, *, is_secure: bool) -> str | None:
    """Return the value of the session's cookie in a header, None where it is not there."""
    if header is None or len(header) > 8192:
        return None
    wanted = SECURE_COOKIE if is_secure else COOKIE
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
