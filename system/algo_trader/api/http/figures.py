"""What the service counts of its own work, for Prometheus and the status page."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_RECENT: Final = 4096
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Figures:
    """Count requests and sockets. Used by one event loop only.

    Attributes:
        registry: Of Prometheus; others may add to it.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "algo_trader_api_requests", "Requests by route and status.",
            ["route", "status"], registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "algo_trader_api_seconds", "Time to answer.", ["route"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._sockets = Gauge(
            "algo_trader_api_sockets", "Open WebSockets.", ["route"], registry=self.registry
        )
        self._refused = Counter(
            "algo_trader_api_refused", "Requests that the gate refused.", ["reason"],
            registry=self.registry,
        )  # fmt: skip
        self._known: dict[tuple[str, int], tuple[Any, Any]] = {}
        self._recent: deque[tuple[float, float]] = deque(maxlen=_RECENT)
        self.total = 0
        self.open_sockets = 0

    def answered(self, route: str, status: int, took_s: float, now_s: float) -> None:
        """Count a request.

        Args:
            route: The template of its path.
            status: Of HTTP.
            took_s: Seconds until its answer was handed over.
            now_s: The loop's time.
        """
        key = (route, status)
        known = self._known.get(key)
        if known is None:
            known = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._known[key] = known
        known[0].inc()
        known[1].observe(took_s)
        self._recent.append((now_s, took_s))
        self.total += 1

    def refused(self, reason: str) -> None:
        """Count a request that the gate refused."""
        self._refused.labels(reason).inc()

    def socket(self, route: str, change: int) -> None:
        """Count a socket that opened (1) or closed (-1)."""
        self._sockets.labels(route).inc(change)
        self.open_sockets += change

    def text(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self.registry)

    def recent(self, now_s: float) -> dict[str, Any]:
        """Return what the last minute was like; null where nothing was asked."""
        took = [each for at, each in self._recent if now_s - at <= 60.0]
        is_cut = len(self._recent) == _RECENT and len(took) == _RECENT
        span = now_s - self._recent[0][0] if is_cut else 60.0
        return {
            "total": self.total,
            "per_s": len(took) / max(span, 1e-3),
            "p50_ms": float(np.percentile(took, 50)) * 1e3 if took else None,
            "p95_ms": float(np.percentile(took, 95)) * 1e3 if took else None,
            "clients": self.open_sockets,
        }
