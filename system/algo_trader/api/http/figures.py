"""What the service counts of its own work, for Prometheus and the status page."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_RECENT: Final = 4096
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Route:
    """Count one route's answers: its statuses, and how many took at most how long."""

    __slots__ = ("by_status", "in_bucket", "sum_s")

    def __init__(self) -> None:
        self.by_status: dict[int, int] = {}
        self.in_bucket = [0] * (len(_BUCKETS) + 1)
        self.sum_s = 0.0


class Figures(Collector):
    """Count requests and sockets. Used by one event loop only, but for `text`.

    Answers are counted in plain numbers: the locks of Prometheus's own counters cost each request
    a tenth of its time.

    Attributes:
        registry: Of Prometheus; others may add to it.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._sockets = Gauge(
            "algo_trader_api_sockets", "Open WebSockets.", ["route"], registry=self.registry
        )
        self._refused = Counter(
            "algo_trader_api_refused", "Requests that the gate refused.", ["reason"],
            registry=self.registry,
        )  # fmt: skip
        self._routes: dict[str, _Route] = {}
        self._recent: deque[tuple[float, float]] = deque(maxlen=_RECENT)
        self.total = 0
        self.open_sockets = 0
        self.registry.register(self)

    def answered(self, route: str, status: int, took_s: float, now_s: float) -> None:
        """Count a request.

        Args:
            route: The template of its path.
            status: Of HTTP.
            took_s: Seconds until its answer was handed over.
            now_s: The loop's time.
        """
        counts = self._routes.get(route)
        if counts is None:
            counts = self._routes[route] = _Route()
        counts.by_status[status] = counts.by_status.get(status, 0) + 1
        counts.in_bucket[bisect_left(_BUCKETS, took_s)] += 1
        counts.sum_s += took_s
        self._recent.append((now_s, took_s))
        self.total += 1

    def collect(self) -> Iterator[Metric]:
        """Yield how many answers of which route took how long."""
        requests = CounterMetricFamily(
            "algo_trader_api_requests", "Requests by route and status.", labels=("route", "status")
        )
        seconds = HistogramMetricFamily(
            "algo_trader_api_seconds", "Time to answer.", labels=("route",)
        )
        # The loop counts on while this is read: copies keep their size.
        for route, counts in dict(self._routes).items():
            for status, count in dict(counts.by_status).items():
                requests.add_metric((route, str(status)), count)
            at_most = accumulate(list(counts.in_bucket))
            bounds = (*(repr(bound) for bound in _BUCKETS), "+Inf")
            buckets = [(bound, float(n)) for bound, n in zip(bounds, at_most, strict=True)]
            seconds.add_metric((route,), buckets, counts.sum_s)
        yield requests
        yield seconds

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
