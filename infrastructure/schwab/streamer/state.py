"""The merged state of a service's keys: partial updates become whole records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infrastructure.schwab.streamer.records import PlainRecords, Records
from infrastructure.schwab.streamer.services import ServiceSpec
from infrastructure.schwab.streamer.updates import Batch, Columns, Update, named

__all__ = ["Batch", "ServiceState", "Update", "named"]


class ServiceState:
    """Hold what is known of each key of one service on this connection.

    Args:
        spec: The service.
    """

    def __init__(self, spec: ServiceSpec) -> None:
        self.spec = spec
        self._records: Records = PlainRecords(spec.delivery)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def keys(self) -> tuple[str, ...]:
        """Return the keys that something is known of."""
        return self._records.keys()

    def merge(self, updates: list[Update]) -> None:
        """Take updates in, in their order.

        A change service adds to what is known; a whole or sequenced one replaces it.
        """
        self._records.merge(updates)

    def latest(self, key: str) -> dict[str, Any] | None:
        """Return a key's whole record by names, None where nothing is known yet."""
        record = self._records.record(key)
        return None if record is None else named(self.spec, record)

    def records(self) -> dict[str, Update]:
        """Return every key's whole record by field numbers."""
        keys = self._records.keys()
        records = ((key, self._records.record(key)) for key in keys)
        return {key: record for key, record in records if record is not None}

    def columns(self, numbers: Sequence[int]) -> Columns:
        """Return the numbers of these fields of all keys, NaN where nothing is known.

        Args:
            numbers: Field numbers.
        """
        return self._records.columns(numbers)

    def forget(self, keys: tuple[str, ...] | None = None) -> None:
        """Drop the records of these keys, of all when None."""
        self._records.forget(keys)

    def move(self, records: Records) -> None:
        """Keep the records elsewhere from now on; what is known moves along."""
        records.merge(self.records().values())
        self._records = records
