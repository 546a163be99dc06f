"""The bounded queue between the stream and its reader: a slow reader gets the newest."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

from infrastructure.schwab.streamer.continuity import Gap, GapReason
from infrastructure.schwab.streamer.events import Polled, StreamEvent
from infrastructure.schwab.streamer.services import Delivery, Service, ServiceSpec
from infrastructure.schwab.streamer.state import Batch, Update

DEFAULT_LIMIT = 50_000
SEQUENCE_FACTOR = 4
"""Sequenced updates may pass the limit by so much, since they cannot be conflated."""


@dataclass(slots=True)
class _Conflated:
    """The newest of each key of one service that the reader has not taken yet."""

    spec: ServiceSpec
    timestamp_ms: int = 0
    received_ns: int = 0
    count: int = 0
    updates: dict[str, Update] = field(default_factory=dict)

    def take(self, batch: Batch) -> int:
        """Merge a batch in and return how many updates it displaced."""
        displaced = 0
        for update in batch.updates:
            key = update["key"]
            known = self.updates.get(key)
            if known is None:
                self.updates[key] = update.copy()
                continue
            displaced += 1
            if self.spec.delivery is Delivery.CHANGE:
                known.update(update)
            else:
                self.updates[key] = update
        self.timestamp_ms, self.received_ns = batch.timestamp_ms, batch.received_ns
        self.count += displaced
        return displaced

    def batch(self) -> Batch:
        return Batch(
            self.spec, self.timestamp_ms, self.received_ns, tuple(self.updates.values()), self.count
        )


class EventQueue:
    """Hand events over in their order, within a bound.

    Past the bound, updates of a change or whole service are conflated by key: the newest value of
    every field arrives, what was between does not, and both are counted. Sequenced updates are
    kept up to a larger bound; past it they are dropped and reported as a gap. Of what was polled
    the newest of each key waits.

    Args:
        limit: Updates that may wait.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._events: deque[StreamEvent] = deque()
        self._waiting = 0
        self._conflated: dict[Service, _Conflated] = {}
        self._overflow: dict[Service, Gap] = {}
        self._polled: dict[Service, Polled] = {}
        self._ready = asyncio.Event()
        self._closed = False
        self.conflated = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Return the updates that wait."""
        return self._waiting + sum(len(one.updates) for one in self._conflated.values())

    def put(self, event: StreamEvent) -> None:
        """Append an event; called in the event loop."""
        if isinstance(event, Batch):
            self._put_batch(event)
        elif isinstance(event, Polled):
            self._put_polled(event)
        else:
            self._events.append(event)
        self._ready.set()

    def close(self) -> None:
        """End the iteration once what waits has been read."""
        self._closed = True
        self._ready.set()

    def reopen(self) -> None:
        """Take events again after an end."""
        self._closed = False

    async def get(self) -> StreamEvent | None:
        """Return the next event, None after the end."""
        while True:
            event = self._next()
            if event is not None:
                return event
            if self._closed:
                return None
            self._ready.clear()
            await self._ready.wait()

    async def get_many(self) -> list[StreamEvent]:
        """Return every event that waits, at least one and in their order; none after the end.

        One wake-up serves them all: for readers of many small frames.
        """
        first = await self.get()
        if first is None:
            return []
        taken = [first, *self._events]
        self._events.clear()
        self._waiting = 0
        while (event := self._next()) is not None:
            taken.append(event)
        return taken

    def _next(self) -> StreamEvent | None:
        if self._events:
            event = self._events.popleft()
            if isinstance(event, Batch):
                self._waiting -= len(event)
            return event
        if self._overflow:
            return self._overflow.pop(next(iter(self._overflow)))
        if self._polled:
            return self._polled.pop(next(iter(self._polled)))
        if self._conflated:
            return self._conflated.pop(next(iter(self._conflated))).batch()
        return None

    def _put_batch(self, batch: Batch) -> None:
        service = batch.spec.service
        if batch.spec.delivery is Delivery.SEQUENCE:
            if service in self._overflow or self._waiting > self._limit * SEQUENCE_FACTOR:
                self._drop(batch)
                return
        elif service in self._conflated or self._waiting + len(batch) > self._limit:
            held = self._conflated.setdefault(service, _Conflated(batch.spec))
            self.conflated += held.take(batch)
            return
        self._events.append(batch)
        self._waiting += len(batch)

    def _put_polled(self, polled: Polled) -> None:
        """Keep the newest of each key; rounds that nobody has read do not pile up."""
        waiting = self._polled.get(polled.service)
        if waiting is not None:
            self.conflated += len(waiting.records.keys() & polled.records.keys())
            polled = replace(polled, records={**waiting.records, **polled.records})
        self._polled[polled.service] = polled

    def _drop(self, batch: Batch) -> None:
        service = batch.spec.service
        self.dropped += len(batch)
        earlier = self._overflow.get(service)
        start_ns = batch.received_ns if earlier is None else earlier.start_ns
        missing = len(batch) + (0 if earlier is None else earlier.missing or 0)
        self._overflow[service] = Gap(
            service, GapReason.OVERFLOW, start_ns, batch.received_ns, missing
        )
