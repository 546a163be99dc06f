"""What every live feed can do, and what it tells its reader.

A feed is a stream, a file played back, a poller or a receiver of pushed messages: its reader sees
the same few events of all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa

from system.algo_trader.market.bars import Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import Ticks


class Channel(StrEnum):
    """Name a kind of live data."""

    TICKS = "ticks"
    BARS = "bars"
    BOOKS = "books"
    ACTIVITY = "activity"


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """State what a feed is.

    Attributes:
        source: The name under which its records are stored.
        licence: One sentence on what may be done with its data.
        clock: Whose clock stamps `ts_event`.
        sampled: Whether it shows changes from time to time, and is no full tape.
        is_synthetic: Whether its data was made up.
    """

    source: Source
    licence: str
    clock: str
    sampled: bool
    is_synthetic: bool


@dataclass(frozen=True, slots=True)
class Instrument:
    """Name an instrument as its feed streams it.

    Attributes:
        symbol: As it is stored.
        key: As the feed spells it.
        service: The feed's name of the stream that carries it.
        calendar: The name of its exchange's calendar.
    """

    symbol: str
    key: str
    service: str
    calendar: str


POLLED: Final = "_POLLED"
"""Follows the name of a service that has no room for a key, whose quotes are asked for instead."""


@dataclass(frozen=True, slots=True)
class TickEvent:
    """Carry the updates of one frame.

    Attributes:
        service: The feed's name of the stream.
        ticks: Its updates; symbols are positions in the list of `subscribe`.
        received_ns: When the frame reached us, nanoseconds UTC.
        is_polled: Whether they were asked for, since the stream has no room for their keys.
    """

    service: str
    ticks: Ticks
    received_ns: int
    is_polled: bool = False

    @property
    def label(self) -> str:
        """Return what to count and publish them under."""
        return f"{self.service}{POLLED}" if self.is_polled else self.service


@dataclass(frozen=True, slots=True)
class BarEvent:
    """Carry bars that the feed itself made, as a table of symbol, start, prices and volume."""

    service: str
    bars: pa.RecordBatch
    received_ns: int


@dataclass(frozen=True, slots=True)
class BookEvent:
    """Carry levels of order books, as rows of the table `books`."""

    service: str
    levels: pa.RecordBatch
    received_ns: int


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """Carry account activity, as the feed has it: it is personal and stored nowhere public."""

    service: str
    messages: tuple[Mapping[str, object], ...]
    received_ns: int


@dataclass(frozen=True, slots=True)
class GapEvent:
    """Tell of a stretch of a service of which updates are, or may be, missing.

    Attributes:
        service: Which.
        reason: Why.
        start_ns: When the last update before it came, nanoseconds UTC.
        end_ns: When the first one after it came.
        missing: How many updates, None where the feed does not count them.
    """

    service: str
    reason: str
    start_ns: int
    end_ns: int
    missing: int | None


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """Tell how the feed stands.

    Attributes:
        connected: Whether it delivers.
        at_ns: Since when, nanoseconds UTC; None where that does not matter.
        words: One sentence for a person.
        refused: Keys that the feed does not deliver, empty if the event is not about keys.
    """

    connected: bool
    at_ns: int | None
    words: str
    refused: tuple[str, ...] = ()


FeedEvent = TickEvent | BarEvent | BookEvent | ActivityEvent | GapEvent | StatusEvent


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """Count what a feed has seen since it began.

    Attributes:
        connected: Whether it delivers now.
        connections: How often it connected.
        updates: Updates received.
        bad_frames: Frames that could not be read.
        waiting: Updates that wait for the reader.
        conflated: Updates that newer ones took the place of, since the reader was slow.
        dropped: Updates that were dropped and reported as a gap.
        unseen: Volume traded while nobody listened, by symbol.
    """

    connected: bool
    connections: int
    updates: int
    bad_frames: int
    waiting: int
    conflated: int
    dropped: int
    unseen: Mapping[str, int]


class LiveFeed(Protocol):
    """Deliver live data."""

    @property
    def facts(self) -> FeedFacts:
        """Return what the feed is."""

    def resolve(self, symbols: Sequence[str]) -> list[Instrument]:
        """Return the instruments of symbols; roots of futures become the contract to trade.

        Raises:
            UsageError: If one cannot be a symbol of this feed.
        """

    async def subscribe(
        self, instruments: Sequence[Instrument], channels: Sequence[Channel]
    ) -> list[str]:
        """Ask for instruments; positions in this list name them in events.

        Returns:
            One sentence for each key that the feed will not deliver.
        """

    def events(self) -> AsyncIterator[FeedEvent]:
        """Yield what comes, until `stop`."""

    async def run(self) -> None:
        """Keep the feed alive until `stop`.

        Raises:
            StackError: If it cannot go on, and trying again would not help.
        """

    async def stop(self) -> None:
        """End the feed; what was received is still delivered."""

    def backfill_series(self, instrument: Instrument) -> Series | None:
        """Return the series of minute bars that can be fetched afterwards, None without one."""

    def health(self) -> FeedHealth:
        """Return the counts so far."""
