"""Turn what a feed missed, and silences that are unusual, into gaps to be recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from system.algo_trader.feeds.live import GapEvent, Instrument, LiveFeed
from system.algo_trader.market.session_spans import RTH, SessionSpans
from system.algo_trader.market.stream_gap import SILENT, GapState, StreamGap
from system.algo_trader.pipeline.gap_log import GapLog
from system.algo_trader.quality.cadence import (
    CLOSED,
    Cadence,
    CadencePolicy,
    Int64s,
    Silence,
)

SERVICE_CADENCE: Final = CadencePolicy(floor_s=20.0)
SYMBOL_CADENCE: Final = CadencePolicy(floor_s=120.0)

Carried = Callable[[Instrument], Sequence[str]]


def carried_by_own(instrument: Instrument) -> tuple[str, ...]:
    """Return the one service that an instrument names."""
    return (instrument.service,)


class GapDesk:
    """Know what a run misses.

    Args:
        feed: Says which bars can be fetched afterwards.
        instruments: What is streamed; positions name them.
        hours: The hours of each calendar of the instruments.
        run_id: The run's name.
        carried: Returns the services that carry ticks or bars of an instrument.

    Attributes:
        log: The gaps that the feed told of.
        suspected: The silences that were unusual and are over.
    """

    def __init__(
        self,
        feed: LiveFeed,
        instruments: Sequence[Instrument],
        hours: Mapping[str, SessionSpans],
        run_id: str,
        carried: Carried = carried_by_own,
    ) -> None:
        self._source = str(feed.facts.source)
        self._run_id = run_id
        self._symbols = [each.symbol for each in instruments]
        self._fetchable = [feed.backfill_series(each) is not None for each in instruments]
        self._hours = hours
        services: dict[str, list[int]] = {}
        for place, each in enumerate(instruments):
            for service in carried(each):
                services.setdefault(str(service), []).append(place)
        self._members: dict[str, Int64s] = {
            name: np.array(places, dtype=np.int64) for name, places in services.items()
        }
        self._services = list(self._members)
        self._calendars = [each.calendar for each in instruments]
        self._own = [each.service for each in instruments]
        self._by_service = Cadence(len(self._services), SERVICE_CADENCE)
        self._by_symbol = Cadence(len(instruments), SYMBOL_CADENCE)
        self.log = GapLog()
        self.suspected: list[StreamGap] = []

    def told(self, event: GapEvent, now_ns: int) -> StreamGap:
        """Return what a feed said it missed, to be recorded; it explains silences until then."""
        self.log.add(event)
        members = self._members.get(event.service, np.empty(0, dtype=np.int64))
        self._excuse(event.service, members, event.end_ns)
        symbols = tuple(self._symbols[place] for place in members if self._fetchable[place])
        return StreamGap(
            service=event.service,
            source=self._source,
            run_id=self._run_id,
            reason=event.reason,
            start_ns=event.start_ns,
            end_ns=event.end_ns,
            missing=event.missing,
            instruments=len(members),
            symbols=symbols,
            state=GapState.OPEN if symbols else GapState.LOST,
            filled=None,
            absent=None,
            recorded_at=now_ns,
        )

    def heard(self, service: str, places: Int64s, at_ns: int) -> list[StreamGap]:
        """Note what was heard; return the unusual silences that are over, to be recorded.

        Args:
            service: Which service spoke.
            places: Of which instruments, as positions; empty if that does not matter.
            at_ns: When, nanoseconds UTC.
        """
        found: list[StreamGap] = []
        if service in self._members:
            number = np.array([self._services.index(service)], dtype=np.int64)
            for silence in self._by_service.heard(number, at_ns):
                found.append(self._silent_service(silence, at_ns))
                self._by_symbol.excuse(self._members[service], silence.end_ns)
        found += [self._silent_symbol(each, at_ns) for each in self._by_symbol.heard(places, at_ns)]
        self.suspected += found
        return found

    def look(self, now_ns: int) -> list[StreamGap]:
        """Suspect who is silent; return silences that ended with their session, to be recorded."""
        since = {name: _open_since(spans, now_ns) for name, spans in self._hours.items()}
        symbols = np.array([since[name] for name in self._calendars], dtype=np.int64)
        services = np.array([symbols[self._members[each]].min() for each in self._services])
        found = [
            self._silent_service(each, now_ns) for each in self._by_service.look(now_ns, services)
        ]
        silent = self._by_service.suspected
        for name in (self._services[number] for number in np.flatnonzero(silent)):
            # One silence of a service, not one of each of its instruments.
            mine = self._members[name][[self._own[i] == name for i in self._members[name]]]
            self._by_symbol.excuse(mine, now_ns)
        found += [
            self._silent_symbol(each, now_ns) for each in self._by_symbol.look(now_ns, symbols)
        ]
        self.suspected += found
        return found

    def silent_now(self) -> tuple[list[str], list[str]]:
        """Return the services and the symbols that are unusually silent now."""
        services = [self._services[i] for i in np.flatnonzero(self._by_service.suspected)]
        symbols = [self._symbols[i] for i in np.flatnonzero(self._by_symbol.suspected)]
        return services, symbols

    def _excuse(self, service: str, members: Int64s, end_ns: int) -> None:
        if service in self._members:
            number = np.array([self._services.index(service)], dtype=np.int64)
            self._by_service.excuse(number, end_ns)
            self._by_symbol.excuse(members, end_ns)

    def _silent_service(self, silence: Silence, now_ns: int) -> StreamGap:
        name = self._services[silence.place]
        return self._silent(name, len(self._members[name]), (), silence, now_ns)

    def _silent_symbol(self, silence: Silence, now_ns: int) -> StreamGap:
        symbol = self._symbols[silence.place]
        return self._silent(self._own[silence.place], 1, (symbol,), silence, now_ns)

    def _silent(
        self, service: str, count: int, symbols: tuple[str, ...], silence: Silence, now_ns: int
    ) -> StreamGap:
        return StreamGap(
            service=service,
            source=self._source,
            run_id=self._run_id,
            reason=SILENT,
            start_ns=silence.start_ns,
            end_ns=silence.end_ns,
            missing=None,
            instruments=count,
            symbols=symbols,
            state=GapState.SUSPECTED,
            filled=None,
            absent=None,
            recorded_at=now_ns,
        )


def _open_since(spans: SessionSpans, now_ns: int) -> int:
    """Return when the regular session began that is open, `CLOSED` when none is."""
    row = int(spans.row_of(np.array([now_ns], dtype=np.int64))[0])
    return int(spans.start[row]) if row >= 0 and spans.kind[row] == RTH else CLOSED
