"""Stream what happens to the accounts' orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from infrastructure.simulators.schwab.activity import ActivityEvent
from infrastructure.simulators.schwab.order_desk import OrderDesk
from infrastructure.simulators.schwab.streamer.sources import Publish

Tell = Callable[[str, str, str], None]


class DeskActivity:
    """Let the order desk catch up with the market, and tell its events in their order.

    The desk calls from any thread with its own lock held; events wait here until the streamer
    looks, so that neither waits for the other's lock.

    Args:
        desk: Whose events.
    """

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk
        self._events: deque[ActivityEvent] = deque()
        self.tell: Tell | None = None
        desk.listen(self._wait)

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Know no key: account activity has none of the market's."""
        return False

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Tell what has happened up to now."""
        self._desk.catch_up()
        while self._events and self.tell is not None:
            event = self._events.popleft()
            text = msgspec.json.encode(event.data).decode() if event.data else ""
            self.tell(event.account_number, event.message_type, text)

    def _wait(self, event: ActivityEvent) -> None:
        self._events.append(event)
