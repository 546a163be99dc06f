"""The injected clock: the only place where the time of day is read."""

from infrastructure.clock.clock import Clock, SystemClock, VirtualClock
from infrastructure.clock.instants import ns_from_utc, parse_rfc3339, rfc3339, utc_from_ns

__all__ = [
    "Clock",
    "SystemClock",
    "VirtualClock",
    "ns_from_utc",
    "parse_rfc3339",
    "rfc3339",
    "utc_from_ns",
]
