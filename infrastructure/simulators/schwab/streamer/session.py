"""One connection: what it has subscribed, what it has seen, and what waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from infrastructure.simulators.schwab.streamer.board import Board, KeyState
from infrastructure.simulators.schwab.streamer.codes import NORMAL_CLOSURE
from infrastructure.simulators.schwab.streamer.commands import Command
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.frames import corrupted, data_frame
from infrastructure.simulators.schwab.streamer.ledger import SENT, Item
from infrastructure.simulators.schwab.streamer.rules import StreamRules
from infrastructure.simulators.schwab.streamer.stream_faults import (
    CORRUPT_FRAME,
    DROPPED_FRAME,
    StreamFaults,
)

ABRUPT: Final = 0
INTERVAL: Final = "dropped interval"

_NS_PER_MS: Final = 1_000_000
_UNSENT: Final = object()


class Outgoing(NamedTuple):
    """One frame that waits, or the note that one was held back.

    Attributes:
        text: The frame; None for one that is not to be sent.
        items: What it carries, for the ledger.
        fate: "sent", or the fault that holds it back.
        is_copy: Whether the same items stand before it already.
    """

    text: str | None
    items: tuple[Item, ...] = ()
    fate: str = SENT
    is_copy: bool = False


class Entry(NamedTuple):
    """One item of the next frame of its service."""

    key: str
    content: dict[str, Any]
    seq: int | None
    updates: int
    fate: str


@dataclass(slots=True)
class Subscription:
    """One key that a connection listens to.

    Attributes:
        fields: The numbers it wants, without 0; `wanted` is their set.
        sent: What it has been sent, by number.
        has_frame: Whether its full frame is out.
        updates: Updates of the market since its last item.
        is_behind: Whether a fault held changes back that `sent` therefore lacks.
    """

    fields: tuple[str, ...]
    wanted: frozenset[str]
    sent: dict[str, Any] = field(default_factory=dict)
    has_frame: bool = False
    updates: int = 0
    is_behind: bool = False


class Session:
    """Turn updates into frames for one connection; knows no socket.

    Args:
        number: Counted from 1.
        board: Where the values are.
        rules: Intervals and limits.
        faults: What goes wrong with its frames.
        now_ns: Monotonic time of the connect.
    """

    def __init__(
        self, number: int, board: Board, rules: StreamRules, faults: StreamFaults, now_ns: int
    ) -> None:
        self.number = number
        self.outbox: deque[Outgoing] = deque()
        self.waiting_bytes = 0
        self.login: Command | None = None
        self.subscriptions: dict[str, dict[str, Subscription]] = {}
        self.connected_ns = now_ns
        self.idle_since_ns = now_ns
        self.heartbeat_ns = now_ns
        self.slow_since_ns: int | None = None
        self.closing: int | None = None
        self.cut: str | None = None
        self.muted_until_ns = 0
        self._board = board
        self._rules = rules
        self._faults = faults
        self._dirty: dict[str, dict[str, None]] = {}
        self._queued: dict[str, list[Entry]] = {}
        self._due_ns: dict[str, int] = {}
        self._seq: dict[str, int] = {}

    @property
    def is_muted(self) -> bool:
        """Say whether a fault holds everything back for a while."""
        return self.muted_until_ns > 0

    @property
    def hindrance(self) -> str | None:
        """Return the fault that holds data back, None when none does."""
        return self.cut or (INTERVAL if self.is_muted else None)

    def say(self, text: str) -> None:
        """Let a response or a notice wait behind what waits already."""
        if self.cut is None and self.closing is None and not self.is_muted:
            self._put(Outgoing(text))

    def close(self, code: int = NORMAL_CLOSURE) -> None:
        """End the connection after what waits; `ABRUPT` ends it without a close frame."""
        if self.closing is None:
            self.closing = code

    def hold_back(self, reason: str) -> None:
        """Send nothing more, also of what waits; go on noting what would have been sent."""
        self.cut = reason
        waiting, self.outbox = self.outbox, deque()
        self.waiting_bytes = 0
        for outgoing in waiting:
            if outgoing.items and not outgoing.is_copy:
                fate = reason if outgoing.fate == SENT else outgoing.fate
                self.outbox.append(Outgoing(None, outgoing.items, fate))

    def unmute(self) -> None:
        """End a dropped interval: what changed in it comes with the next frames."""
        self.muted_until_ns = 0
        for service, keys in self.subscriptions.items():
            for key, subscription in keys.items():
                if subscription.is_behind:
                    self._dirty.setdefault(service, {})[key] = None

    def subscribe(self, service: str, keys: Iterable[str], fields: tuple[str, ...]) -> None:
        """Listen to keys; each gets its full frame with the next flush."""
        form = service_forms()[service]
        subscribed = self.subscriptions.setdefault(service, {})
        for key in keys:
            subscription = subscribed[key] = Subscription(fields, frozenset(fields))
            state = self._board.state(service, key)
            if state is None:
                continue
            if form.sequenced:
                self.enqueue(service, key, state.values)
            else:
                # The first frame follows the answer at once, whatever the interval. [O]
                self._queue_state(service, key, subscription, state)

    def unsubscribe(self, service: str, keys: Iterable[str] | None = None) -> None:
        """Listen no more to some keys of a service, to all of it when None."""
        subscribed = self.subscriptions.get(service, {})
        for key in list(subscribed if keys is None else keys):
            subscribed.pop(key, None)
            self._dirty.get(service, {}).pop(key, None)
        if not subscribed:
            self.subscriptions.pop(service, None)

    def forget(self) -> None:
        """Listen to nothing more."""
        self.subscriptions.clear()
        self._dirty.clear()

    def view(self, service: str, fields: tuple[str, ...]) -> None:
        """Change the fields of every key; what is new in them comes with the next frame. [?]"""
        for key, subscription in self.subscriptions.get(service, {}).items():
            dropped = subscription.wanted - frozenset(fields)
            subscription.fields, subscription.wanted = fields, frozenset(fields)
            for number in dropped:
                subscription.sent.pop(number, None)
            if self._board.state(service, key) is not None and not (
                service_forms()[service].sequenced
            ):
                subscription.is_behind = True
                self._dirty.setdefault(service, {})[key] = None

    def note(self, service: str, key: str, changes: Mapping[str, Any]) -> None:
        """Take an update of the board in."""
        keys = self.subscriptions.get(service)
        subscription = None if keys is None else keys.get(key)
        if subscription is None:
            return
        form = service_forms()[service]
        if form.sequenced:
            self.enqueue(service, key, changes)
            return
        subscription.updates += 1
        if self._rules.interval_s.get(service, 0.0) > 0 or self._lags:
            self._dirty.setdefault(service, {})[key] = None
            return
        state = self._board.state(service, key)
        if state is None:
            return
        if form.delivery == "whole" or not subscription.has_frame or subscription.is_behind:
            self._queue_state(service, key, subscription, state)
            return
        sent = subscription.sent
        content = {
            number: value
            for number, value in changes.items()
            if number in subscription.wanted and sent.get(number, _UNSENT) != value
        }
        if content:
            self._queue_change(service, key, subscription, content)

    def enqueue(self, service: str, key: str, values: Mapping[str, Any]) -> None:
        """Let one item of a sequenced service wait; its `seq` is used up whatever happens."""
        subscription = self.subscriptions.get(service, {}).get(key)
        if subscription is None:
            return
        seq = self._seq.get(service, 0)
        self._seq[service] = seq + 1
        content: dict[str, Any] = {"seq": seq, "key": key}
        content.update(
            (number, values[number]) for number in subscription.fields if number in values
        )
        entry = Entry(key, content, seq, 1, self.hindrance or SENT)
        self._queued.setdefault(service, []).append(entry)

    def relay(self, service: str, items: list[dict[str, Any]], text: str, market_ns: int) -> None:
        """Send what this connection listens to of a recorded frame.

        A frame all of which is wanted goes out letter for letter; of others, and of a key whose
        full frame this connection lacks, the part that it wants is written anew.

        Args:
            service: The frame's service.
            items: Its items, already merged into the board.
            text: The frame; "" if it must be written anew.
            market_ns: The time that a frame written anew carries.
        """
        subscribed = self.subscriptions.get(service, {})
        fate = self.hindrance or SENT
        entries = []
        for item in items:
            subscription = subscribed.get(item["key"])
            if subscription is None:
                continue
            content, seq = self._recorded(service, item, subscription), None
            if service_forms()[service].sequenced:
                seq = content["seq"] = self._seq.get(service, 0)
                self._seq[service] = seq + 1
            if fate == SENT:
                subscription.has_frame = True
                subscription.sent.update(content)
            subscription.is_behind = fate != SENT
            entries.append(Entry(item["key"], content, seq, 1, fate))
        if entries:
            is_whole = [entry.content for entry in entries] == items
            self._emit(service, entries, fate, market_ns, text if is_whole else "")

    def _recorded(
        self, service: str, item: dict[str, Any], subscription: Subscription
    ) -> dict[str, Any]:
        """Return the wanted fields of a recorded item, all of the key where its first is due."""
        is_change = service_forms()[service].delivery == "change"
        state = self._board.state(service, item["key"])
        if state is not None and is_change and not subscription.has_frame:
            item = {"key": item["key"]} | state.extras | state.values
        wanted = subscription.wanted
        return {
            name: value
            for name, value in item.items()
            if name in wanted or name == "0" or not name.isdecimal()
        }

    def flush(self, market_ns: int, *, at_once: bool = False) -> None:
        """Turn what waits into frames.

        Args:
            market_ns: The time that they carry.
            at_once: Of every service, else of those whose interval is over.
        """
        for service, keys in self._dirty.items():
            waits = self._due_ns.get(service, 0) > market_ns or self._lags
            if not keys or (waits and not at_once):
                continue
            for key in keys:
                subscription = self.subscriptions[service][key]
                state = self._board.state(service, key)
                if state is not None:
                    self._queue_state(service, key, subscription, state)
            keys.clear()
        for service, entries in self._queued.items():
            if entries:
                self._due_ns[service] = market_ns + self._rules.interval_ns(service)
                self._emit_all(service, entries, market_ns)
                entries.clear()

    def take(self) -> list[Outgoing]:
        """Return and forget everything that waits."""
        taken = list(self.outbox)
        self.outbox.clear()
        self.waiting_bytes = 0
        return taken

    @property
    def _lags(self) -> bool:
        return self.waiting_bytes > self._rules.high_water_bytes

    def _queue_state(
        self, service: str, key: str, subscription: Subscription, state: KeyState
    ) -> None:
        """Queue all of a key for a whole service or a first frame, else what differs."""
        values = state.values
        wanted = {number: values[number] for number in subscription.fields if number in values}
        whole = service_forms()[service].delivery == "whole"
        if not whole and subscription.has_frame:
            sent = subscription.sent
            wanted = {
                number: value
                for number, value in wanted.items()
                if sent.get(number, _UNSENT) != value
            }
            if not wanted:
                subscription.is_behind = False
                return
        elif not whole:
            wanted = state.extras | wanted
        self._queue_change(service, key, subscription, wanted)

    def _queue_change(
        self, service: str, key: str, subscription: Subscription, content: dict[str, Any]
    ) -> None:
        fate = self.hindrance or SENT
        updates = max(1, subscription.updates)
        entry = Entry(key, {"key": key} | content, None, updates, fate)
        subscription.updates = 0
        if fate == SENT:
            subscription.has_frame = True
            subscription.sent.update(content)
            subscription.is_behind = False
        else:
            subscription.is_behind = True
        self._queued.setdefault(service, []).append(entry)

    def _emit_all(self, service: str, entries: list[Entry], market_ns: int) -> None:
        """Write frames in which no key stands twice."""
        part: list[Entry] = []
        keys: set[str] = set()
        fate = entries[0].fate
        for entry in entries:
            if entry.key in keys or entry.fate != fate:
                self._emit(service, part, fate, market_ns)
                part, keys, fate = [], set(), entry.fate
            part.append(entry)
            keys.add(entry.key)
        self._emit(service, part, fate, market_ns)

    def _emit(
        self, service: str, entries: list[Entry], fate: str, market_ns: int, recorded: str = ""
    ) -> None:
        now_ms = market_ns // _NS_PER_MS
        items = tuple(
            Item(service, entry.key, entry.seq, now_ms, entry.updates, self.number)
            for entry in entries
        )
        if fate != SENT:
            self.outbox.append(Outgoing(None, items, fate))
            return
        fault = self._faults.next_frame(service)
        if fault == "drop":
            self.outbox.append(Outgoing(None, items, DROPPED_FRAME))
            return
        contents = [entry.content for entry in entries]
        stamp_ms = now_ms + self._faults.skew_ms
        text = recorded or data_frame(service, stamp_ms, contents)
        if fault == "corrupt":
            self._put(Outgoing(corrupted(text), items, CORRUPT_FRAME))
            return
        if fault == "corrupt-extra":
            self._put(Outgoing(corrupted(text)))
        self._put(Outgoing(text, items))
        if fault == "duplicate":
            self._put(Outgoing(text, items, is_copy=True))

    def _put(self, outgoing: Outgoing) -> None:
        self.outbox.append(outgoing)
        self.waiting_bytes += len(outgoing.text or "")
