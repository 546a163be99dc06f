"""The operations in front of FastAPI: what is asked all the time does not pass its middleware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from fastapi import FastAPI
from starlette.routing import Match, Route

from system.algo_trader.api.http.operation_route import OperationRoute
from system.algo_trader.api.http.sending import Receive, Scope, Send


class HotRoutes:
    """Answer what routes of operations know, and hand everything else on.

    FastAPI's exits, limits and exception handlers around a request take longer than an answer out
    of the cache, and such a route needs none of them: the gate is around both.

    Args:
        app: Answers everything else.
        routes: For GET; the first that matches answers.
    """

    def __init__(self, app: Any, routes: Iterable[Route]) -> None:
        self._app = app
        self._whole: dict[str, Any] = {}
        self._others: list[Route] = []
        for route in routes:
            if route.param_convertors:
                self._others.append(route)
            else:
                self._whole[route.path] = route.endpoint

    @classmethod
    def of(cls, app: FastAPI) -> Self:
        """Return what stands in front of an application that has routes of operations."""
        known = [each for each in app.router.routes if isinstance(each, Route)]
        return cls(app, [each for each in known if isinstance(each.endpoint, OperationRoute)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        endpoint = self._whole.get(scope["path"])
        if endpoint is not None:
            scope["path_params"] = {}
            await endpoint(scope, receive, send)
            return
        for route in self._others:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                await route.endpoint(scope, receive, send)
                return
        await self._app(scope, receive, send)
