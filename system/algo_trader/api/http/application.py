"""The ASGI application: the hot routes of the catalogue inside FastAPI, which knows the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.access.browser_session import cookie_header
from system.algo_trader.api.access.caller import ADMIN, require
from system.algo_trader.api.http.control import Control
from system.algo_trader.api.http.gate import Admission
from system.algo_trader.api.http.openapi import PREFIX, document_of
from system.algo_trader.api.http.operation_route import Desk, OperationRoute
from system.algo_trader.api.http.pages import page_routes
from system.algo_trader.api.http.sockets import Looked, PolledSocket, StatusSocket, StreamSocket
from system.algo_trader.api.live.hub import Hub
from system.algo_trader.api.operations.catalogue import GEX, OPERATIONS
from system.algo_trader.api.operations.problem import MEDIA_TYPE, Problem
from system.algo_trader.api.operations.status_board import StatusBoard
from system.algo_trader.health.version import VERSION
from system.algo_trader.storage.hot_keys import BARS, TICKS

_HEALTH: Final = {"ok": 200, "degraded": 200, "down": 503}
_EVERY_METHOD: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_DOWN: Final[dict[int | str, dict[str, Any]]] = {
    503: {
        "description": "Something is down.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Parts:
    """Hold what the application is made of.

    Attributes:
        desk: Stores, threads and cache.
        board: The status.
        admission: Who may come in.
        ticks: Hands out live ticks.
        bars: Hands out closed bars.
        control: Starts and stops services.
        is_ready: Returns whether questions can be answered.
        mounts: Further applications by path, such as MCP's and the page's.
        routers: Further routes of FastAPI.
        exact: Applications that answer one path and nothing below it, by any method.
    """

    desk: Desk
    board: StatusBoard
    admission: Admission
    ticks: Hub
    bars: Hub
    control: Control
    is_ready: Callable[[], bool]
    mounts: Mapping[str, ASGIApp]
    routers: tuple[Any, ...] = ()
    exact: Mapping[str, ASGIApp] = field(default_factory=dict)


def application(parts: Parts) -> FastAPI:
    """Return the application without its gate."""
    app = FastAPI(
        title="Algo Trader",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    routes = {each.name: OperationRoute(each, parts.desk) for each in OPERATIONS}
    for operation in OPERATIONS:
        # As it stands in the catalogue, but that symbols may hold a slash: BRK/B, /ESZ26.
        path = f"{PREFIX}{operation.path}".replace("{symbol}", "{symbol:path}")
        route = Route(path, routes[operation.name], methods=["GET"])
        app.router.routes.append(route)
    _add_sockets(app, parts, routes[GEX.name])
    _add_health(app, parts)
    app.include_router(parts.control.router())
    for router in parts.routers:
        app.include_router(router)
    _add_sign_in(app, parts)
    _add_problems(app)
    app.router.routes.extend(page_routes())
    for path, answering in parts.exact.items():
        app.router.routes.append(Route(path, answering, methods=_EVERY_METHOD))
    for path, mounted in parts.mounts.items():
        app.mount(path, mounted)
    return app


def _add_sockets(app: FastAPI, parts: Parts, gex: OperationRoute) -> None:
    desk = parts.desk

    async def look(symbol: str) -> Looked:
        # Whoever watches and whoever asks get the same answer, made once for all.
        path = f"{PREFIX}{GEX.path}".replace("{symbol}", symbol)
        kept = await gex.answer(path, {"symbol": symbol, "at": None})
        return Looked(kept.etag, kept.rendered.content(desk.stores.clock.now_ns()))

    tick_socket = StreamSocket(
        "ticks", TICKS.of(), parts.ticks, desk.stores, desk.work, KeyScope.READ_TICKS
    )
    bar_socket = StreamSocket(
        "bars", BARS.of(), parts.bars, desk.stores, desk.work, KeyScope.READ_TICKS
    )
    gex_socket = PolledSocket("gex", look, KeyScope.READ_OPTIONS)
    status = StatusSocket(lambda: _encode(parts.board.document()), KeyScope.READ_TICKS)
    for path, socket in (
        ("/ws/ticks", tick_socket),
        ("/ws/bars", bar_socket),
        ("/ws/gex", gex_socket),
        ("/ws/status", status),
    ):
        app.router.routes.append(WebSocketRoute(path, socket.__call__))


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/health", tags=["health"], operation_id="health", responses=_DOWN)
    async def health() -> Response:
        """Say in a word how everything is; the only thing that strangers are told."""
        state = parts.board.document()["health"]["state"]
        return Response(
            _encode({"state": state, "reasons": []}), _HEALTH[state], media_type="application/json"
        )

    @app.get("/health/live", tags=["health"], operation_id="live")
    async def live() -> Response:
        """Say that the process answers."""
        return Response(_encode({"state": "ok"}), media_type="application/json")

    @app.get("/health/ready", tags=["health"], operation_id="ready", responses=_DOWN)
    async def ready() -> Response:
        """Say whether questions can be answered: 503 while they cannot."""
        is_ready = parts.is_ready()
        content = _encode({"state": "ok" if is_ready else "down"})
        status = 200 if is_ready else 503
        return Response(content, status, media_type="application/json")

    @app.get(
        "/metrics", tags=["health"], operation_id="metrics_text", response_class=PlainTextResponse
    )
    async def metrics_text() -> Response:
        """Return the service's own figures for Prometheus."""
        content = await asyncio.to_thread(parts.admission.figures.text)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get(f"{PREFIX}/status", tags=["health"], operation_id="status")
    async def status() -> Response:
        """Return services, sign-in, gaps, coverage, errors and figures of this moment."""
        return Response(_encode(parts.board.document()), media_type="application/json")

    documents: list[bytes] = []

    @app.get(f"{PREFIX}/openapi.json", tags=["health"], operation_id="openapi")
    async def openapi() -> Response:
        """Return this document."""
        if not documents:
            documents.append(_encode(document_of(app)))
        return Response(documents[0], media_type="application/json")


