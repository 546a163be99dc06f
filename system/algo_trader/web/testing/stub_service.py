"""The coming service's stand-in: the contract's paths on a port of loopback, in a thread."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from infrastructure.errors import NoDataError
from system.algo_trader.web.assets import (
    CONTENT_SECURITY_POLICY,
    PAGE_CONTENT_TYPE,
    asset,
    page,
)
from system.algo_trader.web.testing import documents
from system.algo_trader.web.testing.documents import Document

CSRF_TOKEN: Final = "stub-token-\"'<&>"
STATUS_EVERY_S: Final = 0.2
TICKS_EVERY_S: Final = 0.1
DEADLINE_S: Final = 20.0


class StubService:
    """Serve the page and fixed documents; remember what was posted.

    Attributes:
        status: Makes the status; a test puts another in its place.
        session_is_over: Whether every call is answered with 401.
        is_silent: Whether `/ws/status` sends nothing.
        posts: Path, token and body of each POST.
        subscriptions: What pages asked of `/ws/ticks`.
        fetched: The paths that were got, in order.
    """

    def __init__(self) -> None:
        self.status: Callable[[], Document] = documents.status
        self.session_is_over = False
        self.is_silent = False
        self.posts: list[tuple[str, str | None, Any]] = []
        self.subscriptions: list[Document] = []
        self.fetched: list[str] = []
        self.port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the page's server."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = int(listener.getsockname()[1])
        settings = uvicorn.Config(
            self._app(),
            log_level="error",
            ws="websockets-sansio",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="stub"
        )
        self._thread.start()

    def stop(self) -> None:
        """Go away: every connection is closed, and the port answers no more."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)
        self._server = self._thread = None

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/status.html", self._page),
                Route("/assets/{name}", self._asset),
                Route("/api/v1/status", self._status),
                Route("/api/v1/candles", self._candles),
                Route("/api/v1/gex/{symbol}", self._gex),
                Route("/api/v1/{path:path}", self._post, methods=["POST"]),
                WebSocketRoute("/ws/status", self._status_feed),
                WebSocketRoute("/ws/ticks", self._ticks_feed),
            ]
        )

    async def _page(self, _request: Request) -> Response:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return Response(page(CSRF_TOKEN), media_type=PAGE_CONTENT_TYPE, headers=headers)

    async def _asset(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        try:
            found = await asyncio.to_thread(asset, request.path_params["name"])
        except NoDataError:
            return Response(status_code=404)
        headers = {"ETag": found.etag, "Content-Type": found.content_type}
        if found.gzip is None:
            return Response(found.content, headers=headers)
        return Response(found.gzip, headers={**headers, "Content-Encoding": "gzip"})

    async def _status(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        return self._answer(self.status())

    async def _candles(self, request: Request) -> Response:
        asked = request.query_params
        return self._answer(
            documents.candles(asked["symbol"], asked["timeframe"], int(asked["limit"]))
        )

    async def _gex(self, request: Request) -> Response:
        symbol = request.path_params["symbol"]
        if symbol == "SPY":
            return self._answer(documents.gex())
        return problem(
            404,
            f"No option chain of {symbol} is stored.",
            f"Run `algo-trader options gex {symbol}` once.",
        )

    async def _post(self, request: Request) -> Response:
        token = request.headers.get("x-csrf-token")
        self.posts.append((request.url.path, token, await request.json()))
        if token != CSRF_TOKEN:
            return problem(403, "The token is missing.", None)
        if "archive" in request.url.path:
            return problem(503, "archive did not start: the disk is full.", "Free 2 GB.")
        return self._answer({"ok": True, "detail": f"Done: {request.url.path.rpartition('/')[2]}."})

    def _answer(self, document: Document) -> Response:
        if self.session_is_over:
            return problem(401, "No session.", None)
        return JSONResponse(document)

    async def _status_feed(self, socket: WebSocket) -> None:
        async with self._open(socket):
            while True:
                if not self.is_silent:
                    await socket.send_text(json.dumps(self.status()))
                await asyncio.sleep(STATUS_EVERY_S)

    async def _ticks_feed(self, socket: WebSocket) -> None:
        async with self._open(socket):
            asked = await socket.receive_json()
            self.subscriptions.append(asked)
            await socket.send_json({"type": "subscribed", "symbols": asked["symbols"]})
            count = 0
            while True:
                count += 1
                rows = [documents.tick(symbol, count) for symbol in asked["symbols"]]
                await socket.send_json(
                    {
                        "type": "ticks",
                        "id": f"{count}-0",
                        "is_synthetic": True,
                        "rows": rows,
                        "missed": 0,
                    }
                )
                await asyncio.sleep(TICKS_EVERY_S)

    @asynccontextmanager
    async def _open(self, socket: WebSocket) -> AsyncIterator[None]:
        try:
            await socket.accept()
            if self.session_is_over:
                await socket.close(4401)
            yield
        except (WebSocketDisconnect, RuntimeError, OSError):
            # The page went away.
            return


def problem(status: int, detail: str, next_step: str | None) -> Response:
    """Answer with a problem document."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": "Refused",
            "status": status,
            "detail": detail,
            "next_step": next_step,
        },
        status_code=status,
        media_type="application/problem+json",
    )
