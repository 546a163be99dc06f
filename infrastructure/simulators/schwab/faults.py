"""Answer wrongly on demand: the next requests get an error, wait, or lose their connection."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final, Literal

from infrastructure.simulators.schwab.error_bodies import (
    edge_access_denied,
    market_error,
    market_unauthorized,
    too_many_requests,
)
from infrastructure.simulators.schwab.messages import Request, Response, json_response

Maintenance = Literal["none", "message", "route"]
# What trader endpoints say during maintenance and on some weekends. [O]
MAINTENANCE_TEXT: Final = (
    "Application encountered unexpected error that prevented fulfilling this request"
)
MAINTENANCE_ROUTE: Final = (
    "404 Not Found: Requested route ('traderapi-accounts.apigx-origin.schwab.com') does not exist."
)
API_HOST: Final = "http://api.schwabapi.com"


@dataclass(slots=True)
class _Fault:
    route: str
    left: int
    status: int | None
    body: str | None
    headers: dict[str, str] = field(default_factory=dict)
    is_half_open: bool = False
    is_done: bool = False


class Faults:
    """Hold what is to go wrong. Set it from any thread while the simulator runs.

    Attributes:
        latency_s: Every answer waits so long, in real seconds.
        reset_connects: How many of the next connections are reset before they say a word.
        maintenance: What trader endpoints answer: "message" a 500, "route" a plain-text 404.
        clock_skew_s: By how much the answers' Date header is wrong.
    """

    def __init__(self) -> None:
        self._reset()
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

    def lose_answer(self, *, times: int = 1, route: str = "") -> None:
        """Do what the next requests ask and close the connection instead of answering.

        An order then stands, and its client cannot know it. Arguments as above.
        """
        with self._lock:
            self._waiting.append(_Fault(route, times, None, None, is_done=True))

    def clear(self) -> None:
        """Let everything go right again."""
        with self._lock:
            self._waiting.clear()
        self._reset()

    def half_open(self, *, times: int = 1, route: str = "") -> None:
        """Keep the connection of the next requests open and say nothing; arguments as above."""
        with self._lock:
            self._waiting.append(_Fault(route, times, None, None, is_half_open=True))

    def take_reset(self) -> bool:
        """Say whether the connection that has just come is to be reset."""
        with self._lock:
            if self.reset_connects <= 0:
                return False
            self.reset_connects -= 1
            return True

    def _reset(self) -> None:
        self.latency_s = 0.0
        self.reset_connects = 0
        self.maintenance: Maintenance = "none"
        self.clock_skew_s = 0.0

    def _maintained(self, request: Request) -> Response | None:
        if self.maintenance == "none" or not request.path.startswith("/trader/"):
            return None
        return maintenance_answer(self.maintenance)

    def next_for(self, route: str, request: Request) -> Response | DroppedConnection | None:
        """Return what goes wrong with a request, None when nothing does."""
        with self._lock:
            fault = next((fault for fault in self._waiting if fault.route in route), None)
            if fault is None:
                return self._maintained(request)
            fault.left -= 1
            if fault.left <= 0:
                self._waiting.remove(fault)
        if fault.status is None:
            return DroppedConnection(fault.is_half_open, fault.is_done)
        response = _usual(fault.status, request)
        if fault.body is not None:
            response = Response(fault.status, fault.body.encode(), "text/plain")
        response.headers.update(fault.headers)
        return response


@dataclass(frozen=True, slots=True)
class DroppedConnection:
    """Say that a connection is to be closed instead of answered.

    Attributes:
        is_half_open: Whether it stays open without a word until the client gives up.
        is_done: Whether what was asked is done all the same.
    """

    is_half_open: bool = False
    is_done: bool = False


def maintenance_answer(kind: Maintenance) -> Response:
    """Answer as trader endpoints do when they are down. [O]"""
    if kind == "route":
        return Response(404, MAINTENANCE_ROUTE.encode(), "text/plain")
    return json_response(500, {"message": MAINTENANCE_TEXT})


def _usual(status: int, request: Request) -> Response:
    if status == 401:
        return market_unauthorized()
    if status == 403:
        return edge_access_denied(API_HOST + request.path)
    if status == 429:
        return too_many_requests()
    if status == 500 and not request.path.startswith("/marketdata/"):
        return maintenance_answer("message")
    if status in (400, 404, 500):
        return market_error(status)
    return json_response(status, {"fault": {"faultstring": f"simulated status {status}"}})
