"""Play a tape back as a live feed, at the speed of its time, faster, or as fast as it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from infrastructure.clock import Clock
from infrastructure.exchange.calendars import date_of
from system.algo_trader.feeds.live import (
    Channel,
    FeedEvent,
    FeedFacts,
    FeedHealth,
    Instrument,
    StatusEvent,
    TickEvent,
)
from system.algo_trader.feeds.schwab_instruments import stream_instruments
from system.algo_trader.market.bars import Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import Ticks

SERVICE: Final = "replay"
ROWS_A_FRAME: Final = 512
LICENCE: Final = "Played back: the licence of whoever recorded it holds."
_FRAME_S: Final = 0.02


class ReplayClock:
    """Tell the time up to which a tape has been played, and measure and wait by the machine.

    Args:
        now_ns: When the tape begins, nanoseconds UTC.
        machine: Measures and waits.
    """

    def __init__(self, now_ns: int, machine: Clock) -> None:
        self._now_ns = now_ns
        self._machine = machine

    def now_ns(self) -> int:
        """Return the tape's time, nanoseconds UTC."""
        return self._now_ns

    def advance(self, now_ns: int) -> None:
        """Go on to an instant; never back."""
        self._now_ns = max(self._now_ns, now_ns)

    def monotonic_ns(self) -> int:
        """Return the machine's nanoseconds, which never run backwards."""
        return self._machine.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Wait for seconds of the machine."""
        self._machine.sleep(seconds)


class ReplayFeed:
    """Deliver a tape.

    Args:
        ticks: The tape; symbols are positions in what `resolve` returns.
        source: `Source.REPLAY`, or `REPLAY_SIM` for what was made up.
        clock: Is advanced as the tape is played; the run's own clock.
        speed: How many times as fast as it happened; None for as fast as it is taken.

    Attributes:
        over: Set once all of it has been taken.
    """

    def __init__(
        self, ticks: Ticks, source: Source, clock: ReplayClock, speed: float | None
    ) -> None:
        self._ticks = ticks
        self._clock = clock
        self._speed = speed
        self._stopped = asyncio.Event()
        self._asked = asyncio.Event()
        self._played = 0
        self.over = asyncio.Event()
        self.facts = FeedFacts(
            source=source,
            licence=LICENCE,
            clock="as recorded",
            sampled=False,
            is_synthetic=source.is_simulated,
        )

    def resolve(self, symbols: Sequence[str]) -> list[Instrument]:
        """Return the instruments of symbols on the first day of the tape."""
        return replay_instruments(symbols, date_of(self._clock.now_ns()))

    async def subscribe(
        self, instruments: Sequence[Instrument], channels: Sequence[Channel]
    ) -> list[str]:
        """Let the tape run; a tape has ticks only."""
        self._asked.set()
        return [
            f"{channel} are not played back: the tape holds trades and quotes"
            for channel in channels
            if channel is not Channel.TICKS
        ]

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Yield the tape's frames when they are due, until its end or `stop`."""
        await self._asked.wait()
        yield StatusEvent(True, self._clock.now_ns(), f"plays back {len(self._ticks):,} updates")
        began_ns, first_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        # A row is due when it was received, and never before the row ahead of it.
        due = np.maximum.accumulate(self._ticks.ts_recv)
        while self._played < len(due) and not self._stopped.is_set():
            limit = min(self._played + ROWS_A_FRAME, len(due))
            if self._speed is not None:
                passed_ns = (self._clock.monotonic_ns() - began_ns) * self._speed
                reached_ns = first_ns + int(passed_ns)
                limit = min(limit, int(np.searchsorted(due, reached_ns, side="right")))
            if limit == self._played:
                # The tape's time goes on in silence too: bars end without a trade.
                self._clock.advance(reached_ns)
                wait_s = (int(due[limit]) - reached_ns) / 1e9 / (self._speed or 1.0)
                await self._wait(min(max(wait_s, 0.001), _FRAME_S))
                continue
            frame = self._ticks.take(np.arange(self._played, limit))
            yield TickEvent(SERVICE, frame, int(due[limit - 1]))
            # Only now, since bars may not end before their trades have been taken.
            self._clock.advance(int(due[limit - 1]))
            self._played = limit
            await asyncio.sleep(0)
        self.over.set()

    async def run(self) -> None:
        """Wait for `stop`."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """End the tape where it is."""
        self._stopped.set()
        self._asked.set()

    def backfill_series(self, instrument: Instrument) -> Series | None:
        """Return None: what the tape lacks, it lacks."""
        return None

    def health(self) -> FeedHealth:
        """Return the counts so far."""
        return FeedHealth(
            connected=self._asked.is_set() and not self.over.is_set(),
            connections=int(self._asked.is_set()),
            updates=self._played,
            bad_frames=0,
            waiting=len(self._ticks) - self._played,
            conflated=0,
            dropped=0,
            unseen={},
        )

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return


def replay_instruments(symbols: Sequence[str], day: date) -> list[Instrument]:
    """Return the instruments of a tape; errors as `stream_instruments`.

    Args:
        symbols: As a person writes them.
        day: Decides which contract the root of a future means.
    """
    return [replace(each, service=SERVICE) for each in stream_instruments(symbols, day)]
