"""The figures of a job that goes round, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from system.algo_trader.processes.health import Pulse


class PulseFigures(Collector):
    """Tell how often a job has gone round, and when last.

    Args:
        pulse: Of the job.
    """

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def collect(self) -> Iterable[Metric]:
        """Yield the figures of this moment."""
        rounds, silent = self._pulse.rounds, self._pulse.silent_s
        yield CounterMetricFamily("algo_trader_job_rounds", "Rounds that were done.", value=rounds)
        yield GaugeMetricFamily(
            "algo_trader_job_silent_seconds", "Time since the last round.", value=silent
        )
