"""Keys past what a service streams, polled by REST and labelled so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from infrastructure.clock import Clock
from infrastructure.errors import InputError, StackError
from infrastructure.logging import get_logger
from infrastructure.schwab.models import Quote, Quotes
from infrastructure.schwab.streamer.daemon_thread import in_daemon_thread
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.events import Polled, Refused
from infrastructure.schwab.streamer.services import SPECS, Delivery, Service, ServiceSpec

_log = get_logger("schwab.streamer")

MOST_SYMBOLS = 500
"""Symbols that one request for quotes may name."""

AskQuotes = Callable[[tuple[str, ...]], Quotes]

_OTHER_NAMES = {
    "mark_change": "mark_net_change",
    "post_market_change": "post_market_net_change",
    "week52_high": "high_52week",
    "week52_low": "low_52week",
    "n_av": "nav",
    "ind_ask_price": "indicative_ask_price",
    "ind_bid_price": "indicative_bid_price",
    "ind_quote_time": "indicative_quote_time",
}
"""Names of a quote by REST where the stream's differ."""


class Polling:
    """Ask for the quotes of what is not streamed, again and again.

    Args:
        quotes: Returns the quotes of up to 500 symbols; called in a daemon thread.
        events: Receives what was polled.
        clock: Stamps it.
        every_s: From one round to the next.
    """

    def __init__(self, quotes: AskQuotes, events: EventQueue, clock: Clock, every_s: float) -> None:
        self._quotes = quotes
        self._events = events
        self._clock = clock
        self.every_s = every_s
        self._wanted: dict[Service, tuple[str, ...]] = {}
        self._changed = asyncio.Event()

    def keys(self, service: Service) -> tuple[str, ...]:
        """Return the keys of a service that are polled."""
        return self._wanted.get(service, ())

    def add(self, service: Service, keys: Iterable[str]) -> tuple[str, ...]:
        """Poll these keys from now on, and return them; none where REST has no such quotes."""
        if SPECS[service].delivery is not Delivery.CHANGE:
            return ()
        taken = tuple(keys)
        self._wanted[service] = tuple(dict.fromkeys((*self.keys(service), *taken)))
        self._changed.set()
        return taken

    def remove(self, service: Service, keys: Iterable[str] | None = None) -> None:
        """Poll these keys no more, none of the service when None."""
        gone = set(self.keys(service) if keys is None else keys)
        left = tuple(key for key in self.keys(service) if key not in gone)
        if left:
            self._wanted[service] = left
        else:
            self._wanted.pop(service, None)

    async def run(self) -> None:
        """Poll until cancelled; at once when keys are added."""
        while True:
            self._changed.clear()
            for service in tuple(self._wanted):
                keys = self.keys(service)
                for start in range(0, len(keys), MOST_SYMBOLS):
                    await self._poll(service, keys[start : start + MOST_SYMBOLS])
            try:
                async with asyncio.timeout(self.every_s if self._wanted else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _poll(self, service: Service, keys: tuple[str, ...]) -> None:
        asked_ns = self._clock.now_ns()
        try:
            quotes = await in_daemon_thread(partial(self._quotes, keys))
        except InputError as error:
            self._refuse(service, keys, str(error))
            return
        except StackError as error:
            _log.warning("keys past the stream's limit could not be polled: %s", error)
            return
        unknown = set(quotes.invalid_symbols) & set(keys)
        if unknown:
            self._refuse(service, tuple(sorted(unknown)), "Schwab does not know them")
        wanted = set(self.keys(service))
        records = {
            key: {**_named(SPECS[service], quotes[key]), "key": key}
            for key in keys
            if key in quotes and key in wanted
        }
        if records:
            self._events.put(Polled(service, asked_ns, self._clock.now_ns(), records))

    def _refuse(self, service: Service, keys: tuple[str, ...], reason: str) -> None:
        self.remove(service, keys)
        self._events.put(Refused(service, keys, None, reason))


def _named(spec: ServiceSpec, quote: Quote) -> dict[str, Any]:
    """Return what a quote tells of the service's fields, by the stream's names."""
    told: dict[str, Any] = {}
    for block in (quote.reference, quote.quote, quote.regular):
        if block is None:
            continue
        for name, value in msgspec.structs.asdict(block).items():
            known = _OTHER_NAMES.get(name, name)
            if value is not None and known in spec.by_name:
                told[known] = value
    return told
