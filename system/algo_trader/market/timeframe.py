"""The spans that bars cover, and the hours that they count."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_NS_PER_MINUTE: Final = 60_000_000_000


class Timeframe(StrEnum):
    """Name the span of a bar."""

    S1 = "1s"
    M1 = "1m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"
    MO1 = "1mo"

    @property
    def duration_ns(self) -> int | None:
        """Return the span in nanoseconds, None where the calendar decides (1d, 1w, 1mo)."""
        return _DURATIONS_NS.get(self)

    @property
    def is_intraday(self) -> bool:
        """Say whether a trading day holds several such bars."""
        return self in _DURATIONS_NS


_DURATIONS_NS: Final[dict[Timeframe, int]] = {
    Timeframe.S1: _NS_PER_MINUTE // 60,
    Timeframe.M1: _NS_PER_MINUTE,
    Timeframe.M5: 5 * _NS_PER_MINUTE,
    Timeframe.M10: 10 * _NS_PER_MINUTE,
    Timeframe.M15: 15 * _NS_PER_MINUTE,
    Timeframe.M30: 30 * _NS_PER_MINUTE,
    Timeframe.H1: 60 * _NS_PER_MINUTE,
    Timeframe.H4: 240 * _NS_PER_MINUTE,
}


class Session(StrEnum):
    """Name the hours that a bar counts: regular, outside of them, or both."""

    RTH = "rth"
    EXT = "ext"
    ALL = "all"


class Adjustment(StrEnum):
    """Name what prices were adjusted for."""

    RAW = "raw"
    SPLIT = "split"
