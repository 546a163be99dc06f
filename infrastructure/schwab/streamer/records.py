"""Where a service's merged records are kept: a contract, and plain dictionaries that fulfil it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from infrastructure.schwab.streamer.services import Delivery
from infrastructure.schwab.streamer.updates import Columns, Update, columns_of


class Records(Protocol):
    """Hold one record a key."""

    def __len__(self) -> int: ...

    def __contains__(self, key: object) -> bool: ...

    def keys(self) -> tuple[str, ...]:
        """Return the keys of which something is known."""
        ...

    def merge(self, updates: Iterable[Update]) -> None:
        """Take updates in, in their order; they are not changed later."""
        ...

    def record(self, key: str) -> Update | None:
        """Return a copy of a key's whole record by field numbers, None without one."""
        ...

    def columns(self, numbers: Sequence[int]) -> Columns:
        """Return the numbers of these fields of all keys."""
        ...

    def forget(self, keys: tuple[str, ...] | None) -> None:
        """Drop the records of these keys, of all when None."""
        ...


class PlainRecords:
    """Hold records as dictionaries: the reference, and the home of books, bars and events.

    Args:
        delivery: A change service adds to what is known, any other replaces it.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._records: dict[str, Update] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def keys(self) -> tuple[str, ...]:
        """Return the keys of which something is known."""
        return tuple(self._records)

    def merge(self, updates: Iterable[Update]) -> None:
        """Take updates in, in their order."""
        records = self._records
        if self._delivery is not Delivery.CHANGE:
            for update in updates:
                records[update["key"]] = update
            return
        for update in updates:
            key = update["key"]
            record = records.get(key)
            if record is None:
                records[key] = update.copy()
            else:
                record.update(update)

    def record(self, key: str) -> Update | None:
        """Return a copy of a key's whole record by field numbers, None without one."""
        record = self._records.get(key)
        return None if record is None else record.copy()

    def columns(self, numbers: Sequence[int]) -> Columns:
        """Return the numbers of these fields of all keys."""
        return columns_of(self.keys(), list(self._records.values()), numbers)

    def forget(self, keys: tuple[str, ...] | None) -> None:
        """Drop the records of these keys, of all when None."""
        if keys is None:
            self._records.clear()
            return
        for key in keys:
            self._records.pop(key, None)
