"""A live run: what a feed tells goes through the checks to Redis, bars, archive and InfluxDB."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from infrastructure.clock import Clock
from infrastructure.logging import get_logger
from system.algo_trader.feeds.live import (
    ActivityEvent,
    BarEvent,
    BookEvent,
    Channel,
    FeedEvent,
    FeedHealth,
    GapEvent,
    Instrument,
    LiveFeed,
    StatusEvent,
    TickEvent,
)
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.session_spans import SessionSpans
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.market.trade_columns import TradeColumns
from system.algo_trader.pipeline.bar_rows import streamed_bars
from system.algo_trader.pipeline.chart_check import Compared
from system.algo_trader.pipeline.counts import LiveCounts
from system.algo_trader.pipeline.gap_desk import Carried, GapDesk, carried_by_own
from system.algo_trader.pipeline.gap_log import GapLog
from system.algo_trader.pipeline.hours import market_words
from system.algo_trader.pipeline.keeper import LocalKeeper
from system.algo_trader.pipeline.live_metrics import Moment, document, live_metrics
from system.algo_trader.pipeline.pieces import (
    Built,
    Keeper,
    Kept,
    Piece,
    PieceBuffer,
    RunFacts,
    Told,
)
from system.algo_trader.pipeline.presence import Presence
from system.algo_trader.pipeline.run_notes import named_frame
from system.algo_trader.pipeline.sinks import ColdSink, HotFrame, HotSink
from system.algo_trader.pipeline.worker import Worker
from system.algo_trader.quality.tick_checks import TickChecks

_log = get_logger("pipeline.live")
_NS_PER_S = 1_000_000_000
_FIRST_CONNECTION_S: Final = 5.0
"""How long the first connection may take, in the machine's time, before it is a gap."""
Keeping = Callable[[RunFacts, Told], Keeper]


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """Hold the bounds of a live run.

    Attributes:
        lateness_s: How long after its end a bar waits for late trades, seconds.
        beat_s: How often bars are looked at, seconds.
        commit_s: How often the archive gets a portion, seconds.
        hot_limit: Frames that may wait for Redis.
        drain_s: How long the end may take, seconds.
        market_speed: How many times as fast as the machine's time the market's runs; latencies
            are counted in the machine's.
        measures: Whether latencies are measured: a replay's clock is its tape, which knows none.
    """

    lateness_s: float = 2.0
    beat_s: float = 0.25
    commit_s: float = 60.0
    hot_limit: int = 2_000
    drain_s: float = 60.0
    market_speed: float = 1.0
    measures: bool = True


@dataclass(slots=True)
class Sinks:
    """Name where a run puts what it has.

    Attributes:
        hot: For those who watch.
        cold: For good.
        keeping: Returns what collects for `cold`; by default it does so in this process.
    """

    hot: HotSink
    cold: ColdSink
    keeping: Keeping | None = None


