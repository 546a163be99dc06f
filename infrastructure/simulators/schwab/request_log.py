"""What the simulator was asked, for tests that count. It keeps no token, key or code."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request and how it was answered.

    Attributes:
        route: Such as "GET /marketdata/v1/pricehistory"; method and path where no route matched.
        status: The HTTP status; 0 when the connection was dropped instead.
        grant_type: Of a token request, else None.
        symbol: Its `symbol` or `symbols` parameter, else None.
        correlation_id: The id in the answer.
    """

    route: str
    status: int
    grant_type: str | None
    symbol: str | None
    correlation_id: str


class RequestLog:
    """Count requests and keep the last ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[Seen] = deque(maxlen=_KEPT)

    def record(self, seen: Seen) -> None:
        """Add one request."""
        with self._lock:
            self._seen.append(seen)

    def all(self) -> tuple[Seen, ...]:
        """Return the requests, oldest first (the last 10,000)."""
        with self._lock:
            return tuple(self._seen)

    def count(
        self,
        route: str | None = None,
        *,
        grant_type: str | None = None,
        status: int | None = None,
        where: Callable[[Seen], bool] | None = None,
    ) -> int:
        """Count requests that meet every condition given.

        Args:
            route: Such as "POST /v1/oauth/token".
            grant_type: Such as "refresh_token".
            status: The HTTP status of the answer.
            where: Any other condition.
        """
        return sum(
            (route is None or seen.route == route)
            and (grant_type is None or seen.grant_type == grant_type)
            and (status is None or seen.status == status)
            and (where is None or where(seen))
            for seen in self.all()
        )

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._seen.clear()
