"""Hand live rows to those who subscribed, each at its own speed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.redis.streams import entry_key

MOST_ROWS: Final = 5000
"""Rows that wait for one subscriber; beyond them it gets the newest of each symbol only."""
MOST_REPLACED: Final = 50_000
"""Rows of which is remembered that they were replaced while a subscription is held."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Carry what a subscriber gets at once.

    Attributes:
        entry: Id of the newest entry of the stream that is in it.
        rows: Rows in the order in which they came.
        missed: How many rows were left out since the batch before, the newest of each symbol kept.
        gap: Ids of the entries between which entries left the stream unread; None if none did.
    """

    entry: str
    rows: list[dict[str, Any]]
    missed: int
    gap: tuple[str, str] | None = None


@dataclass(eq=False)
class Subscription:
    """Hold what waits for one subscriber. Used by one event loop only.

    Attributes:
        symbols: Whose rows; empty for none yet.
        conflate_s: Seconds in which only the newest row of each symbol counts; 0 for every row.
        timeframes: Of bars; empty for all.
    """

    symbols: frozenset[str] = frozenset()
    conflate_s: float = 0.0
    timeframes: frozenset[str] = frozenset()
    _rows: deque[dict[str, Any]] = field(default_factory=deque)
    _newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    _entry: str = "0"
    _missed: int = 0
    _gap: tuple[str, str] | None = None
    _replaced: list[tuple[str, str]] = field(default_factory=list)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _is_held: bool = False
    _sent_up_to: dict[str, tuple[int, int]] = field(default_factory=dict)

    def wants(self, row: dict[str, Any]) -> bool:
        """Return whether a row was asked for."""
        if row["symbol"] not in self.symbols:
            return False
        return not self.timeframes or row.get("timeframe") in self.timeframes

    def hold(self) -> None:
        """Keep rows back until `release`: what came before them is sent first."""
        self._is_held = True

    def release(self, after: str, symbols: Iterable[str] = ()) -> None:
        """Let go of what was kept back, but for what was sent otherwise.

        The stream may be read further there than it has come here: such rows follow still, and
        are passed over then.

        Args:
            after: Id of the last entry that was sent otherwise.
            symbols: Of whose rows.
        """
        self._is_held = False
        self._sent_up_to |= dict.fromkeys(symbols, entry_key(after))
        self._rows = deque(row for row in self._rows if not self._was_sent(row))
        self._newest = {name: row for name, row in self._newest.items() if not self._was_sent(row)}
        self._missed += sum(not self._is_sent(*each) for each in self._replaced)
        self._replaced.clear()
        if self._rows or self._newest or self._gap:
            self._woken.set()

    def lose(self, after: str, before: str) -> None:
        """Note that entries between two left the stream before they were read."""
        self._gap = (after if self._gap is None else self._gap[0], before)
        if not self._is_held:
            self._woken.set()

    def _was_sent(self, row: dict[str, Any]) -> bool:
        return self._is_sent(row["symbol"], row["_entry"])

    def _is_sent(self, symbol: str, entry: str) -> bool:
        last = self._sent_up_to.get(symbol)
        return last is not None and entry_key(entry) <= last

    def offer(self, entry: str, rows: Iterable[dict[str, Any]], of: str) -> None:
        """Take rows of an entry.

        Args:
            entry: Its id.
            rows: Those of this subscription.
            of: The column by which a newer row replaces an older one.
        """
        for row in rows:
            row["_entry"] = entry
            if self._sent_up_to:
                if self._was_sent(row):
                    continue
                # Entries come in order: the first one beyond ends the matter.
                self._sent_up_to.pop(row["symbol"], None)
            if self.conflate_s == 0 and not self._newest and len(self._rows) < MOST_ROWS:
                self._rows.append(row)
                continue
            self._overflow(of)
            self._replace(row, of)
        self._entry = entry
        if not self._is_held and (self._rows or self._newest):
            self._woken.set()

    def _overflow(self, of: str) -> None:
        while self._rows:
            self._replace(self._rows.popleft(), of)

    def _replace(self, row: dict[str, Any], of: str) -> None:
        older = self._newest.pop(row[of], None)
        self._newest[row[of]] = row
        if older is None:
            return
        if self._is_held and len(self._replaced) < MOST_REPLACED:
            # What is held may turn out to be sent otherwise: then it was not left out.
            self._replaced.append((older["symbol"], older["_entry"]))
        else:
            self._missed += 1

    async def next(self) -> Batch:
        """Wait for rows and return all that wait."""
        while True:
            await self._woken.wait()
            if self.conflate_s:
                await asyncio.sleep(self.conflate_s)
            self._woken.clear()
            if not self._is_held:
                break
        rows = [*self._rows, *self._newest.values()]
        self._rows.clear()
        self._newest.clear()
        missed, self._missed = self._missed, 0
        gap, self._gap = self._gap, None
        for row in rows:
            row.pop("_entry", None)
        return Batch(self._entry, rows, missed, gap)


class Hub:
    """Know who subscribed to one stream. Used by one event loop only.

    Args:
        plain: Turns rows of a frame into plain values.
        of: The column by which a newer row replaces an older one.
    """

    def __init__(
        self, plain: Callable[[pa.Table], list[dict[str, Any]]], of: str = "symbol"
    ) -> None:
        self._plain = plain
        self._of = of
        self._subscriptions: set[Subscription] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def join(self, subscription: Subscription) -> None:
        """Let a subscription have what comes from now on."""
        self._subscriptions.add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions.discard(subscription)

    def publish(self, frame: pa.Table, entry: str) -> None:
        """Hand the rows of an entry to those who asked for their symbols."""
        wanted = frozenset().union(*(each.symbols for each in self._subscriptions))
        if not wanted:
            return
        rows = self.rows_of(frame, wanted)
        for subscription in self._subscriptions:
            mine = [dict(row) for row in rows if subscription.wants(row)]
            if mine:
                subscription.offer(entry, mine, self._of)

    def lose(self, after: str, before: str) -> None:
        """Tell everybody that entries between two left the stream before they were read."""
        for subscription in self._subscriptions:
            if subscription.symbols:
                subscription.lose(after, before)

    def rows_of(self, frame: pa.Table, symbols: frozenset[str]) -> list[dict[str, Any]]:
        """Return the rows of some symbols as plain values."""
        keep = pc.is_in(frame.column("symbol"), pa.array(sorted(symbols), pa.string()))
        chosen = frame.filter(keep)
        return self._plain(chosen) if chosen.num_rows else []
