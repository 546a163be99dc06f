"""Know since when a run has no connection, and what of that is a gap."""

from __future__ import annotations

from typing import Final

from system.algo_trader.feeds.live import GapEvent

STOPPED_WITHOUT: Final = "stopped without a connection"
CONNECTED_LATE: Final = "connected late"


class Presence:
    """Note what is heard of a feed's connection.

    A feed that tells of no connection and brings data has one.

    Args:
        begun_ns: When the run began, by the market's time, nanoseconds UTC.
        patience_ns: How long the first connection may take before the time without it is a gap.
    """

    def __init__(self, begun_ns: int, patience_ns: int) -> None:
        self._begun_ns = begun_ns
        self._patience_ns = patience_ns
        self._was_there = False
        self._cut_ns: int | None = None
        self._heard_ns: int | None = None

    def heard(self, at_ns: int) -> None:
        """Note that data came."""
        self._was_there = True
        self._heard_ns = at_ns

    def connected(self, services: list[str], at_ns: int) -> list[GapEvent]:
        """Note a connection; return the gap of each service if the first one came late."""
        is_late = not self._was_there and at_ns - self._begun_ns > self._patience_ns
        self._was_there, self._cut_ns = True, None
        if not is_late:
            return []
        return [GapEvent(each, CONNECTED_LATE, self._begun_ns, at_ns, None) for each in services]

    def cut(self, at_ns: int) -> None:
        """Note that the connection has ended."""
        self._cut_ns = self._cut_ns or at_ns

    def ended(self, services: list[str], now_ns: int) -> list[GapEvent]:
        """Return the gap of each service of a run that ends without a connection.

        Nobody will come back to say it.
        """
        if self._was_there:
            since = self._cut_ns
            if since is not None and self._heard_ns is not None:
                since = min(since, self._heard_ns)
        else:
            is_late = now_ns - self._begun_ns > self._patience_ns
            since = self._begun_ns if is_late else None
        if since is None or (self._cut_ns is not None and now_ns <= self._cut_ns):
            return []
        return [GapEvent(each, STOPPED_WITHOUT, since, now_ns, None) for each in services]
