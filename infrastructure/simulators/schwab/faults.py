"""Answer wrongly on demand: the next requests get an error, wait, or lose their connection."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from infrastructure.simulators.schwab.error_bodies import (
    edge_access_denied,
    market_error,
    market_unauthorized,
    too_many_requests,
)
from infrastructure.simulators.schwab.messages import Request, Response, json_response

API_HOST: Final = "http://api.schwabapi.com"


@dataclass(slots=True)
class _Fault:
    route: str
    left: int
    status: int | None
    body: str | None
    headers: dict[str, str] = field(default_factory=dict)


class Faults:
    """Hold what is to go wrong. Set it from any thread while the simulator runs.

    Attributes:
        latency_s: Every answer waits so long, in real seconds.
    """

    def __init__(self) -> None:
        self.latency_s = 0.0
        self._lock = threading.Lock()
        self._waiting: list[_Fault] = []

    def answer(
        self,
        status: int,
        *,
        times: int = 1,
        route: str = "",
        body: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Answer the next requests with an error.

        Args:
            status: 401, 403 (the network edge's page), 429, 500 or any other.
            times: How many requests.
            route: Only of routes whose name contains this, such as "/oauth/token".
            body: The answer's text instead of the usual one.
            retry_after_s: Value of a Retry-After header.
        """
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        with self._lock:
            self._waiting.append(_Fault(route, times, status, body, headers))

    def drop(self, *, times: int = 1, route: str = "") -> None:
        """Close the connection of the next requests without an answer; arguments as above."""
        with self._lock:
            self._waiting.append(_Fault(route, times, None, None))

    def clear(self) -> None:
        """Let everything go right again."""
        with self._lock:
            self._waiting.clear()
        self.latency_s = 0.0

    def next_for(self, route: str, request: Request) -> Response | DroppedConnection | None:
        """Return what goes wrong with a request, None when nothing does."""
        with self._lock:
            fault = next((fault for fault in self._waiting if fault.route in route), None)
            if fault is None:
                return None
            fault.left -= 1
            if fault.left <= 0:
                self._waiting.remove(fault)
        if fault.status is None:
            return DroppedConnection()
        response = _usual(fault.status, request)
        if fault.body is not None:
            response = Response(fault.status, fault.body.encode(), "text/plain")
        response.headers.update(fault.headers)
        return response


class DroppedConnection:
    """Say that a connection is to be closed instead of answered."""


def _usual(status: int, request: Request) -> Response:
    if status == 401:
        return market_unauthorized()
    if status == 403:
        return edge_access_denied(API_HOST + request.path)
    if status == 429:
        return too_many_requests()
    if status == 500 and not request.path.startswith("/marketdata/"):
        # What trader endpoints say during maintenance. [O]
        text = "Application encountered unexpected error that prevented fulfilling this request"
        return json_response(500, {"message": text})
    if status in (400, 404, 500):
        return market_error(status)
    return json_response(status, {"fault": {"faultstring": f"simulated status {status}"}})
