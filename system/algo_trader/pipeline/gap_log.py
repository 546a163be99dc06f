"""What a live run knows to be missing, by service."""

from __future__ import annotations

from collections.abc import Iterator

from system.algo_trader.feeds.live import GapEvent


class GapLog:
    """Keep every gap of a run; a lost tick stays lost, whatever is backfilled."""

    def __init__(self) -> None:
        self._gaps: list[GapEvent] = []

    def __iter__(self) -> Iterator[GapEvent]:
        return iter(self._gaps)

    def __len__(self) -> int:
        return len(self._gaps)

    def add(self, gap: GapEvent) -> None:
        """Record a gap."""
        self._gaps.append(gap)

    def missing(self, service: str) -> int:
        """Return how many updates of a service are known to be missing, where they are counted."""
        return sum(gap.missing or 0 for gap in self._gaps if gap.service == service)

    def seconds(self, service: str) -> float:
        """Return the length of a service's gaps, seconds; overlapping ones count once."""
        spans = sorted((gap.start_ns, gap.end_ns) for gap in self._gaps if gap.service == service)
        total, reached = 0, 0
        for start, end in spans:
            total += max(end - max(start, reached), 0)
            reached = max(reached, end)
        return total / 1e9

    def touching(self, start_ns: int, end_ns: int, service: str) -> bool:
        """Say whether a service missed something in [start_ns, end_ns)."""
        return any(
            gap.start_ns < end_ns and gap.end_ns > start_ns
            for gap in self._gaps
            if gap.service == service
        )
