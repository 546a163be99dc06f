"""What the stream told its reader, counted so that the ledger can be laid beside it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from infrastructure.schwab.streamer.continuity import Gap
from infrastructure.schwab.streamer.events import Connected, Disconnected, Refused, StreamEvent
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.state import Batch

_SESSION = re.compile(r"server=[^;]*-(\d+);")


@dataclass(frozen=True, slots=True)
class Reported:
    """One gap that the stream reported.

    Attributes:
        gap: As it was told.
        session: The server's number of the connection on which it ended.
        before: The connection that told the service's item before it.
        told: How many items of each key had been told before it.
    """

    gap: Gap
    session: int
    before: int | None
    told: dict[str, int]


@dataclass(slots=True)
class Record:
    """Take a stream's events in.

    Attributes:
        sessions: The server's numbers of the connections, in their order.
        told: Items told, by service and key.
        by_session: The same, by connection, service and key.
        seqs: The sequence numbers told, by connection and service.
        gaps: Every gap, by service.
        disconnects: How often a connection ended.
        refused: What the server refused.
    """

    sessions: list[int] = field(default_factory=list)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_session: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    seqs: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    gaps: dict[str, list[Reported]] = field(default_factory=dict)
    disconnects: int = 0
    refused: list[Refused] = field(default_factory=list)
    _newest: dict[str, int] = field(default_factory=dict)

    def take(self, event: StreamEvent) -> None:
        """Count one event."""
        if isinstance(event, Batch):
            self._batch(event)
        elif isinstance(event, Gap):
            told = {key: n for (service, key), n in self.told.items() if service == event.service}
            self.gaps.setdefault(event.service, []).append(
                Reported(event, self.sessions[-1], self.session_of(event.service), told)
            )
        elif isinstance(event, Connected):
            found = _SESSION.match(event.server)
            assert found is not None, event.server
            self.sessions.append(int(found[1]))
        elif isinstance(event, Disconnected):
            self.disconnects += 1
        elif isinstance(event, Refused):
            self.refused.append(event)

    def session_of(self, service: Service) -> int | None:
        """Return the connection that told the newest item of a service, None before the first."""
        return self._newest.get(service)

    def _batch(self, batch: Batch) -> None:
        service, session = str(batch.spec.service), self.sessions[-1]
        self._newest[service] = session
        for update in batch.updates:
            key = update["key"]
            self.told[service, key] += 1
            self.by_session[session, service, key] += 1
            if "seq" in update:
                self.seqs.setdefault((session, service), []).append(update["seq"])