class LiveRun:
    """Carry one feed's data through the house until it is told to stop.

    Args:
        feed: Where the data comes from.
        instruments: What to ask for.
        channels: Which kinds of data.
        hours: The hours of each calendar of the instruments.
        sinks: Where it goes.
        checks: Judges updates.
        run_id: The run's name, part of every mark.
        clock: Tells the time of arrival, and of the market.
        policy: The bounds.
        token_age_s: Tells the age of the sign-in for the metrics, None where there is none.
        carried: Returns the services that carry ticks or bars of an instrument.
        gap_states: Tells how many recorded gaps are in which state, by service.
        noted: Told the instant up to which the archive holds every closed bar.
        earlier: Trades of bars that are not over yet, from runs before this one.

    Attributes:
        counts: What was done so far.
        charts: How built bars compare with streamed ones.
        complaints: One sentence for each key that is not delivered.
        status: The feed's last word.
        waiting: Frames and portions that wait for their sinks.
        token_age_s: As it was given.
        gap_states: As it was given.
        beat_ns: When it last looked after itself, by the monotonic clock.
    """

    def __init__(
        self,
        feed: LiveFeed,
        instruments: Sequence[Instrument],
        channels: Sequence[Channel],
        *,
        hours: Mapping[str, SessionSpans],
        sinks: Sinks,
        checks: TickChecks,
        run_id: str,
        clock: Clock,
        policy: LivePolicy | None = None,
        token_age_s: Callable[[], float | None] = lambda: None,
        carried: Carried = carried_by_own,
        gap_states: Callable[[], Mapping[str, Mapping[str, int]]] = dict,
        noted: Callable[[int], None] = lambda closed_ns: None,
        earlier: TradeColumns | None = None,
    ) -> None:
        self._run_id = run_id
        self.token_age_s = token_age_s
        self.gap_states = gap_states
        self._feed = feed
        self._instruments = instruments
        self._channels = channels
        self._hours = hours
        self._sinks = sinks
        self._checks = checks
        # Loads its compiled loops, before anything waits for them.
        checks.check(Ticks.of_rows([]))
        self._clock = clock
        self._policy = policy if policy is not None else LivePolicy()
        self._source: Source = feed.facts.source.of_live
        self._names = pa.array([each.symbol for each in instruments], pa.string())
        self._calendars = {each.symbol: each.calendar for each in instruments}
        self._noted = noted
        self._closed_ns = clock.now_ns() - self._lateness_ns
        self._buffer = PieceBuffer()
        self._hot: Worker[HotFrame] = Worker("to-redis", self._publish, self._policy.hot_limit)
        facts = RunFacts(run_id, tuple(instruments), self._source, hours, self._closed_ns, earlier)
        keeping = sinks.keeping or partial(_keep_here, sinks.cold)
        self._keeper = keeping(facts, self._told)
        self._stopping = asyncio.Event()
        self.counts = LiveCounts()
        self._gap_desk = GapDesk(feed, instruments, hours, run_id, carried)
        self.charts = Compared()
        self.complaints: list[str] = []
        self.status = "not connected yet"
        self.waiting = (0, 0)
        self._presence = self._absent()
        self._owes_gap = False
        self._untaken: Piece | None = None
        self.beat_ns = clock.monotonic_ns()

    @property
    def _lateness_ns(self) -> int:
        return int(self._policy.lateness_s * _NS_PER_S)

    async def run(self) -> None:
        """Run until `stop`, then drain and flush.

        Raises:
            StackError: If the feed or a sink cannot go on; what came until then is drained as far
                as the sinks go.
        """
        self._presence = self._absent()
        try:
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(self._feed.run())
                reading = group.create_task(self._read())
                beating = group.create_task(self._beat())
                self.complaints += await self._feed.subscribe(self._instruments, self._channels)
                await self._stopping.wait()
                for gap in self._presence.ended(self._services, self._clock.now_ns()):
                    self.missed(gap)
                await self._feed.stop()
                await asyncio.wait([feeding, reading])
                beating.cancel()
        except Exception as failure:
            await self._drain(failure)
            raise
        await self._drain()

    @property
    def _services(self) -> list[str]:
        return sorted({each.service for each in self._instruments})

    def _absent(self) -> Presence:
        patience_ns = round(_FIRST_CONNECTION_S * self._policy.market_speed * _NS_PER_S)
        return Presence(self._clock.now_ns(), patience_ns)

    @property
    def gaps(self) -> GapLog:
        """Return what the feed said it missed."""
        return self._gap_desk.log

    @property
    def market(self) -> str:
        """Return which markets are open and until when, in words."""
        return market_words(self._hours, self._clock.now_ns())

    @property
    def health(self) -> FeedHealth:
        """Return how the feed is."""
        return self._feed.health()

    def stop(self) -> None:
        """End the run; called in its event loop."""
        self._stopping.set()

    def missed(self, gap: GapEvent) -> None:
        """Record what is known to be missing; the feed's own gaps come here too."""
        self.counts.gaps[gap.service] += 1
        self._buffer.add_gap(self._gap_desk.told(gap, self._clock.now_ns()))
        self._owes_gap = True
        _log.warning("%s: %s from %d to %d ns", gap.service, gap.reason, gap.start_ns, gap.end_ns)

    async def _read(self) -> None:
        async for event in self._feed.events():
            await self._take(event)

    async def _take(self, event: FeedEvent) -> None:
        if isinstance(event, TickEvent):
            await self._take_ticks(event)
        elif isinstance(event, BarEvent):
            self._take_bars(event)
        elif isinstance(event, BookEvent):
            self.counts.books += event.levels.num_rows
            await self._offer(HotFrame("books", event.levels, event.received_ns))
        elif isinstance(event, GapEvent):
            self.missed(event)
        elif isinstance(event, StatusEvent):
            self._take_status(event)
        elif isinstance(event, ActivityEvent):
            self.counts.activity += len(event.messages)

    async def _take_ticks(self, event: TickEvent) -> None:
        counts = self.counts
        counts.received[event.label] += len(event.ticks)
        checked = self._checks.check(event.ticks)
        ticks = checked.accepted
        if len(ticks):
            rows = named_frame(ticks.batch(self._names), self._run_id, event.label, self._source)
            await self._offer(HotFrame("ticks", rows, event.received_ns))
        # It is on its way: the rest is for those who wait less eagerly.
        counts.accepted[event.label] += len(ticks)
        for rule in checked.rules:
            counts.rejected[str(rule)] += 1
        self._buffer.add(checked)
        if not event.is_polled:
            self._presence.heard(event.received_ns)
            heard = self._gap_desk.heard(event.service, event.ticks.symbol, event.received_ns)
            self._suspect(heard)
        if self._policy.measures and len(ticks):
            newest = int(np.maximum(ticks.ts_quote, ticks.ts_trade).max())
            if newest != NO_TIME:
                counts.lag.add(self._machine_ns(event.received_ns - newest), len(ticks))

    def _take_bars(self, event: BarEvent) -> None:
        self.counts.chart_bars += event.bars.num_rows
        self._presence.heard(event.received_ns)
        nobody = np.empty(0, dtype=np.int64)
        self._suspect(self._gap_desk.heard(event.service, nobody, event.received_ns))
        source = self._feed.facts.source.of_chart
        for calendar, spans in self._hours.items():
            mine = [self._calendars[name] == calendar for name in event.bars["symbol"].to_pylist()]
            batch = event.bars.filter(pa.array(mine, pa.bool_()))
            if batch.num_rows:
                bars = streamed_bars(batch, spans, source, event.received_ns)
                self._buffer.add_streamed(bars)

    def _suspect(self, gaps: list[StreamGap]) -> None:
        """Record silences that were unusual; nothing is fetched for what may not be missing."""
        for gap in gaps:
            self.counts.suspected[gap.service] += 1
            self._buffer.add_gap(gap)
            _log.info(
                "%s %s: silent longer than usual from %d to %d ns",
                *(gap.service, ", ".join(gap.symbols) or "as a whole", gap.start_ns, gap.end_ns),
            )

    def _take_status(self, event: StatusEvent) -> None:
        self.status = event.words
        if event.at_ns is not None and event.connected:
            for gap in self._presence.connected(self._services, event.at_ns):
                self.missed(gap)
        elif event.at_ns is not None:
            self._presence.cut(event.at_ns)
        if event.refused:
            self.counts.unknown |= set(event.refused)
            self.complaints.append(event.words)
        elif event.connected:
            self.counts.reconnects = max(self._feed.health().connections - 1, 0)
        _log.info("%s", event.words)

    async def _offer(self, frame: HotFrame) -> None:
        while not self._hot.offer(frame):
            self.counts.held_back += 1
            await asyncio.sleep(self._policy.beat_s / 50)

    async def _beat(self) -> None:
        last_commit = self._clock.monotonic_ns()
        while True:
            await asyncio.sleep(self._policy.beat_s)
            self.beat_ns = self._clock.monotonic_ns()
            self.waiting = (len(self._hot), len(self._keeper))
            self._suspect(self._gap_desk.look(self._clock.now_ns()))
            is_due = self._clock.monotonic_ns() - last_commit >= self._policy.commit_s * _NS_PER_S
            if is_due:
                last_commit = self._clock.monotonic_ns()
                self._sinks.cold.project(Bars.empty(), self.metrics())
            # What is known to be missing is stored at once: no update in Redis stands for it.
            is_owed, self._owes_gap = self._owes_gap, False
            await self._hand_over(self._lateness_ns, is_due=is_due or is_owed)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the figures so far as rows of `pipeline_metrics`."""
        moment = Moment(
            self._run_id,
            self._clock.now_ns(),
            self.token_age_s(),
            self.waiting,
            self.gap_states(),
            self._gap_desk.silent_now(),
        )
        return live_metrics(self.counts, self.gaps, moment)

    def document(self) -> dict[str, Any]:
        """Return the figures so far for machines."""
        return document(self.counts, self.gaps, self._feed.health(), self.status) | {
            "charts": asdict(self.charts),
            "waiting": {"to_redis": self.waiting[0], "to_archive": self.waiting[1]},
            "complaints": self.complaints,
        }

    async def _hand_over(self, lateness_ns: int, *, is_due: bool) -> None:
        # A beat that was ended while its piece waited has left it here.
        await self._give_untaken()
        now = self._clock.now_ns()
        self._closed_ns = now - lateness_ns
        self._untaken = self._buffer.take(self._closed_ns, now, is_due=is_due)
        await self._give_untaken()

    async def _give_untaken(self) -> None:
        while self._untaken is not None and not self._keeper.take(self._untaken):
            self.counts.held_back += 1
            await asyncio.sleep(self._policy.beat_s)
        self._untaken = None

    async def _drain(self, failure: Exception | None = None) -> None:
        """Give out the bars that are over, commit what is held, and wait for the sinks.

        Bars that are still open are left: the trades they were built from are stored, and a bar
        that is not over is never written.

        Args:
            failure: Why the run has failed, if it has: that is raised by the caller, and what keeps
                the drain from its work besides is logged.
        """
        for step in (self._hand_over_last, self._close_redis, self._close_archive):
            try:
                await step()
            except Exception as error:
                if failure is None:
                    raise
                if not _is_part_of(error, failure):
                    _log.error("not everything is drained: %s", error)

    async def _hand_over_last(self) -> None:
        try:
            async with asyncio.timeout(self._policy.drain_s):
                await self._hand_over(0, is_due=True)
        except TimeoutError:
            self._say_late("the archive")
        self._sinks.cold.project(Bars.empty(), self.metrics())

    async def _close_redis(self) -> None:
        await self._close("Redis", self._hot.close)

    async def _close_archive(self) -> None:
        await self._close("the archive", self._keeper.close)

    async def _close(self, name: str, close: Callable[[float], bool]) -> None:
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(None, close, self._policy.drain_s):
            self._say_late(name)

    def _say_late(self, name: str) -> None:
        _log.error("%s did not take everything in %g s", name, self._policy.drain_s)

    def _publish(self, frames: list[HotFrame]) -> None:
        self._sinks.hot.publish(frames)
        now = self._clock.now_ns()
        for frame in frames:
            if self._policy.measures:
                took = self._machine_ns(now - frame.received_ns)
                self.counts.to_redis.add(took, frame.rows.num_rows)
            if frame.kind == "ticks":
                self.counts.published += frame.rows.num_rows

    def _machine_ns(self, market_ns: int) -> int:
        return round(market_ns / self._policy.market_speed)

    def _told(self, news: Kept | Built) -> None:
        """Take in what the keeper has built and stored; called in any thread."""
        counts = self.counts
        if isinstance(news, Kept):
            counts.stored += news.rows
            counts.write_errors = news.write_errors
            self._noted(news.closed_ns)
        else:
            counts.bars = Counter(news.bars)
            counts.late, counts.beyond, counts.outside = news.late, news.beyond, news.outside
            self.charts = news.charts


def _is_part_of(error: Exception, failure: Exception) -> bool:
    if isinstance(failure, ExceptionGroup):
        return failure.subgroup(lambda each: each is error) is not None
    return failure is error


def _keep_here(cold: ColdSink, facts: RunFacts, told: Told) -> Keeper:
    return LocalKeeper(facts, cold, told)
