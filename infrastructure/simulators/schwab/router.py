"""Find the route of a request: literal segments and `{names}`, with or without a last slash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from infrastructure.simulators.schwab.messages import Request, Response

Handler = Callable[[Request, Mapping[str, str]], Response]
Realm = Literal["open", "market", "trader"]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint.

    Attributes:
        method: Its HTTP method.
        pattern: Its path; a segment `{name}` matches one segment, decoded once.
        handler: What answers.
        realm: Which error shapes apply and whether an access token is needed; "open" needs none.
    """

    method: str
    pattern: str
    handler: Handler
    realm: Realm

    @property
    def name(self) -> str:
        """Return how requests to it are counted, such as "GET /marketdata/v1/quotes"."""
        return f"{self.method} {self.pattern}"


class Router:
    """Keep the endpoints; the first that matches answers."""

    def __init__(self) -> None:
        self._routes: list[tuple[list[str], Route]] = []

    def add(self, method: str, pattern: str, handler: Handler, realm: Realm) -> None:
        """Add one endpoint."""
        route = Route(method, pattern, handler, realm)
        self._routes.append((pattern.strip("/").split("/"), route))

    def routes(self) -> tuple[Route, ...]:
        """Return every endpoint, in the order of addition."""
        return tuple(route for _, route in self._routes)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the endpoint of a path and the values of its names, None when there is none.

        Args:
            method: The HTTP method.
            path: The percent-encoded path. Empty segments are kept, so that a bare slash inside
                a symbol (`/marketdata/v1//ES/quotes`) is found by nothing, as at Schwab. [C]
        """
        segments = path[1:].removesuffix("/").split("/")
        for pattern, route in self._routes:
            if route.method != method or len(pattern) != len(segments):
                continue
            values = _match(pattern, segments)
            if values is not None:
                return route, values
        return None


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    values = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if not segment:
                return None
            values[expected.strip("{}")] = unquote(segment)
        elif expected != segment:
            return None
    return values
