"""The figures of a live run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from system.algo_trader.pipeline.latency import Latencies


@dataclass(slots=True)
class LiveCounts:
    """Count what a live run has done. The unit is (service, key, update).

    Attributes:
        received: Updates of level one by service.
        accepted: Updates that passed the checks, by service.
        rejected: Updates that did not, by rule.
        published: Updates that are in Redis.
        stored: Updates whose trade or quote is in the archive.
        bars: Bars given out, by timeframe.
        late: Trades that changed a bar which had been given out.
        beyond: Trades too late for the bars that are held.
        outside: Trades outside of every session.
        chart_bars: Bars that the feed streamed.
        books: Levels of books.
        activity: Messages of account activity.
        gaps: Gaps by service.
        suspected: Silences longer than usual by service, which prove nothing.
        reconnects: Connections after the first.
        unknown: Keys that the feed refused.
        write_errors: Writes that InfluxDB has refused or missed.
        held_back: How often the reader waited because a queue was full.
        lag: From the exchange's time to ours.
        to_redis: From the socket to Redis.
    """

    received: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    published: int = 0
    stored: int = 0
    bars: Counter[str] = field(default_factory=Counter)
    late: int = 0
    beyond: int = 0
    outside: int = 0
    chart_bars: int = 0
    books: int = 0
    activity: int = 0
    gaps: Counter[str] = field(default_factory=Counter)
    suspected: Counter[str] = field(default_factory=Counter)
    reconnects: int = 0
    unknown: set[str] = field(default_factory=set)
    write_errors: int = 0
    held_back: int = 0
    lag: Latencies = field(default_factory=Latencies)
    to_redis: Latencies = field(default_factory=Latencies)
