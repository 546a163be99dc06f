"""Schwab's streamer, or its simulator's, as a live feed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Final

from infrastructure.schwab.streamer.continuity import Gap
from infrastructure.schwab.streamer.events import (
    Connected,
    Disconnected,
    Polled,
    Refused,
    StreamEvent,
)
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.state import Batch
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from system.algo_trader.feeds.live import (
    ActivityEvent,
    BarEvent,
    BookEvent,
    Channel,
    FeedEvent,
    FeedFacts,
    FeedHealth,
    GapEvent,
    Instrument,
    StatusEvent,
    TickEvent,
)
from system.algo_trader.feeds.schwab_frames import book_levels, chart_bars
from system.algo_trader.feeds.schwab_instruments import (
    book_services,
    chart_service,
    stream_instruments,
)
from system.algo_trader.feeds.schwab_level_one import LevelOneReader
from system.algo_trader.market.bars import Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe

_CHARTS: Final = (Service.CHART_EQUITY, Service.CHART_FUTURES)
_BOOKS: Final = (Service.NYSE_BOOK, Service.NASDAQ_BOOK, Service.OPTIONS_BOOK)
ACTIVITY_KEY: Final = "Account Activity"

LICENCE: Final = "Schwab's market data is for your own use: it may not be passed on."
SIMULATED: Final = "Simulated data of the local Schwab: nobody traded it."


class SchwabStreamFeed:
    """Deliver what Schwab streams.

    Args:
        streamer: The connection, not yet running.
        source: Schwab or its simulator.
        today: Decides which contract the root of a future means.
    """

    def __init__(self, streamer: SchwabStreamer, source: Source, today: date) -> None:
        self._streamer = streamer
        self._today = today
        self._symbols: dict[str, str] = {}
        self._names: list[str] = []
        self._readers: dict[Service, LevelOneReader] = {}
        self._excess: dict[Service, set[str]] = {}
        self._updates = 0
        self.facts = FeedFacts(
            source=source,
            licence=SIMULATED if source.is_simulated else LICENCE,
            clock="exchange, milliseconds",
            sampled=True,
            is_synthetic=source.is_simulated,
        )

    def resolve(self, symbols: Sequence[str]) -> list[Instrument]:
        """Return the instruments of symbols; errors as `stream_instruments`."""
        return stream_instruments(symbols, self._today)

    async def subscribe(
        self, instruments: Sequence[Instrument], channels: Sequence[Channel]
    ) -> list[str]:
        """Ask for instruments on some channels; positions name them in events."""
        positions = {each.key: place for place, each in enumerate(instruments)}
        self._symbols = {each.key: each.symbol for each in instruments}
        self._names = [each.symbol for each in instruments]
        wanted: dict[Service, list[str]] = {}
        for each in instruments:
            for service in services_of(each, channels):
                wanted.setdefault(service, []).append(each.key)
        if Channel.ACTIVITY in channels:
            wanted[Service.ACCT_ACTIVITY] = [ACTIVITY_KEY]
        complaints = []
        for service, keys in wanted.items():
            if service.value.startswith("LEVELONE"):
                reader = LevelOneReader(SPECS[service], positions)
                # Loads its compiled loop, before anything waits for it.
                reader.read((), timestamp_ms=0, received_ns=0, order=0)
                self._readers[service] = reader
            change = await self._streamer.subscribe(service, keys)
            complaints += self._complaints(service, change.excess)
        return complaints

    def _complaints(self, service: Service, excess: Sequence[str]) -> list[str]:
        """Return what is said of keys that a service has no room for, in one sentence."""
        if not excess:
            return []
        self._excess[service] = set(excess)
        fate = "are not streamed"
        if set(self._streamer.polled_keys(service)) >= set(excess):
            fate = "are asked for by REST instead"
        elif service in _CHARTS:
            fate = "are not streamed; their bars are built from ticks"
        limit, some = SPECS[service].key_limit, ", ".join(excess[:3])
        return [f"{len(excess)} keys past the {limit} of {service} {fate}, such as {some}"]

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Yield what comes, until the stream ends."""
        while (event := await self._streamer.events.get()) is not None:
            told = self._read(event)
            if told is not None:
                yield told

    async def run(self) -> None:
        """Keep the connection until `stop`."""
        await self._streamer.run()

    async def stop(self) -> None:
        """End the connection."""
        await self._streamer.stop()

    def backfill_series(self, instrument: Instrument) -> Series | None:
        """Return the minute bars of price history, which knows stocks and indices only."""
        if instrument.service != Service.LEVELONE_EQUITIES:
            return None
        return Series(
            instrument.symbol, Timeframe.M1, Session.RTH, Adjustment.SPLIT, self.facts.source
        )

    def health(self) -> FeedHealth:
        """Return the counts so far."""
        counts, queue = self._streamer.counts, self._streamer.events
        unseen: dict[str, int] = {}
        for reader in self._readers.values():
            unseen |= {self._names[place]: volume for place, volume in reader.unseen.items()}
        return FeedHealth(
            connected=self._streamer.is_connected,
            connections=counts.connections,
            updates=counts.updates,
            bad_frames=counts.bad_frames,
            waiting=len(queue),
            conflated=queue.conflated,
            dropped=queue.dropped,
            unseen=unseen,
        )

    def _read(self, event: StreamEvent) -> FeedEvent | None:
        if isinstance(event, Batch):
            return self._read_batch(event)
        if isinstance(event, Gap):
            reason = str(event.reason)
            return GapEvent(event.service, reason, event.start_ns, event.end_ns, event.missing)
        if isinstance(event, Connected):
            words = f"connected to {event.server}, connection {event.attempt}"
            return StatusEvent(True, event.at_ns, words)
        if isinstance(event, Disconnected):
            for reader in self._readers.values():
                reader.disconnected()
            return StatusEvent(False, event.at_ns, f"disconnected: {event.reason}")
        if isinstance(event, Polled):
            return self._read_polled(event)
        return self._refused(event) if isinstance(event, Refused) else None

    def _read_polled(self, polled: Polled) -> FeedEvent | None:
        reader = self._readers.get(polled.service)
        if reader is None:
            return None
        first, self._updates = self._updates, self._updates + len(polled.records)
        ticks = reader.read_named(polled.records, received_ns=polled.received_ns, order=first)
        return TickEvent(polled.service, ticks, polled.received_ns, is_polled=True)

    def _refused(self, event: Refused) -> StatusEvent | None:
        if event.keys and self._excess.get(event.service, set()) >= set(event.keys):
            # `subscribe` has said so; what comes of them later is news again.
            self._excess[event.service] -= set(event.keys)
            return None
        words = f"{event.service} refuses {len(event.keys)} keys: {event.message}"
        return StatusEvent(self._streamer.is_connected, None, words, event.keys)

    def _read_batch(self, batch: Batch) -> FeedEvent | None:
        service, at = batch.spec.service, batch.received_ns
        reader = self._readers.get(service)
        if reader is not None:
            first, self._updates = self._updates, self._updates + len(batch)
            ticks = reader.read_columns(
                batch.columns(reader.numbers),
                timestamp_ms=batch.timestamp_ms,
                received_ns=at,
                order=first,
            )
            return TickEvent(service, ticks, at)
        if service in _CHARTS:
            return BarEvent(service, chart_bars(batch.spec, batch.updates, self._symbols), at)
        if service in _BOOKS:
            levels = book_levels(batch.spec, batch.updates, self._symbols, at)
            return BookEvent(service, levels, at)
        if service is Service.ACCT_ACTIVITY:
            return ActivityEvent(service, tuple(batch.named()), at)
        return None


def services_of(instrument: Instrument, channels: Sequence[Channel]) -> list[Service]:
    """Return the services that carry an instrument on some channels."""
    found = []
    if Channel.TICKS in channels:
        found.append(Service(instrument.service))
    chart = chart_service(instrument)
    if Channel.BARS in channels and chart is not None:
        found.append(chart)
    if Channel.BOOKS in channels:
        found += book_services(instrument)
    return found
