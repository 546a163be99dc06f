"""What feeds a streamer: the protocol that every source of data speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Publish(Protocol):
    """Take one update."""

    def __call__(
        self,
        service: str,
        key: str,
        changes: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell new values by field number, and what stands beside them in a full frame."""


class MarketTime(Protocol):
    """Tell the time of the streamed market."""

    @property
    def now_ns(self) -> int:
        """Return nanoseconds UTC."""


class Source(Protocol):
    """Know some keys and what happens to them."""

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a key's whole state when it is first asked for; False when it is not known."""

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish what has happened to the opened keys up to a moment."""
