"""The gate: who may come in, how often, and what every answer carries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from infrastructure.clock import Clock
from infrastructure.logging import get_logger
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.browser_session import Sessions, cookie_of
from system.algo_trader.api.access.caller import CALLER, Caller
from system.algo_trader.api.access.doorkeeper import OWNER, Doorkeeper, Refused
from system.algo_trader.api.access.origin_guard import host_is_allowed, origin_is_ours
from system.algo_trader.api.access.rate_limit import Allowance
from system.algo_trader.api.http.body import whole_body
from system.algo_trader.api.http.figures import Figures
from system.algo_trader.api.http.operation_route import GONE, ROUTE, ROWS, BrokenOff
from system.algo_trader.api.http.sending import (
    Header,
    Message,
    Receive,
    Scope,
    Send,
    header,
    send_problem,
)
from system.algo_trader.api.operations.problem import Problem

OPEN: Final = frozenset({"/health", "/health/live", "/health/ready"})
"""What strangers may ask."""
SOCKETS: Final = frozenset({"/ws/ticks", "/ws/bars", "/ws/gex", "/ws/status"})
SIGN_IN: Final = "/open"
"""Where the one-time link leads; the route looks at its token."""
OPEN_PER_MINUTE: Final = 6000
SOCKETS_PER_CALLER: Final = 64
STILL_S: Final = 0.5
"""How often it is looked whether those who hold a socket would still be let in."""
GOODBYE_S: Final = 2.0
"""How long one whose socket is ended may take to read why; then the connection is dropped."""
_CSRF: Final = b"x-csrf-token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""The page and its files carry more; of an answer each header costs a hundredth of its time."""
_log = get_logger("api.gate")


@dataclass(frozen=True, slots=True)
class Admission:
    """Hold what the gate judges by.

    Attributes:
        doorkeeper: Judges keys.
        sessions: Of the owner's browsers.
        audit: Gets a line a request.
        figures: Count.
        hosts: What the header Host may say.
        is_secure: Whether the service speaks TLS.
    """

    doorkeeper: Doorkeeper
    sessions: Sessions
    audit: Audit
    figures: Figures
    hosts: frozenset[str]
    is_secure: bool = False


@dataclass(slots=True)
class _Trail:
    """Remember of a request what audit and figures need.

    Attributes:
        began_s: When it came, seconds of the event loop.
        key: The text of the key that let it in; "" for none.
        cookie: Of the session that let it in; "" for none.
        status: Of the answer, 0 without one.
        is_started: Whether the answer has begun.
        headers: Further ones of the answer.
    """

    began_s: float
    key: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    status: int = 0
    is_started: bool = False
    headers: list[Header] = field(default_factory=list)