def _add_sign_in(app: FastAPI, parts: Parts) -> None:
    sessions, is_secure = parts.admission.sessions, parts.admission.is_secure

    @app.get("/open", include_in_schema=False)
    async def open_(token: str = "") -> Response:
        """Open a session by a link that works once."""
        opened = sessions.open(token)
        if opened is None:
            raise Problem(
                401,
                "this link has been used, or is too old",
                next_step="Run `algo-trader serve --open`, or copy the newest link.",
            )
        headers = {
            "location": "/",
            "set-cookie": cookie_header(opened[0], is_secure=is_secure),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
        }
        return Response(status_code=303, headers=headers)

    @app.post("/open/link", include_in_schema=False)
    async def link(request: Request) -> Response:
        """Return a new link for the owner's browser, for those who may change everything."""
        require(request.scope, ADMIN)
        content = _encode({"path": f"/open?token={sessions.link_token()}"})
        return Response(content, media_type="application/json")


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        headers = {}
        if error.retry_after_s is not None:
            headers["retry-after"] = str(error.retry_after_s)
        content = _encode(error.as_dict())
        return Response(content, error.status, headers, media_type=MEDIA_TYPE)

    @app.exception_handler(HTTPException)
    async def http_problem(request: Request, error: HTTPException) -> Response:
        found = {404: f"there is nothing at {request.url.path[:200]}",
                 405: f"{request.method} is not possible here"}  # fmt: skip
        said = found.get(error.status_code, str(error.detail))
        content = _encode(Problem(error.status_code, said).as_dict())
        headers = dict(error.headers or {})
        return Response(content, error.status_code, headers, media_type=MEDIA_TYPE)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = [str(each) for each in first["loc"]]
        name = where[-1] if len(where) > 1 else where[0]
        problem = Problem(400, f"{name}: {first['msg']}", name)
        return Response(_encode(problem.as_dict()), 400, media_type=MEDIA_TYPE)
