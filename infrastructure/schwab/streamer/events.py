"""What a stream tells its reader besides data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from infrastructure.schwab.streamer.continuity import Gap
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.state import Batch


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream is signed in, and every subscription has been asked for.

    Attributes:
        at_ns: When, nanoseconds UTC.
        attempt: Number of this connection, from 1.
        server: The server's name and the account's market-data status, as the reply says.
    """

    at_ns: int
    attempt: int
    server: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended; another is on its way.

    Attributes:
        at_ns: When, nanoseconds UTC.
        reason: How it ended.
    """

    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server refused keys of a subscription, or a whole one.

    Attributes:
        service: Which.
        keys: The keys that are not streamed.
        code: The server's reply code, None where we refused them by the known limit.
        message: The reason.
    """

    service: Service
    keys: tuple[str, ...]
    code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Polled:
    """Quotes of keys that the stream has no room for, asked for by REST.

    Attributes:
        service: The service that they would belong to.
        asked_ns: When they were asked for, nanoseconds UTC.
        received_ns: When they were here, nanoseconds UTC.
        records: By key, values by the service's names; what REST does not tell is not there.
        source: Where they are from, for whoever stores them.
    """

    service: Service
    asked_ns: int
    received_ns: int
    records: dict[str, dict[str, Any]]
    source: Literal["rest"] = "rest"


StreamEvent = Batch | Gap | Connected | Disconnected | Refused | Polled