class Gate:
    """Let requests in that may come in; the ASGI application in front of all others.

    Args:
        app: What answers.
        admission: What is judged by.
        clock: Tells the time.
    """

    def __init__(self, app: Any, admission: Admission, clock: Clock) -> None:
        self._app = app
        self._admission = admission
        self._clock = clock
        self._sockets: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on one request or socket."""
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time
        trail = _Trail(now())

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                trail.status, trail.is_started = message["status"], True
                message["headers"] = [*message.get("headers", ()), *_ALWAYS, *trail.headers]
            elif message.get("more_body") and not self._is_still_in(trail):
                self._admission.figures.refused("ended")
                raise BrokenOff("the key of this stream has ended", 401)
            await send(message)

        caller = _NOBODY
        try:
            caller = self._admitted(scope, trail)
            scope[CALLER] = caller
            if scope["method"] not in _SAFE:
                self._check_change(scope, caller)
                receive = await whole_body(scope, receive)
            await self._app(scope, receive, tell)
        except Problem as problem:
            caller = _refused(caller, problem)
            await send_problem(tell, problem)
        except BrokenOff as broken:
            trail.status = broken.status
            if broken.status != GONE:
                _log.warning("%s %s breaks off: %s", scope["method"], _route(scope), broken)
                raise
        except Exception:
            _log.exception("%s %s failed", scope["method"], _route(scope))
            if trail.is_started:
                raise
            await send_problem(
                tell, Problem(500, "this is a fault of the service; its log says more")
            )
        finally:
            self._note(scope, caller, scope["method"], trail, now())

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time
        trail = _Trail(now())
        figures, route = self._admission.figures, scope["path"]

        async def tell(message: Message) -> None:
            await send(message)
            if message["type"] == "websocket.accept":
                trail.status = 101

        caller = _NOBODY
        try:
            caller = self._admitted(scope, trail)
            if self._sockets.get(caller.key_id, 0) >= SOCKETS_PER_CALLER:
                raise Problem(429, "this key has too many sockets open", retry_after_s=10)
            scope[CALLER] = caller
            self._sockets[caller.key_id] = self._sockets.get(caller.key_id, 0) + 1
            figures.socket("/ws", 1)
            # Whoever does not accept a socket refuses it: the server answers 403.
            trail.status = 403
            try:
                await self._while_in(trail, scope, receive, tell)
            finally:
                figures.socket("/ws", -1)
                self._sockets[caller.key_id] -= 1
        except Problem as problem:
            trail.status = problem.status
            caller = _refused(caller, problem)
            _log.debug("a socket to %s is refused: %s", route, problem)
            # Before it is accepted, closing is refusing: the server answers 403.
            await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:120]})
        finally:
            self._note(scope, caller, "WS", trail, now())

    async def _while_in(self, trail: _Trail, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a socket on until it ends, or until whoever holds it would be refused."""
        serving = asyncio.ensure_future(self._app(scope, receive, send))
        try:
            while not serving.done():
                await asyncio.wait({serving}, timeout=STILL_S)
                if not serving.done() and not self._is_still_in(trail):
                    serving.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await serving
                    self._admission.figures.refused("ended")
                    # It may have closed by itself a moment ago. To a peer that does not read
                    # nothing can be said: the server drops the connection when this returns.
                    with contextlib.suppress(RuntimeError, TimeoutError):
                        async with asyncio.timeout(GOODBYE_S):
                            await send(dict(_ENDED))
                    return
            await serving
        finally:
            if not serving.done():
                serving.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await serving

    def _admitted(self, scope: Scope, trail: _Trail) -> Caller:
        """Return who asks.

        Raises:
            Problem: If nobody is let in, or asks too often.
        """
        try:
            return self._judged(scope, trail)
        except Refused as refused:
            self._admission.figures.refused(refused.kind)
            if refused.allowance is not None:
                _tell_allowance(refused.allowance, trail)
            raise

    def _judged(self, scope: Scope, trail: _Trail) -> Caller:
        admission = self._admission
        host = header(scope, b"host")
        if not host_is_allowed(host, admission.hosts):
            admission.figures.refused("host")
            raise Problem(421, "this service does not answer under that name", "Host")
        assert host is not None
        scheme = "https" if admission.is_secure else "http"
        origin = header(scope, b"origin")
        if origin is not None and not origin_is_ours(origin, None, host, scheme):
            admission.figures.refused("origin")
            raise Problem(403, "pages of another origin may not ask", "Origin")
        client, path = _address(scope), scope["path"]
        if path in OPEN:
            _tell_allowance(admission.doorkeeper.take(f"open {client}", OPEN_PER_MINUTE), trail)
            return _NOBODY
        if path == SIGN_IN:
            return _NOBODY
        text = _key_text(scope)
        if text is not None:
            return self._by_key(text, client, trail)
        cookie = cookie_of(header(scope, b"cookie"), is_secure=admission.is_secure)
        session = None if cookie is None else admission.sessions.find(cookie)
        if session is None:
            admission.figures.refused("no key")
            raise Problem(
                401,
                "a key is needed",
                "Authorization",
                "Authorization: Bearer KEY, or X-API-Key: KEY",
                "Make one with `algo-trader keys create`; the owner's browser comes in by "
                "`algo-trader serve --open`.",
            )
        if not origin_is_ours(origin, header(scope, b"sec-fetch-site"), host, scheme):
            admission.figures.refused("origin")
            raise Problem(403, "pages of another origin may not ask", "Origin")
        if scope["type"] == "websocket" and origin is None:
            admission.figures.refused("origin")
            raise Problem(403, "a browser's socket names its origin", "Origin")
        trail.cookie = cookie or ""
        return Caller("owner", OWNER, is_browser=True, csrf_token=session.csrf_token)

    def _by_key(self, text: str, client: str, trail: _Trail) -> Caller:
        caller, allowance = self._admission.doorkeeper.admit(text, client)
        if allowance is not None:
            trail.key = text
            _tell_allowance(allowance, trail)
        return caller

    def _is_still_in(self, trail: _Trail) -> bool:
        """Return whether who was let in would be let in now; an open socket is use of a session."""
        if trail.cookie:
            return self._admission.sessions.find(trail.cookie) is not None
        return not trail.key or self._admission.doorkeeper.still_admits(trail.key)

    def _check_change(self, scope: Scope, caller: Caller) -> None:
        """Let a browser change something only if a page of ours asked for it.

        Raises:
            Problem: 403.
        """
        if not caller.is_browser:
            return
        cookie = cookie_of(header(scope, b"cookie"), is_secure=self._admission.is_secure)
        session = None if cookie is None else self._admission.sessions.find(cookie)
        if session is None or not session.accepts(header(scope, _CSRF)):
            self._admission.figures.refused("csrf")
            raise Problem(403, "a change needs the page's token", "X-CSRF-Token")

    def _note(
        self, scope: Mapping[str, Any], caller: Caller, method: str, trail: _Trail, now_s: float
    ) -> None:
        route, took_s = _route(scope), now_s - trail.began_s
        if method != "WS":
            self._admission.figures.answered(route, trail.status, took_s, now_s)
        if scope["path"] not in OPEN:
            rows, took_ms = scope.get(ROWS, 0), took_s * 1e3
            client = _address(scope)
            note = self._admission.audit.note
            note(caller.key_id, method, route, trail.status, rows, took_ms, client)


