"""Answer one request: faults, route, access token, handler, headers, log."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, Protocol
from uuid import uuid4

from infrastructure.clock import Clock, rfc3339
from infrastructure.exchange.timeframes import trading_date
from infrastructure.logging import get_logger
from infrastructure.simulators.schwab.error_bodies import (
    market_error,
    market_missing_header,
    market_unauthorized,
    too_many_requests,
)
from infrastructure.simulators.schwab.faults import (
    DroppedConnection,
    Faults,
    maintenance_answer,
)
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.request_log import RequestLog, Seen
from infrastructure.simulators.schwab.router import Route, Router

CORRELATION_HEADER: Final = "Schwab-Client-CorrelId"
SIMULATED_HEADER: Final = "X-Simulated"
SIMULATED_TIME_HEADER: Final = "X-Simulated-Time"

_WINDOW_NS: Final = 60_000_000_000
_log = get_logger("simulators.schwab")


class TokenCheck(Protocol):
    """Say whether an access token is good."""

    def accepts(self, access_token: str) -> bool:
        """Return whether the token was issued, is not over, and may read market data."""


class MarketTime(Protocol):
    """Tell the virtual time of the replayed market."""

    @property
    def now_ns(self) -> int:
        """Return nanoseconds UTC."""


class Application:
    """Answer requests; knows no socket.

    Args:
        router: The endpoints.
        tokens: Which access tokens are good.
        market: Whose time each answer tells.
        faults: What is to go wrong.
        requests: Where requests are counted.
        clock: For the rate limit.
        requests_per_minute: Answer 429 above so many API requests in a minute; None for no limit.
            Schwab's own limit is 120 [S], counted in a way that nobody knows [?].
        weekend_outage: Trader endpoints answer their maintenance message while the market's
            date is a Saturday or Sunday. [O]
    """

    def __init__(
        self,
        router: Router,
        tokens: TokenCheck,
        market: MarketTime,
        faults: Faults,
        requests: RequestLog,
        clock: Clock,
        requests_per_minute: int | None = None,
        weekend_outage: bool = False,
    ) -> None:
        self._router = router
        self._tokens = tokens
        self._market = market
        self._faults = faults
        self._requests = requests
        self._clock = clock
        self._limit = requests_per_minute
        self._weekend_outage = weekend_outage
        self._recent: deque[int] = deque()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def close(self) -> None:
        """Let waiting answers go at once."""
        self._ended.set()

    def answer(self, request: Request) -> Response | DroppedConnection:
        """Answer a request, or say that its connection is to be dropped."""
        found = self._router.find(request.method, request.path)
        route = found[0].name if found else f"{request.method} {request.path}"
        correlation_id = request.headers.get(CORRELATION_HEADER.lower()) or str(uuid4())
        if self._faults.latency_s > 0:
            self._ended.wait(self._faults.latency_s)
        fault = self._faults.next_for(route, request)
        if isinstance(fault, DroppedConnection):
            if fault.is_done:
                self._routed(request, found)
            self._record(request, route, 0, correlation_id)
            return fault
        response = fault or self._routed(request, found)
        response.headers.setdefault(CORRELATION_HEADER, correlation_id)
        response.headers.setdefault(SIMULATED_HEADER, "synthetic")
        response.headers.setdefault(SIMULATED_TIME_HEADER, rfc3339(self._market.now_ns))
        self._record(request, route, response.status, correlation_id)
        return response

    def _routed(self, request: Request, found: tuple[Route, dict[str, str]] | None) -> Response:
        if found is None:
            return market_error(404)
        route, values = found
        if route.realm != "open":
            refusal = self._refusal(request)
            if refusal is not None:
                return refusal
        is_weekend = trading_date(self._market.now_ns).weekday() >= 5
        if route.realm == "trader" and self._weekend_outage and is_weekend:
            return maintenance_answer("message")
        try:
            return route.handler(request, values)
        except Exception:
            # A server answers its own bug with 500 and goes on.
            _log.exception("the simulated Schwab failed to answer %s", route.name)
            return json_response(500, {"message": "the simulated Schwab failed; see its log"})

    def _refusal(self, request: Request) -> Response | None:
        if self._limit is not None and not self._within_limit(self._limit):
            return too_many_requests()
        authorization = request.headers.get("authorization")
        if not authorization:
            return market_missing_header()
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.accepts(token.strip()):
            return market_unauthorized()
        return None

    def _within_limit(self, limit: int) -> bool:
        now = self._clock.monotonic_ns()
        with self._lock:
            while self._recent and self._recent[0] <= now - _WINDOW_NS:
                self._recent.popleft()
            if len(self._recent) >= limit:
                return False
            self._recent.append(now)
            return True

    def _record(self, request: Request, route: str, status: int, correlation_id: str) -> None:
        query = request.query
        grant = request.form.get("grant_type") if route.endswith("/oauth/token") else None
        symbol = query.get("symbol") or query.get("symbols")
        self._requests.record(Seen(route, status, grant, symbol, correlation_id))
        _log.debug("%s -> %s", route, status)
