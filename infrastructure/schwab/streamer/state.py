"""The merged state of a service's keys: partial updates become whole records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.schwab.streamer.services import Delivery, ServiceSpec

Update = dict[str, Any]
"""One update as the wire has it: `key`, and values by field number as text."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The updates of one service out of one frame, in their order.

    Attributes:
        spec: The service.
        timestamp_ms: When the server sent them, milliseconds UTC.
        received_ns: When they arrived here, nanoseconds UTC.
        updates: One object an update, as the wire has it.
        conflated: Updates of the same keys that newer ones here took the place of.
    """

    spec: ServiceSpec
    timestamp_ms: int
    received_ns: int
    updates: tuple[Update, ...]
    conflated: int = 0

    def __len__(self) -> int:
        return len(self.updates)

    def named(self) -> Iterator[dict[str, Any]]:
        """Yield each update with names in place of numbers; what is unknown keeps its word."""
        for update in self.updates:
            yield named(self.spec, update)


def named(spec: ServiceSpec, update: Mapping[str, Any]) -> dict[str, Any]:
    """Return an update or a record with names in place of field numbers."""
    fields = spec.fields
    known = len(fields)
    return {
        fields[int(word)].name if word.isdecimal() and int(word) < known else word: value
        for word, value in update.items()
    }


class ServiceState:
    """Hold what is known of each key of one service on this connection.

    Args:
        spec: The service.
    """

    def __init__(self, spec: ServiceSpec) -> None:
        self.spec = spec
        self._records: dict[str, Update] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def keys(self) -> tuple[str, ...]:
        """Return the keys that something is known of."""
        return tuple(self._records)

    def merge(self, updates: list[Update]) -> None:
        """Take updates in, in their order.

        A change service adds to what is known; a whole or sequenced one replaces it.
        """
        records = self._records
        if self.spec.delivery is Delivery.CHANGE:
            for update in updates:
                key = update["key"]
                record = records.get(key)
                if record is None:
                    records[key] = update.copy()
                else:
                    record.update(update)
        else:
            for update in updates:
                records[update["key"]] = update

    def latest(self, key: str) -> dict[str, Any] | None:
        """Return a key's whole record by names, None where nothing is known yet."""
        record = self._records.get(key)
        return None if record is None else named(self.spec, record)

    def records(self) -> dict[str, Update]:
        """Return every key's whole record by field numbers."""
        return {key: record.copy() for key, record in self._records.items()}

    def forget(self, keys: tuple[str, ...] | None = None) -> None:
        """Drop the records of these keys, of all when None."""
        if keys is None:
            self._records.clear()
            return
        for key in keys:
            self._records.pop(key, None)