_NONE: Final[frozenset[str]] = frozenset()
_NOBODY: Final = Caller("(nobody)", _NONE)
_ENDED: Final[Mapping[str, Any]] = {
    "type": "websocket.close", "code": 1008, "reason": "this key or session has ended"
}  # fmt: skip


def _refused(caller: Caller, problem: Problem) -> Caller:
    """Return under which name the audit has one who was not let in."""
    if caller is not _NOBODY or problem.status not in (401, 403, 421, 429):
        return caller
    reason = problem.reason if isinstance(problem, Refused) else problem.detail
    return Caller(f"({reason})", _NONE)


def _tell_allowance(allowance: Allowance, trail: _Trail) -> None:
    trail.headers.append((b"ratelimit-limit", b"%d" % allowance.limit))
    trail.headers.append((b"ratelimit-remaining", b"%d" % allowance.remaining))


def _address(scope: Mapping[str, Any]) -> str:
    return scope["client"][0] if scope.get("client") else "unknown"


def _route(scope: Mapping[str, Any]) -> str:
    """Return the template of a path; what is no route of ours has one name."""
    noted: str | None = scope.get(ROUTE)
    if noted is not None:
        return noted
    known = getattr(scope.get("route"), "path", None)
    if known:
        return str(known)
    return scope["path"] if scope["path"] in OPEN | SOCKETS else "(other)"


def _key_text(scope: Scope) -> str | None:
    bearer, plain = header(scope, b"authorization"), header(scope, b"x-api-key")
    if bearer is not None:
        kind, _, text = bearer.partition(" ")
        if kind.lower() != "bearer":
            raise Problem(401, "keys come as a bearer", "Authorization", "Bearer KEY")
        if plain is not None and plain.strip() != text.strip():
            raise Problem(400, "two different keys came", "X-API-Key", "one key")
        return text.strip()
    return None if plain is None else plain.strip()
