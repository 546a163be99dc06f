"""End the work of live runs that were killed, before a new one begins.

A run publishes every update to Redis at once and to the archive once a minute, with a mark that
names the last update. What lies in the stream above the last mark is what a killed run still
owed to the archive; it is committed under the run's own next mark, so that doing it again does
nothing. Then the bars that were over by its last update are rebuilt from the stored trades.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import Clock
from infrastructure.exchange.calendars import calendar, date_of
from infrastructure.logging import get_logger
from infrastructure.redis.frames import decode_frame
from infrastructure.redis.streams import StreamEntry, entry_key
from system.algo_trader.feeds.live import GapEvent, Instrument
from system.algo_trader.market.bar_builder import DEFAULT_DEPTHS
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.session_spans import SessionSpans
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.market.trade_bars import TradeBars, bars_of
from system.algo_trader.market.trade_columns import TradeColumns
from system.algo_trader.pipeline.bar_rows import built_bars
from system.algo_trader.pipeline.hours import session_spans, was_any_open
from system.algo_trader.pipeline.run_notes import RUN, RunNote, RunNotes
from system.algo_trader.pipeline.sinks import ColdSink, Portion
from system.algo_trader.pipeline.tape_rows import quote_rows, trade_rows
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.hot_keys import TICKS
from system.algo_trader.storage.records import (
    QUOTE_SCHEMA,
    REJECT_SCHEMA,
    TRADE_SCHEMA,
    TRADES,
)

PROCESS_ENDED: Final = "the process ended"
_ENTRIES_A_TRIP: Final = 256
_DAYS_AHEAD: Final = 7
_LATE_NS: Final = 600_000_000_000
"""How late a trade may be that makes written bars be looked at again."""
_log = get_logger("pipeline.recovery")


class Entries(Protocol):
    """Read a stream: the part of the Redis client that is needed."""

    def xrange(
        self, stream: str, start: str = "-", end: str = "+", count: int | None = None
    ) -> list[StreamEntry]:
        """Return the entries from one id to another, both included."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold what Redis has of a run and the archive has not.

    Attributes:
        ticks: The updates, each once; None without any.
        is_cut: Whether updates before them are gone: the stream keeps so many and no more.
    """

    ticks: Ticks | None
    is_cut: bool


@dataclass(frozen=True, slots=True)
class RecoveredRun:
    """Say what a run had left undone.

    Attributes:
        run_id: Its name.
        updates: Updates that were in Redis and not in the archive, and now are.
        bars: Bars rebuilt from stored trades.
        gaps: From its last update to now, of each service, where a market was open: what came then
            is lost for good.
    """

    run_id: str
    updates: int
    bars: int
    gaps: tuple[GapEvent, ...]


class Recovery:
    """Find what ended runs owe to the archive.

    Args:
        notes: Of the runs.
        archive: The truth.
        cold: Stores what is found.
        entries: Reads Redis.
        clock: Tells the market's time.
        lateness_ns: How long after its end a bar waits for late trades.
    """

    def __init__(
        self,
        notes: RunNotes,
        archive: Archive,
        cold: ColdSink,
        entries: Entries,
        clock: Clock,
        lateness_ns: int,
    ) -> None:
        self._notes = notes
        self._archive = archive
        self._cold = cold
        self._entries = entries
        self._clock = clock
        self._lateness_ns = lateness_ns
        self._left: list[RunNote] = []
        self._over: list[RunNote] = []

    def recover(self) -> list[RecoveredRun]:
        """Commit what ended runs have left, and rebuild the bars that they did not write.

        What they missed is returned again and again, until `settled` says that it is stored.

        Raises:
            StackError: If Redis or the archive cannot be read or written; nothing is done twice
                when it is called again.
        """
        with self._notes.recovering():
            return [self._recover(note) for note in self._notes.left()]

    def settled(self) -> None:
        """Note that the gaps of ended runs are stored, and forget the runs without open bars."""
        left = {note.run_id for note in self._left}
        while self._over:
            note = self._over.pop()
            if note.run_id in left:
                self._notes.write(replace(note, services=(), heard_ns=None))
            else:
                self._notes.forget(note.run_id)

    def earlier(self, instruments: list[Instrument], source: Source) -> TradeColumns | None:
        """Return stored trades of bars that are still open, None without a run that left any.

        Args:
            instruments: Trades name them by position.
            source: The name of their records.
        """
        notes = [note for note in self._left if note.source == source]
        if not notes:
            return None
        calendars = {each.symbol: each.calendar for each in instruments}
        now = self._clock.now_ns()
        first = min(_first_ns(spans, now) for spans in _hours(set(calendars.values()), now))
        return _columns(self._trades(source, first, now), pa.array(list(calendars), pa.string()))

    def _recover(self, note: RunNote) -> RecoveredRun:
        source = Source(note.source)
        names = pa.array(list(note.calendars), pa.string())
        mark = self._mark(note.run_id)
        unstored = self._unstored(note, names, mark)
        found = unstored.ticks
        newest, updates, since = note.closed_ns, 0, note.closed_ns
        if found is not None:
            updates = len(found)
            newest = max(newest, int(found.ts_recv.max()))
            times = found.ts_trade[found.is_trade & (found.ts_trade > since - _LATE_NS)]
            # A late trade has changed a bar that had been written before.
            since = min(since, int(times.min()) if len(times) else since)
            self._cold.commit(
                [
                    Portion(
                        mark=f"stream/{note.run_id}/{mark}-{int(found.order.max()) + 1}",
                        trades=trade_rows(found, names, source),
                        quotes=quote_rows(found, names, source),
                        rejects=REJECT_SCHEMA.empty_table(),
                        bars=Bars.empty(),
                    )
                ]
            )
        # A simulated market may have gone back since; the run's own time goes on from its end.
        until = max(self._clock.now_ns(), newest) - self._lateness_ns
        bars, open_left = self._lost_bars(note, source, since, until)
        if len(bars):
            self._cold.commit(
                [
                    Portion(
                        mark=f"stream/{note.run_id}/bars-{until}",
                        trades=TRADE_SCHEMA.empty_table(),
                        quotes=QUOTE_SCHEMA.empty_table(),
                        rejects=REJECT_SCHEMA.empty_table(),
                        bars=bars,
                    )
                ]
            )
            self._cold.project(bars, ())
        heard_ns = note.closed_ns if unstored.is_cut else newest
        if note.heard_ns is not None:
            heard_ns = note.heard_ns
        known = replace(note, closed_ns=max(until, note.closed_ns), heard_ns=heard_ns)
        self._notes.write(known)
        self._over.append(known)
        if open_left:
            self._left.append(known)
        if updates:
            _log.warning(
                "run %s was killed: %d updates out of Redis and %d bars are stored now",
                *(note.run_id, updates, len(bars)),
            )
        if unstored.is_cut:
            _log.error(
                "run %s: Redis has dropped updates that were not stored; they count as a gap",
                note.run_id,
            )
        return RecoveredRun(note.run_id, updates, len(bars), self._gaps(note, heard_ns))

    def _gaps(self, note: RunNote, heard_ns: int) -> tuple[GapEvent, ...]:
        now = self._clock.now_ns()
        if now <= heard_ns or not was_any_open(note.calendars.values(), heard_ns, now):
            return ()
        return tuple(
            GapEvent(service, PROCESS_ENDED, heard_ns, now, None) for service in note.services
        )

    def _mark(self, run_id: str) -> int:
        """Return the number of the first update that is above every mark of a run."""
        prefix = f"stream/{run_id}/"
        ends = [
            commit.request_id[len(prefix) :].partition("-")[::2]
            for commit in self._archive.commits()
            if commit.request_id.startswith(prefix)
        ]
        return max((int(end) for first, end in ends if first.isdigit()), default=0)

    def _unstored(self, note: RunNote, names: pa.Array, mark: int) -> _Found:
        tables = []
        lowest = None
        for entry in self._after(note.after):
            rows = decode_frame(entry)
            if (rows.schema.metadata or {}).get(RUN) == note.run_id.encode():
                first = pc.min(rows.column("sequence")).as_py()
                lowest = first if lowest is None else min(lowest, first)
                fresh = rows.filter(pc.greater_equal(rows.column("sequence"), mark))
                if fresh.num_rows:
                    tables.append(fresh.replace_schema_metadata(None))
        is_cut = lowest is not None and lowest > mark and self._is_trimmed(note.after)
        if not tables:
            return _Found(None, is_cut)
        ticks = Ticks.of_batch(pa.concat_tables(tables).combine_chunks(), names)
        # A frame that went through the spool may lie in the stream twice or out of its order.
        _, first = np.unique(ticks.order, return_index=True)
        return _Found(ticks.take(first), is_cut)

    def _is_trimmed(self, last: str) -> bool:
        """Say whether entries behind an id may be gone: the stream begins behind it."""
        oldest = self._entries.xrange(TICKS.of(), count=1)
        return bool(oldest) and entry_key(oldest[0].id) > entry_key(last)

    def _after(self, last: str) -> Iterator[StreamEntry]:
        while True:
            found = self._entries.xrange(TICKS.of(), f"({last}", count=_ENTRIES_A_TRIP)
            yield from found
            if len(found) < _ENTRIES_A_TRIP:
                return
            last = found[-1].id

    def _lost_bars(
        self, note: RunNote, source: Source, since: int, until: int
    ) -> tuple[Bars, bool]:
        """Return the bars that were over between two instants, and whether any is open still."""
        parts = []
        open_left = False
        for name in sorted(set(note.calendars.values())):
            (spans,) = _hours({name}, since)
            mine = [each for each, of in note.calendars.items() if of == name]
            names = pa.array(mine, pa.string())
            trades = _columns(self._trades(source, _first_ns(spans, since), until), names)
            for timeframe in DEFAULT_DEPTHS:
                bars = bars_of(trades, timeframe, spans)
                over = bars.end <= until
                open_left |= not over.all()
                lost = over & (bars.end > since)
                if lost.any():
                    kept = TradeBars(
                        *(getattr(bars, field.name)[lost] for field in fields(TradeBars))
                    )
                    parts.append(built_bars(kept, timeframe, names, source, self._clock.now_ns()))
        return Bars.concat(parts), open_left

    def _trades(self, source: Source, first_ns: int, end_ns: int) -> pa.Table:
        found = self._archive.records(TRADES, None, first_ns, end_ns)
        return found.filter(pc.equal(found.column("source"), str(source)))


def _columns(trades: pa.Table, names: pa.Array) -> TradeColumns:
    """Return stored trades of some symbols as columns that name them by position."""
    known = trades.filter(pc.is_in(trades.column("symbol"), names))
    return TradeColumns.of(
        symbol=pc.index_in(known.column("symbol"), names).to_numpy(),
        ts_event=known.column("ts_event").to_numpy(),
        order=pc.fill_null(known.column("sequence"), NO_TIME).to_numpy(),
        price=known.column("price").to_numpy(),
        size=pc.fill_null(known.column("size"), 0).to_numpy(),
    )


def _hours(calendars: set[str], at_ns: int) -> list[SessionSpans]:
    day = date_of(at_ns)
    first, last = day - timedelta(days=2), day + timedelta(days=_DAYS_AHEAD)
    return [session_spans(calendar(name), first, last) for name in sorted(calendars)]


def _first_ns(spans: SessionSpans, at_ns: int) -> int:
    """Return where the trades begin of bars that are not over at an instant."""
    running = spans.day_end > at_ns
    return int(spans.start[running].min()) if running.any() else at_ns
