"""What is not established about the streamer, as numbers that a test can choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from infrastructure.simulators.schwab.streamer.forms import service_forms

SYMBOL_LIMIT: Final = 500
SCREENER_LIMIT: Final = 10


def measured_intervals() -> dict[str, float]:
    """Return seconds of market time between two frames of one service.

    About one frame a second for level one and books, one in 10 s and 5 s for the screeners [O];
    faster rates of level one are not established [?]. Sequenced services wait for nothing.
    """
    seconds = {name: 1.0 for name, form in service_forms().items() if not form.sequenced}
    return seconds | {"SCREENER_EQUITY": 10.0, "SCREENER_OPTION": 5.0}


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How the streamer behaves where Schwab's own behaviour is not known.

    Attributes:
        interval_s: Conflation: seconds of market time between two frames of a service. With 0
            every update of a change service is sent by itself.
        heartbeat_s: Seconds between heartbeats; its predecessor had 10. [?]
        empty_s: Seconds after which a stream without a subscription ends; None for never. [O]
        login_s: Seconds that a connection may stay without a LOGIN; None for ever. [?]
        slow_s: Seconds that a client may lag behind before it is stopped. [?]
        high_water_bytes: How much may wait for a client before change and whole services hold
            their frames back; beyond ten times that it is stopped at once. [?]
        symbol_limit: Keys of a service; about 500. [O]
        screener_limit: Keys of a screener. [O]
        success_code_zero: Answer good commands with 0 as observed, else with 26 to 29. [O]
        stop_frame: Whether code 12 and 30 come as `response` or as `notify`. [?]
        chart_delay_s: Seconds of market time after the end of a minute until its bar comes. [O]
        status: PN, NP or PP in the answer to LOGIN. [S]
        compress: Offer permessage-deflate. [?]
    """

    interval_s: Mapping[str, float] = field(default_factory=measured_intervals)
    heartbeat_s: float = 10.0
    empty_s: float | None = 30.0
    login_s: float | None = 30.0
    slow_s: float = 30.0
    high_water_bytes: int = 1 << 20
    symbol_limit: int = SYMBOL_LIMIT
    screener_limit: int = SCREENER_LIMIT
    success_code_zero: bool = True
    stop_frame: Literal["response", "notify"] = "response"
    chart_delay_s: float = 3.0
    status: str = "NP"
    compress: bool = False

    def limit(self, service: str) -> int:
        """Return how many keys of a service stream."""
        return self.screener_limit if service.startswith("SCREENER_") else self.symbol_limit

    def interval_ns(self, service: str) -> int:
        """Return the nanoseconds of market time between two frames of a service."""
        return round(self.interval_s.get(service, 0.0) * 1_000_000_000)


def unconflated() -> dict[str, float]:
    """Return the intervals under which every update of every service is sent."""
    return dict.fromkeys(service_forms(), 0.0)
