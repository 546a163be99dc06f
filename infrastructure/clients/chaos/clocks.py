"""The hour's time: a market that runs fast, and stands still once the hour is over."""

from __future__ import annotations

import threading
from typing import Final

from infrastructure.clock import Clock, SystemClock
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.sources import Publish, Source

NS_PER_S: Final = 1_000_000_000
_STANDSTILL_S: Final = 120.0


class PumpedClock:
    """Run many times as fast as the machine, but never further than what is streamed.

    A machine that is busy with other things makes the hour longer, not coarser: between two looks
    of the streamer at the market no more than a step passes.

    Args:
        speed: How many seconds pass in one of the machine's.
        step_s: The longest step.
    """

    def __init__(self, speed: float, step_s: float) -> None:
        self._clock = SystemClock()
        self._speed = speed
        self._step_ns = round(step_s * NS_PER_S)
        self._start_ns = self._clock.now_ns()
        self._seen_ns = self._clock.monotonic_ns()
        self._passed_ns = 0
        self._moved = threading.Condition()

    def pump(self) -> None:
        """Let the time pass that has passed for the machine, up to a step."""
        with self._moved:
            seen_ns = self._clock.monotonic_ns()
            passed_ns = round((seen_ns - self._seen_ns) * self._speed)
            self._seen_ns = seen_ns
            self._passed_ns += min(passed_ns, self._step_ns)
            self._moved.notify_all()

    def now_ns(self) -> int:
        """Return the time of day, nanoseconds UTC."""
        return self._start_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return the nanoseconds that have passed."""
        return self._passed_ns

    def sleep(self, seconds: float) -> None:
        """Wait until so many seconds have passed."""
        until_ns = self._passed_ns + round(seconds * NS_PER_S)
        with self._moved:
            if not self._moved.wait_for(lambda: self._passed_ns >= until_ns, _STANDSTILL_S):
                raise TimeoutError("the simulated streamer stands still")


class Pump:
    """Move a clock whenever the streamer looks at its sources.

    Args:
        clock: What is moved.
    """

    def __init__(self, clock: PumpedClock) -> None:
        self._clock = clock

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Know no key."""
        return False

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Move the clock for the next look."""
        self._clock.pump()


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
