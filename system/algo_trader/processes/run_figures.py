"""A live run's figures for Prometheus, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from system.algo_trader.feeds.live import FeedHealth
from system.algo_trader.pipeline.counts import LiveCounts
from system.algo_trader.pipeline.latency import Latencies

PREFIX: Final = "algo_trader_stream"
_FIRST_POWER: Final = 8
_LAST_POWER: Final = 24
"""Bounds of the histograms: 2^8 to 2^24 microseconds, a quarter of a millisecond to 17 s."""


class Run(Protocol):
    """Tell what a run has done: the part of `LiveRun` that is needed."""

    counts: LiveCounts
    waiting: tuple[int, int]

    @property
    def health(self) -> FeedHealth:
        """Return how the feed is."""

    def token_age_s(self) -> float | None:
        """Return the age of the sign-in, seconds; None where there is none."""

    def gap_states(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many recorded gaps are in which state, by service."""


class RunFigures(Collector):
    """Turn the counts of a run into families of metrics.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def collect(self) -> Iterable[Metric]:
        """Yield the figures of this moment."""
        counts, health = self._run.counts, self._run.health
        yield _counter("received", "Updates of level one that came in.", counts.received, "service")
        yield _counter("accepted", "Updates that passed the checks.", counts.accepted, "service")
        yield _counter("rejected", "Updates that a check refused.", counts.rejected, "rule")
        yield _counter("published", "Updates that are in Redis.", counts.published)
        yield _counter("stored", "Trades and quotes that are in the archive.", counts.stored)
        yield _counter("bars", "Bars given out.", counts.bars, "timeframe")
        yield _counter("chart_bars", "Bars that the feed streamed.", counts.chart_bars)
        yield _counter("late_trades", "Trades after their minute was given out.", counts.late)
        yield _counter("book_levels", "Levels of order books.", counts.books)
        yield _counter("activity", "Messages of account activity.", counts.activity)
        yield _counter("gaps", "Stretches of which updates are missing.", counts.gaps, "service")
        yield _counter(
            "silences", "Silences longer than usual, which prove nothing.", counts.suspected,
            "service",
        )  # fmt: skip
        yield _counter("reconnects", "Connections after the first.", counts.reconnects)
        yield _counter("bad_frames", "Frames that could not be read.", health.bad_frames)
        yield _counter("conflated", "Updates that newer ones took the place of.", health.conflated)
        yield _counter("dropped", "Updates that were dropped.", health.dropped)
        yield _counter("write_errors", "Writes that InfluxDB missed.", counts.write_errors)
        yield _counter("held_back", "Waits because a queue was full.", counts.held_back)
        yield _gauge("unknown_keys", "Keys that the feed refused.", len(counts.unknown))
        yield _gauge("connected", "Whether the feed is connected.", int(health.connected))
        queues = dict(zip(("to_redis", "to_archive"), self._run.waiting, strict=True))
        yield _gauge("queue_depth", "What waits.", queues | {"from_feed": health.waiting}, "queue")
        age = self._run.token_age_s()
        if age is not None:
            yield _gauge("token_age_seconds", "Age of the sign-in.", age)
        yield self._states()
        yield _histogram("lag_seconds", "From the exchange's clock to ours.", counts.lag)
        yield _histogram("to_redis_seconds", "From the socket to Redis.", counts.to_redis)

    def _states(self) -> Metric:
        family = GaugeMetricFamily(
            f"{PREFIX}_recorded_gaps", "Recorded gaps by state.", labels=("service", "state")
        )
        for service, states in self._run.gap_states().items():
            for state, count in states.items():
                family.add_metric((service, state), count)
        return family


def _counter(name: str, what: str, value: Any, label: str | None = None) -> Metric:
    return _filled(CounterMetricFamily, name, what, value, label)


def _gauge(name: str, what: str, value: Any, label: str | None = None) -> Metric:
    return _filled(GaugeMetricFamily, name, what, value, label)


def _filled(kind: Any, name: str, what: str, value: Any, label: str | None) -> Metric:
    if label is None:
        single: Metric = kind(f"{PREFIX}_{name}", what, value=value)
        return single
    family = kind(f"{PREFIX}_{name}", what, labels=(label,))
    # Another thread counts on: a copy keeps its size.
    for key, number in dict(value).items():
        family.add_metric((str(key),), number)
    labelled: Metric = family
    return labelled


def _histogram(name: str, what: str, latencies: Latencies) -> Metric:
    buckets = [
        (repr(2**power / 1e6), float(latencies.at_most(2**power * 1_000)))
        for power in range(_FIRST_POWER, _LAST_POWER + 1)
    ]
    buckets.append(("+Inf", float(len(latencies))))
    return HistogramMetricFamily(
        f"{PREFIX}_{name}", what, buckets=buckets, sum_value=latencies.sum_ns / 1e9
    )
