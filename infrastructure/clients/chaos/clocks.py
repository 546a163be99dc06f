"""The hour's time: a market that runs fast, and stands still once the hour is over."""

from __future__ import annotations

from typing import Final

from infrastructure.clock import Clock
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.sources import Publish, Source

NS_PER_S: Final = 1_000_000_000


class MarketClock:
    """Tell the replayed market's time of day, and wait in it.

    Args:
        market: Whose time.
        clock: What moves it.
    """

    def __init__(self, market: ReplayMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def now_ns(self) -> int:
        """Return the market's time, nanoseconds UTC."""
        return self._market.now_ns

    def monotonic_ns(self) -> int:
        """Return the nanoseconds that have passed in it."""
        return self._clock.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Wait for seconds of the market."""
        self._clock.sleep(seconds)


class EndingSource:
    """Pass a source's updates on until a moment; then its market stands still.

    Args:
        source: Whose updates.
        end_ns: The moment, nanoseconds UTC.
    """

    def __init__(self, source: Source, end_ns: int) -> None:
        self._source = source
        self._end_ns = end_ns

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a key's state; False for a key that the source does not know."""
        return self._source.open(service, key, min(now_ns, self._end_ns), publish)

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish what has happened up to now or to the end."""
        self._source.advance(min(now_ns, self._end_ns), publish)
