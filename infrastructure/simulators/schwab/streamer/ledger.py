"""Remember what was sent and what faults held back, as runs that tile every key's updates."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

SENT: Final = "sent"


class Item(NamedTuple):
    """One item of a data frame.

    Attributes:
        service: Its service.
        key: Its key.
        seq: Its `seq`, None where the service has none.
        time_ms: Market time of its frame.
        updates: How many updates of the market it conflates.
        session: The number of the connection that it belongs to.
    """

    service: str
    key: str
    seq: int | None
    time_ms: int
    updates: int
    session: int


@dataclass(slots=True)
class Run:
    """Items of one key, one after another, with one fate.

    Attributes:
        service: Their service.
        key: Their key.
        fate: "sent", or the fault that held them back.
        session: The connection that they belong to.
        first_number: Number of the first, counted by key from 1; `last_number` of the last.
        first_seq: `seq` of the first, None without one; so is `last_seq`.
        first_ms: Market time of the first frame; `last_ms` of the last.
        updates: Updates of the market in them.
    """

    service: str
    key: str
    fate: str
    session: int
    first_number: int
    last_number: int
    first_seq: int | None
    last_seq: int | None
    first_ms: int
    last_ms: int
    updates: int

    @property
    def items(self) -> int:
        """Return how many items it has."""
        return self.last_number - self.first_number + 1


class Ledger:
    """Keep the runs of every key. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], list[Run]] = {}
        self._copies: list[Item] = []

    def record(self, items: Iterable[Item], fate: str = SENT) -> None:
        """Number items and add them; call it in the order in which clients would see them."""
        with self._lock:
            for item in items:
                self._add(item, fate)

    def record_copies(self, items: Iterable[Item]) -> None:
        """Add items that were sent a second time; they get no number of their own."""
        with self._lock:
            self._copies.extend(items)

    def runs(self, service: str | None = None, key: str | None = None) -> list[Run]:
        """Return the runs of a service and key, of all when None, in order."""
        with self._lock:
            return [
                run
                for (of_service, of_key), runs in self._runs.items()
                if service in (None, of_service) and key in (None, of_key)
                for run in runs
            ]

    def withheld(self, service: str | None = None, key: str | None = None) -> list[Run]:
        """Return the runs that no client saw."""
        return [run for run in self.runs(service, key) if run.fate != SENT]

    def copies(self) -> list[Item]:
        """Return what was sent twice."""
        with self._lock:
            return list(self._copies)

    def as_json(self, service: str | None = None, key: str | None = None) -> dict[str, Any]:
        """Return runs, copies and sums for the admin endpoint."""
        runs = self.runs(service, key)
        sent = [run for run in runs if run.fate == SENT]
        return {
            "sent": sum(run.items for run in sent),
            "withheld": sum(run.items for run in runs) - sum(run.items for run in sent),
            "runs": [asdict(run) for run in runs],
            "copies": [item._asdict() for item in self.copies()],
        }

    def _add(self, item: Item, fate: str) -> None:
        runs = self._runs.get((item.service, item.key))
        if runs is None:
            runs = self._runs[item.service, item.key] = []
        last = runs[-1] if runs else None
        if last is not None and last.fate == fate and last.session == item.session:
            last.last_number += 1
            last.last_seq = item.seq
            last.last_ms = item.time_ms
            last.updates += item.updates
            return
        number = 1 if last is None else last.last_number + 1
        runs.append(
            Run(
                item.service,
                item.key,
                fate,
                item.session,
                number,
                number,
                item.seq,
                item.seq,
                item.time_ms,
                item.time_ms,
                item.updates,
            )
        )
