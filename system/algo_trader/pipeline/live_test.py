"""Judge a live run with a feed that plays written events, by what its sinks then hold."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import SignInRequired
from infrastructure.exchange.calendars import calendar
from system.algo_trader.feeds.live import (
    BarEvent,
    Channel,
    FeedEvent,
    FeedFacts,
    FeedHealth,
    GapEvent,
    Instrument,
    StatusEvent,
    TickEvent,
)
from system.algo_trader.feeds.schwab_frames import CHART_SCHEMA
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import Ticks
from system.algo_trader.pipeline.hours import session_spans
from system.algo_trader.pipeline.keeper import LocalKeeper
from system.algo_trader.pipeline.live import LivePolicy, LiveRun, Sinks
from system.algo_trader.pipeline.pieces import Piece, RunFacts, Told
from system.algo_trader.pipeline.presence import CONNECTED_LATE, STOPPED_WITHOUT
from system.algo_trader.pipeline.sinks import HotFrame, Portion
from system.algo_trader.quality.tick_checks import TickChecks
from system.algo_trader.quality.tick_rules import TickRule

S = 1_000_000_000
OPEN = 1_710_163_800 * S
"""2024-03-11T13:30Z, a Monday."""
INSTRUMENTS = [
    Instrument("AAPL", "AAPL", "LEVELONE_EQUITIES", "XNYS"),
    Instrument("MSFT", "MSFT", "LEVELONE_EQUITIES", "XNYS"),
]


class PlayedFeed:
    """Play events and wait for the end."""

    facts = FeedFacts(Source.SCHWAB_SIM, "none", "played", True, True)

    def __init__(self, events: Sequence[FeedEvent]) -> None:
        self._events = events
        self._stopped = asyncio.Event()
        self.played = asyncio.Event()

    def resolve(self, symbols: Sequence[str]) -> list[Instrument]:
        return list(INSTRUMENTS)

    async def subscribe(
        self, instruments: Sequence[Instrument], channels: Sequence[Channel]
    ) -> list[str]:
        return ["ZVZZT is not streamed"]

    async def events(self) -> AsyncIterator[FeedEvent]:
        for event in self._events:
            yield event
        self.played.set()
        await self._stopped.wait()

    async def run(self) -> None:
        await self._stopped.wait()

    async def stop(self) -> None:
        self._stopped.set()

    def backfill_series(self, instrument: Instrument) -> Series | None:
        return None

    def health(self) -> FeedHealth:
        return FeedHealth(True, 2, 0, 0, 0, 0, 0, {})


class Kept:
    """Remember what a run hands out."""

    write_errors = 0

    def __init__(self) -> None:
        self.frames: list[HotFrame] = []
        self.portions: list[Portion] = []
        self.projected: list[Bars] = []

    def publish(self, frames: list[HotFrame]) -> None:
        self.frames += frames

    def commit(self, portions: list[Portion]) -> None:
        self.portions += portions

    def project(self, bars: Bars, metrics: Sequence[dict[str, object]]) -> None:
        self.projected.append(bars)


def seeded_ticks(count: int) -> Ticks:
    """Updates of two symbols over five minutes; each shows a trade and a quote."""
    rng = np.random.default_rng(11)
    at = OPEN + np.sort(rng.integers(0, 300 * 1000, count)) * (S // 1000)
    price = 100 + rng.integers(-50, 50, count) / 100
    size = rng.integers(1, 200, count)
    ones = np.ones(count, dtype=np.bool_)
    return Ticks(
        symbol=rng.integers(0, 2, count),
        order=np.arange(count),
        ts_recv=at + 1_000_000,
        ts_quote=at,
        ts_trade=at,
        bid=price - 0.05,
        ask=price + 0.05,
        bid_size=size,
        ask_size=size + 1,
        last=price,
        last_size=size,
        volume=size,
        total=np.arange(count) + 1_000_000,
        is_quote=ones,
        is_trade=ones,
    )


def live_run(feed: PlayedFeed, sinks: Sinks, clock: VirtualClock, policy: LivePolicy) -> LiveRun:
    return LiveRun(
        feed,
        INSTRUMENTS,
        [Channel.TICKS],
        hours={"XNYS": session_spans(calendar("XNYS"), date(2024, 3, 11), date(2024, 3, 11))},
        sinks=sinks,
        checks=TickChecks(2),
        run_id="r1",
        clock=clock,
        policy=policy,
    )


def carry_out(events: Sequence[FeedEvent], now_ns: int) -> tuple[LiveRun, Kept]:
    """Run events through a whole run and stop it."""
    kept = Kept()

    async def work() -> LiveRun:
        feed = PlayedFeed(events)
        run = LiveRun(
            feed,
            INSTRUMENTS,
            [Channel.TICKS, Channel.BARS],
            hours={"XNYS": session_spans(calendar("XNYS"), date(2024, 3, 11), date(2024, 3, 11))},
            sinks=Sinks(kept, kept),
            checks=TickChecks(2),
            run_id="r1",
            clock=VirtualClock(now_ns),
            policy=LivePolicy(beat_s=0.01),
        )
        running = asyncio.create_task(run.run())
        await feed.played.wait()
        run.stop()
        await running
        return run

    return asyncio.run(work()), kept


def test_every_update_is_in_redis_and_archive_and_the_bars_are_those_of_polars() -> None:
    ticks = seeded_ticks(3_000)
    events = [
        TickEvent("LEVELONE_EQUITIES", ticks.take(rows), int(ticks.ts_recv[rows[-1]]))
        for rows in np.array_split(np.arange(3_000), 150)
    ]
    run, kept = carry_out(events, OPEN + 600 * S)
    assert sum(frame.rows.num_rows for frame in kept.frames) == 3_000
    trades = pa.concat_tables([portion.trades for portion in kept.portions])
    quotes = pa.concat_tables([portion.quotes for portion in kept.portions])
    assert trades.column("sequence").to_pylist() == list(range(3_000))
    assert quotes.num_rows == 3_000
    assert set(trades.column("source").to_pylist()) == {"schwab-sim-live"}
    assert set(trades.column("is_synthetic").to_pylist()) == {True}
    assert [portion.mark for portion in kept.portions] == ["stream/r1/0-3000"]

    names = np.array(["AAPL", "MSFT"])
    expected = (
        pl.DataFrame(
            {
                "symbol": names[ticks.symbol],
                "start": ticks.ts_trade // (60 * S) * (60 * S),
                "price": ticks.last,
                "size": ticks.volume,
            }
        )
        .group_by("symbol", "start", maintain_order=True)
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("size").sum(),
        )
        .sort("symbol", "start")
    )
    stored = Bars.concat([portion.bars for portion in kept.portions])
    minutes = stored.where(stored.equals("timeframe", "1m")).table.select(expected.columns)
    assert pl.DataFrame(pl.from_arrow(minutes)).sort("symbol", "start").equals(expected)
    assert sum(len(bars) for bars in kept.projected) == len(stored)
    assert run.counts.published == 3_000
    assert run.counts.stored == 6_000


def test_what_is_refused_is_kept_with_its_rule_and_reaches_nobody() -> None:
    ticks = seeded_ticks(3)
    bad = Ticks(*(getattr(ticks, name).copy() for name in Ticks.__dataclass_fields__))
    bad.ask[1] = 1e9
    run, kept = carry_out([TickEvent("LEVELONE_EQUITIES", bad, OPEN)], OPEN + 600 * S)
    (portion,) = kept.portions
    (row,) = portion.rejects.to_pylist()
    assert (row["rule"], '"ask": 1000000000.0' in row["content"]) == ("price_range", True)
    assert sum(frame.rows.num_rows for frame in kept.frames) == 2
    assert run.counts.rejected == Counter({str(TickRule.PRICE_RANGE): 1})
    assert portion.mark == "stream/r1/0-3"


def test_bars_that_are_not_over_are_not_written_and_their_trades_are() -> None:
    ticks = seeded_ticks(3_000)
    ticks = ticks.take(np.flatnonzero(ticks.ts_trade < OPEN + 50 * S)[:50])
    event = TickEvent("LEVELONE_EQUITIES", ticks, OPEN)
    _, kept = carry_out([event], OPEN)
    (portion,) = kept.portions
    assert (len(portion.bars), portion.trades.num_rows) == (0, 50)


def test_a_streamed_bar_is_compared_with_the_one_built_here() -> None:
    ticks = seeded_ticks(400).take(np.arange(40))
    mine = ticks.take((ticks.symbol == 0) & (ticks.ts_trade < OPEN + 60 * S))
    row = [
        *("AAPL", OPEN, mine.last[0], mine.last.max(), mine.last.min(), mine.last[-1]),
        *(int(mine.volume.sum()), 1),
    ]
    other = [*row[:1], OPEN + 60 * S, *row[2:]]
    pairs = zip(row, other, strict=True)
    bars = pa.RecordBatch.from_arrays(
        [pa.array(pair, field.type) for pair, field in zip(pairs, CHART_SCHEMA, strict=True)],
        schema=CHART_SCHEMA,
    )
    run, kept = carry_out(
        [TickEvent("LEVELONE_EQUITIES", ticks, OPEN), BarEvent("CHART_EQUITY", bars, OPEN)],
        OPEN + 600 * S,
    )
    assert run.charts.equal == 1
    sources = Bars.concat([portion.bars for portion in kept.portions]).table.column("source")
    assert {"schwab-sim-live", "schwab-sim-chart"} == set(sources.to_pylist())


def test_gaps_and_complaints_are_known() -> None:
    gaps = [
        GapEvent("CHART_EQUITY", "sequence", OPEN, OPEN + 2 * S, 3),
        GapEvent("CHART_EQUITY", "disconnected", OPEN + S, OPEN + 5 * S, None),
    ]
    refused = StatusEvent(True, None, "CHART_EQUITY refuses 1 keys: no", ("XX",))
    run, _ = carry_out([*gaps, refused, StatusEvent(True, 0, "connected")], OPEN)
    assert run.gaps.missing("CHART_EQUITY") == 3
    assert run.gaps.seconds("CHART_EQUITY") == 5.0
    assert run.gaps.touching(OPEN + 4 * S, OPEN + 9 * S, "CHART_EQUITY")
    assert not run.gaps.touching(OPEN + 5 * S, OPEN + 9 * S, "CHART_EQUITY")
    assert run.complaints == ["ZVZZT is not streamed", "CHART_EQUITY refuses 1 keys: no"]
    assert (run.counts.unknown, run.counts.reconnects) == ({"XX"}, 1)


def test_a_stop_without_a_connection_leaves_a_gap_since_the_last_update() -> None:
    ticks = seeded_ticks(5)
    heard = OPEN + 100 * S
    events: list[FeedEvent] = [
        StatusEvent(True, OPEN, "connected"),
        TickEvent("LEVELONE_EQUITIES", ticks, heard),
        StatusEvent(False, heard + 6 * S, "disconnected: no answer"),
    ]
    run, kept = carry_out(events, OPEN + 600 * S)
    assert run.gaps.seconds("LEVELONE_EQUITIES") == 500.0
    [row] = pa.concat_tables([portion.gaps for portion in kept.portions]).to_pylist()
    assert (row["reason"], row["start"]) == (STOPPED_WITHOUT, heard)
    again, _ = carry_out([*events, StatusEvent(True, heard + 9 * S, "connected")], OPEN + 600 * S)
    assert again.gaps.seconds("LEVELONE_EQUITIES") == 0.0


def test_a_sink_that_fails_ends_the_run() -> None:
    class Full(Kept):
        def commit(self, portions: list[Portion]) -> None:
            raise OSError("no space left")

    async def work() -> None:
        feed = PlayedFeed([TickEvent("LEVELONE_EQUITIES", seeded_ticks(5), OPEN)])
        run = LiveRun(
            feed,
            INSTRUMENTS,
            [Channel.TICKS],
            hours={"XNYS": session_spans(calendar("XNYS"), date(2024, 3, 11), date(2024, 3, 11))},
            sinks=Sinks(Kept(), Full()),
            checks=TickChecks(2),
            run_id="r1",
            clock=VirtualClock(OPEN),
        )
        running = asyncio.create_task(run.run())
        await feed.played.wait()
        run.stop()
        await running

    with pytest.raises(OSError, match="no space"):
        asyncio.run(work())


def reasons(kept: Kept) -> list[str]:
    stored = pa.concat_tables([portion.gaps for portion in kept.portions])
    return [str(reason) for reason in stored.column("reason").to_pylist()]


def test_a_gap_is_stored_at_once_and_not_with_the_minute() -> None:
    kept = Kept()

    async def work() -> None:
        feed = PlayedFeed([GapEvent("LEVELONE_EQUITIES", "sequence", OPEN, OPEN + S, 3)])
        run = live_run(feed, Sinks(kept, kept), VirtualClock(OPEN), LivePolicy(beat_s=0.01))
        running = asyncio.create_task(run.run())
        async with asyncio.timeout(20):
            while not kept.portions:
                await asyncio.sleep(0.01)
        assert reasons(kept) == ["sequence"]
        run.stop()
        await running

    asyncio.run(work())


def test_a_feed_that_fails_leaves_nothing_unstored() -> None:
    kept = Kept()

    class Refused(PlayedFeed):
        async def run(self) -> None:
            await self.played.wait()
            raise SignInRequired("refused")

    async def work() -> None:
        feed = Refused([TickEvent("LEVELONE_EQUITIES", seeded_ticks(5), OPEN)])
        run = live_run(feed, Sinks(kept, kept), VirtualClock(OPEN), LivePolicy())
        run.missed(GapEvent("LEVELONE_EQUITIES", "not running", OPEN - S, OPEN, None))
        await run.run()

    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(work())
    assert failed.group_contains(SignInRequired)
    assert reasons(kept) == ["not running"]
    assert sum(portion.trades.num_rows for portion in kept.portions) == 5
    assert sum(frame.rows.num_rows for frame in kept.frames) == 5
    left = {thread.name for thread in threading.enumerate()}
    assert not left & {"to-redis", "to-archive"}


def test_what_a_failed_run_cannot_store_is_said_too(caplog: pytest.LogCaptureFixture) -> None:
    class Full(Kept):
        def commit(self, portions: list[Portion]) -> None:
            raise OSError("no space left")

    class Refused(PlayedFeed):
        async def run(self) -> None:
            await self.played.wait()
            raise SignInRequired("refused")

    async def work() -> None:
        feed = Refused([TickEvent("LEVELONE_EQUITIES", seeded_ticks(5), OPEN)])
        await live_run(feed, Sinks(Kept(), Full()), VirtualClock(OPEN), LivePolicy()).run()

    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(work())
    assert failed.group_contains(SignInRequired)
    assert "not everything is drained: no space left" in caplog.text


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([], STOPPED_WITHOUT),
        ([StatusEvent(True, OPEN + 60 * S, "connected")], CONNECTED_LATE),
    ],
    ids=["never", "late"],
)
def test_a_run_knows_what_it_missed_before_its_first_connection(
    events: list[FeedEvent], reason: str
) -> None:
    kept = Kept()

    async def work() -> None:
        clock = VirtualClock(OPEN)
        feed = PlayedFeed(events)
        run = live_run(feed, Sinks(kept, kept), clock, LivePolicy(beat_s=0.01))
        running = asyncio.create_task(run.run())
        await feed.played.wait()
        clock.advance(seconds=60)
        run.stop()
        await running

    asyncio.run(work())
    [row] = pa.concat_tables([portion.gaps for portion in kept.portions]).to_pylist()
    assert (row["reason"], row["start"], row["end"]) == (reason, OPEN, OPEN + 60 * S)


class Reluctant:
    """Take nothing as long as it is told so."""

    def __init__(self, facts: RunFacts, told: Told, kept: Kept) -> None:
        self._keeper = LocalKeeper(facts, kept, told)
        self.is_full = True

    def take(self, piece: Piece) -> bool:
        return not self.is_full and self._keeper.take(piece)

    def __len__(self) -> int:
        return len(self._keeper)

    def close(self, timeout_s: float) -> bool:
        return self._keeper.close(timeout_s)


@pytest.mark.parametrize("is_freed", [True, False])
def test_a_piece_that_waits_at_the_end_is_stored_or_said_to_be_late(
    is_freed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept()

    async def work() -> None:
        keepers: list[Reluctant] = []

        def keeping(facts: RunFacts, told: Told) -> Reluctant:
            keepers.append(Reluctant(facts, told, kept))
            return keepers[0]

        feed = PlayedFeed([TickEvent("LEVELONE_EQUITIES", seeded_ticks(50), OPEN)])
        policy = LivePolicy(beat_s=0.01, drain_s=20.0 if is_freed else 0.1)
        run = live_run(feed, Sinks(kept, kept, keeping), VirtualClock(OPEN), policy)
        running = asyncio.create_task(run.run())
        await feed.played.wait()
        while not run.counts.held_back:
            await asyncio.sleep(0.01)
        run.stop()
        await asyncio.sleep(0.05)
        keepers[0].is_full = not is_freed
        async with asyncio.timeout(20):
            await running

    asyncio.run(work())
    stored = sum(portion.trades.num_rows for portion in kept.portions)
    assert stored == (50 if is_freed else 0)
    assert ("the archive did not take everything" in caplog.text) is not is_freed
