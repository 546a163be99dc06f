"""The protocol over HTTP, behind the gate: stateless, each question a POST answered with JSON."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from system.algo_trader.api.http.body import MCP_BODY_BYTES
from system.algo_trader.api.http.operation_route import ROUTE
from system.algo_trader.api.http.sending import Receive, Scope, Send, send_problem
from system.algo_trader.api.model_tools.server import PATH, ModelServer
from system.algo_trader.api.operations.problem import Problem


class ModelApp:
    """Answer models over HTTP.

    Args:
        server: Answers.
    """

    def __init__(self, server: ModelServer) -> None:
        # Host and Origin are the gate's business: nothing reaches this that it has not let in.
        self._manager = StreamableHTTPSessionManager(
            server.protocol,
            json_response=True,
            stateless=True,
            security_settings=None,
            max_request_body_size=MCP_BODY_BYTES,
        )
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer; the task group of the protocol lives in a task of its own."""
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._run(ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()

    async def close(self) -> None:
        """End; what is being answered is cut off."""
        self._ending.set()
        if self._task is not None:
            await self._task

    async def _run(self, ready: asyncio.Event) -> None:
        async with self._manager.run():
            ready.set()
            await self._ending.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope[ROUTE] = PATH
        if scope["method"] != "POST":
            # There are no sessions to end and no streams to listen to.
            await send_problem(
                send, Problem(405, f"{scope['method']} is not possible here"), [(b"allow", b"POST")]
            )
            return
        found: Any = scope
        await self._manager.handle_request(found, receive, send)
