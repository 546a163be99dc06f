"""Judge which requests an operation answers before FastAPI, and which are handed on."""

import asyncio
from typing import Any

import pytest
from starlette.routing import Route

from system.algo_trader.api.http.hot_routes import HotRoutes


class Noted:
    """Note what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(dict(scope.get("path_params", {})))


def asked_of(method: str, path: str, kind: str = "http") -> dict[str, list[dict[str, str]]]:
    answers = {name: Noted() for name in ("candles", "history", "gex", "others")}
    routes = [
        Route("/v1/candles", answers["candles"], methods=["GET"]),
        Route("/v1/gex/{symbol:path}/history", answers["history"], methods=["GET"]),
        Route("/v1/gex/{symbol:path}", answers["gex"], methods=["GET"]),
    ]
    scope = {"type": kind, "method": method, "path": path, "root_path": "", "headers": []}
    asyncio.run(HotRoutes(answers["others"], routes)(scope, None, None))  # type: ignore[arg-type]
    return {name: each.asked for name, each in answers.items() if each.asked}


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/v1/candles", "candles", {}),
        ("/v1/gex/SPY", "gex", {"symbol": "SPY"}),
        ("/v1/gex/BRK/B", "gex", {"symbol": "BRK/B"}),
        ("/v1/gex/BRK/B/history", "history", {"symbol": "BRK/B"}),
    ],
)
def test_an_operation_answers_its_own_path(path: str, name: str, values: dict[str, str]) -> None:
    assert asked_of("GET", path) == {name: [values]}


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("HEAD", "/v1/candles", "http"),
        ("POST", "/v1/candles", "http"),
        ("GET", "/v1/candles/", "http"),
        ("GET", "/health", "http"),
        ("GET", "/v1/candles", "websocket"),
    ],
)
def test_everything_else_is_handed_on(method: str, path: str, kind: str) -> None:
    assert list(asked_of(method, path, kind)) == ["others"]
