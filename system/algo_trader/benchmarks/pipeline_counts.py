"""What a run of `bench pipeline` is asked for, and what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from system.algo_trader.benchmarks.pipeline_source import FRAME_S
from system.algo_trader.storage.hot_keys import TICKS


@dataclass(frozen=True, slots=True)
class Plan:
    """Say what is carried.

    Attributes:
        symbols: How many symbols, half of each service.
        rate: Updates a second.
        seconds: How long.
        bursts: Twentyfold bursts of a quieter stream afterwards, two seconds each.
        ladder: Rates that are tried after that, each for some seconds, until one is not carried.
        commit_s: How often the archive is written.
    """

    symbols: int = 1_000
    rate: int = 10_000
    seconds: float = 60.0
    bursts: int = 0
    ladder: tuple[int, ...] = ()
    commit_s: float = 60.0

    @property
    def outlasts_the_stream(self) -> bool:
        """Return whether Redis forgets the first frames before the last ones come."""
        assert TICKS.max_length is not None
        return 2 * self.seconds / FRAME_S > 0.5 * TICKS.max_length


@dataclass(frozen=True, slots=True)
class Rung:
    """Say how a rate was carried.

    Attributes:
        asked: Updates a second that the source was asked for.
        sent: Updates a second that it sent.
        received: Updates a second that arrived.
        waiting: Updates that waited in queues at its end.
        p99_ms: From socket to Redis.
        cores: What each process used.
    """

    asked: int
    sent: float
    received: float
    waiting: int
    p99_ms: float
    cores: Mapping[str, float]

    @property
    def is_carried(self) -> bool:
        """Return whether all that was sent arrived while the next was sent."""
        return self.received >= 0.98 * self.sent and self.waiting < 0.1 * self.sent

    @property
    def broke(self) -> str:
        """Return what gave in first, empty while nothing did."""
        if self.is_carried and self.sent >= 0.9 * self.asked:
            return ""
        name, used = max(self.cores.items(), key=lambda each: each[1])
        return f"the {name}, at {100 * used:.0f} % of a core"


@dataclass(frozen=True, slots=True)
class Counted:
    """Say where how many updates were.

    Attributes:
        sent: Updates that the source sent.
        received: Updates that the pipeline received.
        accepted: Updates that passed its checks.
        in_redis: Rows of frames in the stream.
        rows: Trades and quotes that the accepted updates show.
        archived: Trades and quotes in the archive.
        in_influxdb: Trades and quotes in InfluxDB.
        carried: Updates a second at the steady rate.
        p50_ms: From socket to Redis at the steady rate.
        p99_ms: Likewise.
        rss_growth: Share by which the most memory of run and store together in the last third of
            the steady time passes that of the second third; each has a commit at least.
        gaps: Gaps that the stream reported.
        conflated: Updates that newer ones took the place of, because the run was slow.
        bursts: Updates a second in each burst.
        burst_p99_ms: From socket to Redis within bursts; None without any.
        rungs: Of the ladder.
    """

    sent: int
    received: int
    accepted: int
    in_redis: int
    rows: int
    archived: int
    in_influxdb: int
    carried: float
    p50_ms: float
    p99_ms: float
    rss_growth: float
    gaps: int
    conflated: int
    bursts: tuple[float, ...]
    burst_p99_ms: float | None
    rungs: tuple[Rung, ...]

    @property
    def lost(self) -> int:
        """Return how many updates or rows are missing somewhere."""
        return (
            abs(self.sent - self.received)
            + abs(self.accepted - self.in_redis)
            + abs(self.rows - self.archived)
            + abs(self.rows - self.in_influxdb)
            + self.conflated
        )
