"""What operations read from: the archive, Redis, InfluxDB and what is live."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from infrastructure.clock import Clock
from system.algo_trader.api.live.live_ticks import LiveTicks
from system.algo_trader.api.operations.answer import Missing
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.quality.known_gaps import words_of
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.stream_gaps import StreamGaps


@dataclass(slots=True)
class Stores:
    """Hold the stores of one realm.

    Attributes:
        realm: Whose data.
        archive: The truth.
        redis: The client of Redis; it raises where Redis is away.
        influxdb: Returns the client of InfluxDB; raises where there is none.
        live: The ticks of this moment.
        clock: Tells the time.
        terms: How reports of chains are computed.
    """

    realm: Realm
    archive: Archive
    redis: AlgoTraderRedisClient
    influxdb: Callable[[], AlgoTraderInfluxDBClient]
    live: LiveTicks
    clock: Clock
    terms: ReportTerms = field(default_factory=ReportTerms)
    _gaps: StreamGaps | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stream_gaps(self) -> list[StreamGap]:
        """Return every recorded gap of the streams.

        Raises:
            CorruptStore: If a part of the archive is damaged.
        """
        with self._lock:
            if self._gaps is None:
                self._gaps = StreamGaps(self.archive)
            return self._gaps.all()

    def missing_updates(
        self, symbols: list[str], start_ns: int | None, end_ns: int | None
    ) -> list[Missing]:
        """Return the recorded gaps of streams that touch some symbols and a span of time.

        Args:
            symbols: The instruments.
            start_ns: The first instant, nanoseconds UTC; None for the beginning.
            end_ns: The instant before which it lies; None for the end.
        """
        wanted = set(symbols)
        return [
            Missing(gap.start_ns, gap.end_ns, "updates", gap.missing, words_of(gap))
            for gap in self.stream_gaps()
            if (start_ns is None or gap.end_ns > start_ns)
            and (end_ns is None or gap.start_ns < end_ns)
            and (not gap.symbols or wanted & set(gap.symbols))
        ]

    def version(self, dataset: str, symbols: list[str]) -> str:
        """Return what changes whenever the archive has something new of a dataset's symbols."""
        paths = [
            part.sha256[:12] for symbol in symbols for part in self.archive.parts(dataset, symbol)
        ]
        return f"{len(paths)}-{hash(tuple(paths)) & (2**64 - 1):x}"
