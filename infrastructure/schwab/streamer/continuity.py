"""What a stream missed: silences between connections, and holes in sequences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from infrastructure.schwab.streamer.services import Delivery, Service, ServiceSpec
from infrastructure.schwab.streamer.state import Update


class GapReason(StrEnum):
    """Why something is missing."""

    DISCONNECTED = "disconnected"
    UNREADABLE = "unreadable"
    SEQUENCE = "sequence"
    OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a service of which updates are, or may be, missing.

    Attributes:
        service: Which.
        reason: Why.
        start_ns: When the last update before it was received, nanoseconds UTC.
        end_ns: When the first one after it was received, nanoseconds UTC.
        missing: How many updates are missing, None where the source does not count them.
    """

    service: Service
    reason: GapReason
    start_ns: int
    end_ns: int
    missing: int | None = None

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(slots=True)
class Continuity:
    """Watch one service of a stream over its connections.

    Attributes:
        spec: The service.
        last_received_ns: When its last update came, None before the first.
        duplicates: Sequenced updates that came a second time and were not applied.
    """

    spec: ServiceSpec
    last_received_ns: int | None = None
    duplicates: int = 0
    _last_seq: int | None = field(default=None, repr=False)
    _lost: tuple[int, GapReason] | None = field(default=None, repr=False)

    def connection_lost(self, now_ns: int) -> None:
        """Note that from the last update on, nothing is sure."""
        self._last_seq = None
        self._lose(now_ns, GapReason.DISCONNECTED)

    def frame_lost(self, now_ns: int) -> None:
        """Note an unreadable frame, perhaps of this service; a sequence shows its holes itself."""
        if self.spec.delivery is not Delivery.SEQUENCE:
            self._lose(now_ns, GapReason.UNREADABLE)

    def take(self, updates: list[Update], now_ns: int) -> tuple[list[Update], list[Gap]]:
        """Return the updates to apply, and the gaps that end with them.

        Args:
            updates: As they came, in their order.
            now_ns: When they came, nanoseconds UTC.
        """
        before_ns = self.last_received_ns
        gaps = self.heard(now_ns)
        if self.spec.delivery is Delivery.SEQUENCE:
            updates = list(self._in_sequence(updates, gaps, before_ns or now_ns, now_ns))
        return updates, gaps

    def heard(self, now_ns: int) -> list[Gap]:
        """Note that updates came, whose sequence does not matter; return the gap that ends.

        Args:
            now_ns: When they came, nanoseconds UTC.
        """
        self.last_received_ns = now_ns
        if self._lost is None:
            return []
        start_ns, reason = self._lost
        self._lost = None
        return [Gap(self.spec.service, reason, start_ns, now_ns)]

    def _lose(self, now_ns: int, reason: GapReason) -> None:
        if self._lost is None:
            self._lost = (self.last_received_ns or now_ns, reason)

    def _in_sequence(
        self, updates: list[Update], gaps: list[Gap], before_ns: int, now_ns: int
    ) -> Iterable[Update]:
        for update in updates:
            seq = update.get("seq")
            if not isinstance(seq, int):
                yield update
                continue
            last = self._last_seq
            if last is not None and seq <= last:
                self.duplicates += 1
                continue
            if last is not None and seq > last + 1:
                missing = seq - last - 1
                gaps.append(Gap(self.spec.service, GapReason.SEQUENCE, before_ns, now_ns, missing))
            self._last_seq = seq
            yield update
