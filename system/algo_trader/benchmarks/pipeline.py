"""How much of a live market the pipeline carries, and whether anything is lost on the way.

A local Schwab in another process streams invented ticks over a real socket; the pipeline checks
them and puts them into a real Valkey, the archive and the embedded InfluxDB. What each place
holds at the end is counted there, and compared with what the source says it has sent.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import requests

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import SystemClock
from infrastructure.config import Secret
from infrastructure.exchange.calendars import calendar, date_of
from infrastructure.schwab.oauth.client import OAuthClient
from infrastructure.schwab.streamer.details import streamer_info
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from infrastructure.simulators.schwab.app_registration import (
    DEFAULT_CALLBACK_URL,
    SIMULATED_APP_KEY,
    SIMULATED_APP_SECRET,
)
from infrastructure.simulators.schwab.consent import approve
from system.algo_trader.benchmarks.pipeline_feeder import Feeder
from system.algo_trader.benchmarks.pipeline_reader import ReaderProcess
from system.algo_trader.benchmarks.pipeline_source import FRAME_S, SERVICES
from system.algo_trader.benchmarks.processes import Usage, resident_bytes
from system.algo_trader.benchmarks.report import BenchRow
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.feeds.live import Channel, Instrument
from system.algo_trader.feeds.schwab_stream import SchwabStreamFeed
from system.algo_trader.market.source import Source
from system.algo_trader.pipeline.cold_messages import Places
from system.algo_trader.pipeline.cold_process import ColdProcess
from system.algo_trader.pipeline.hours import session_spans
from system.algo_trader.pipeline.latency import Latencies
from system.algo_trader.pipeline.live import LivePolicy, LiveRun, Sinks
from system.algo_trader.pipeline.market_clock import MarketClock
from system.algo_trader.pipeline.redis_sink import RedisSink
from system.algo_trader.pipeline.turns import short_turns
from system.algo_trader.quality.tick_checks import TickChecks
from system.algo_trader.realm import Realm
from system.algo_trader.services import Services
from system.algo_trader.settings import load
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.hot_keys import BOOKS, LEVEL2_CHANNEL, TICK_CHANNEL, TICKS
from system.algo_trader.storage.records import QUOTES, TRADES

SYMBOLS: Final = 1_000
RATE: Final = 10_000
SECONDS: Final = 60.0
BURST: Final = 20
QUIET: Final = 7
"""Before and after a burst so much less than the steady rate comes."""
BURST_S: Final = 2.0
BURSTS: Final = 3
LADDER: Final = (20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000)
RUNG_S: Final = 5.0
TO_REDIS_MS: Final = 5.0
_SETTLE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Say what is carried.

    Attributes:
        symbols: How many symbols, half of each service.
        rate: Updates a second.
        seconds: How long.
        bursts: Twentyfold bursts of a quieter stream afterwards, two seconds each.
        ladder: Rates that are tried after that, each for some seconds, until one is not carried.
        commit_s: How often the archive is written.
    """

    symbols: int = SYMBOLS
    rate: int = RATE
    seconds: float = SECONDS
    bursts: int = 0
    ladder: tuple[int, ...] = ()
    commit_s: float = 60.0

    @property
    def outlasts_the_stream(self) -> bool:
        """Return whether Redis forgets the first frames before the last ones come."""
        assert TICKS.max_length is not None
        return 2 * self.seconds / FRAME_S > 0.5 * TICKS.max_length


@dataclass(frozen=True, slots=True)
class Rung:
    """Say how a rate was carried.

    Attributes:
        asked: Updates a second that the source was asked for.
        sent: Updates a second that it sent.
        received: Updates a second that arrived.
        waiting: Updates that waited in queues at its end.
        p99_ms: From socket to Redis.
        cores: What each process used.
    """

    asked: int
    sent: float
    received: float
    waiting: int
    p99_ms: float
    cores: Mapping[str, float]

    @property
    def is_carried(self) -> bool:
        """Return whether all that was sent arrived while the next was sent."""
        return self.received >= 0.98 * self.sent and self.waiting < 0.1 * self.sent

    @property
    def broke(self) -> str:
        """Return what gave in first, empty while nothing did."""
        if self.is_carried and self.sent >= 0.9 * self.asked:
            return ""
        name, used = max(self.cores.items(), key=lambda each: each[1])
        return f"the {name}, at {100 * used:.0f} % of a core"


@dataclass(frozen=True, slots=True)
class Counted:
    """Say where how many updates were.

    Attributes:
        sent: Updates that the source sent.
        received: Updates that the pipeline received.
        accepted: Updates that passed its checks.
        in_redis: Rows of frames in the stream.
        rows: Trades and quotes that the accepted updates show.
        archived: Trades and quotes in the archive.
        in_influxdb: Trades and quotes in InfluxDB.
        carried: Updates a second at the steady rate.
        p50_ms: From socket to Redis at the steady rate.
        p99_ms: Likewise.
        rss_growth: Share by which the most memory of run and store together in the last third of
            the steady time passes that of the second third.
        gaps: Gaps that the stream reported.
        conflated: Updates that newer ones took the place of, because the run was slow.
        bursts: Updates a second in each burst.
        burst_p99_ms: From socket to Redis within bursts; None without any.
        rungs: Of the ladder.
    """

    sent: int
    received: int
    accepted: int
    in_redis: int
    rows: int
    archived: int
    in_influxdb: int
    carried: float
    p50_ms: float
    p99_ms: float
    rss_growth: float
    gaps: int
    conflated: int
    bursts: tuple[float, ...]
    burst_p99_ms: float | None
    rungs: tuple[Rung, ...]

    @property
    def lost(self) -> int:
        """Return how many updates or rows are missing somewhere."""
        return (
            abs(self.sent - self.received)
            + abs(self.accepted - self.in_redis)
            + abs(self.rows - self.archived)
            + abs(self.rows - self.in_influxdb)
            + self.conflated
        )


def instruments(symbols: int) -> list[Instrument]:
    """Return the invented symbols, half of each service."""
    return [
        Instrument(f"{prefix}{number:04d}", f"{prefix}{number:04d}", service, "XNYS")
        for service, prefix in SERVICES.items()
        for number in range(symbols // 2)
    ]


def run(symbols: int = SYMBOLS, rate: int = RATE, seconds: float = SECONDS) -> Sequence[BenchRow]:
    """Measure one run: the steady rate, bursts of twenty times it, and the highest rate.

    Args:
        symbols: How many symbols.
        rate: Updates a second.
        seconds: How long.
    """
    counted = measure(Plan(symbols, rate, seconds, bursts=BURSTS, ladder=LADDER))
    what = f"{symbols:,} symbols, {rate:,} updates/s, {seconds:g} s"
    rows = [
        BenchRow(f"updates carried, {what}", "updates/s", counted.carried, "at least", 0.99 * rate),
        BenchRow(
            "updates lost between source, Redis, archive and InfluxDB, all of the run",
            *("updates", counted.lost, "at most", 0.0),
        ),
        BenchRow(f"socket to Redis, p50, {what}", "ms", counted.p50_ms, "at most"),
        BenchRow(f"socket to Redis, p99, {what}", "ms", counted.p99_ms, "at most", TO_REDIS_MS),
        BenchRow(
            f"growth of memory, {what}", "%", max(100 * counted.rss_growth, 0.0), "at most", 5.0
        ),
    ]
    if counted.bursts:
        quiet = rate // QUIET
        rows += [
            BenchRow(
                f"least of {BURSTS} bursts of {BURST} times {quiet:,} updates/s, {BURST_S:g} s",
                *("updates/s", min(counted.bursts), "at least", 0.9 * BURST * quiet),
            ),
            BenchRow(
                "socket to Redis within bursts, p99",
                *("ms", counted.burst_p99_ms or 0.0, "at most"),
            ),
        ]  # fmt: skip
    carried = [rung for rung in counted.rungs if rung.is_carried]
    broke = next((rung.broke for rung in counted.rungs if rung.broke), "nothing yet")
    if carried:
        best = max(carried, key=lambda rung: rung.received)
        used = ", ".join(f"{name} {cores:.2f}" for name, cores in best.cores.items())
        rows.append(
            BenchRow(
                f"highest rate without loss (cores: {used}; gives in first: {broke})",
                *("updates/s", best.received, "at least"),
            )
        )
    return rows


def measure(plan: Plan) -> Counted:
    """Run the pipeline over a home of its own, and count what is where."""
    with tempfile.TemporaryDirectory(prefix="at-") as home, ExitStack() as stack:
        feeder = Feeder(plan.symbols)
        stack.callback(feeder.close)
        settings = replace(
            load({}, environment={"ALGO_TRADER_HOME": home}, workspace=Path(home)),
            probe_default_ports=False,
        )
        realm = Realm.sim(settings.home)
        services = stack.enter_context(Services(settings, realm))
        redis = stack.enter_context(AlgoTraderRedisClient(services.redis_url(), realm))
        token = services.influxdb_token()
        places = Places(
            realm,
            services.redis_url(),
            services.influxdb_url(),
            None if token is None else token.reveal(),
            "WARNING",
            False,
        )
        influx = stack.enter_context(
            AlgoTraderInfluxDBClient(services.influxdb_url(), realm, token)
        )
        influx.ensure_tables()
        pids = {row.name: row.pid for row in services.status() if row.pid is not None}
        stack.enter_context(short_turns())
        return asyncio.run(_Run(feeder, plan, pids, stack).measure(places, redis, influx))


class _Run:
    """Carry out a plan.

    Args:
        feeder: The source.
        plan: What is carried.
        pids: Of the servers, by name.
        stack: Ends what it starts.
    """

    def __init__(
        self, feeder: Feeder, plan: Plan, pids: Mapping[str, int], stack: ExitStack
    ) -> None:
        self._stack = stack
        self._feeder = feeder
        self._plan = plan
        self._pids = {"source": feeder.pid, "pipeline": os.getpid(), **pids}
        self._memory: list[int] = []

    async def measure(
        self, places: Places, redis: AlgoTraderRedisClient, influx: AlgoTraderInfluxDBClient
    ) -> Counted:
        """Run it and count."""
        plan, feeder = self._plan, self._feeder
        machine = SystemClock()
        offset_ns = feeder.market_ns - machine.now_ns()
        clock = MarketClock(lambda: machine.now_ns() + offset_ns, machine)
        today = date_of(clock.now_ns())
        hours = session_spans(calendar("XNYS"), today - timedelta(1), today + timedelta(7))
        with (
            ColdProcess(places) as cold,
            _signed_in(feeder.url) as (client, token),
            redis.frame_bus(TICKS, TICK_CHANNEL) as ticks,
            redis.frame_bus(BOOKS, LEVEL2_CHANNEL) as books,
        ):
            self._pids["store"] = cold.pid
            reader = self._reader(places) if plan.outlasts_the_stream else None
            streamer = SchwabStreamer(
                lambda: streamer_info(client.user_preference()), lambda forced: token, clock=clock
            )
            await streamer.warm_up()
            feed = SchwabStreamFeed(streamer, Source.SCHWAB_SIM, today)
            live = LiveRun(
                feed,
                instruments(plan.symbols),
                [Channel.TICKS],
                hours={"XNYS": hours},
                sinks=Sinks(RedisSink(ticks, books), cold, cold.keeper),
                checks=TickChecks(plan.symbols),
                run_id="bench",
                clock=clock,
                policy=LivePolicy(commit_s=min(plan.commit_s, max(plan.seconds / 3, 1.0))),
            )
            running = asyncio.create_task(live.run())
            await _until(lambda: live.counts.received.total() >= plan.symbols, running)
            steady = await self._hold(live, running, plan.rate, plan.seconds)
            p50 = live.counts.to_redis.quantile_ms(0.5) or 0.0
            memory = self._memory
            bursts = [await self._burst(live, running) for _ in range(plan.bursts)]
            rungs = []
            for rate in plan.ladder:
                rungs.append(await self._hold(live, running, rate, RUNG_S))
                if rungs[-1].broke:
                    break
            sent = sum((await asyncio.to_thread(feeder.end)).values())
            await _until(lambda: live.counts.received.total() >= sent, running)
            live.stop()
            await running
        influx.deliver_waiting(_SETTLE_S)
        counts, archive = live.counts, Archive(places.realm.archive)
        third = max(len(memory) // 3, 1)
        return Counted(
            sent=sent,
            received=counts.received.total(),
            accepted=counts.accepted.total(),
            in_redis=_rows_in_redis(redis) if reader is None else reader.rows(),
            rows=counts.stored,
            archived=sum(part.rows for name in (TRADES, QUOTES) for part in archive.files(name)),
            in_influxdb=sum(_rows_in_influxdb(influx, name) for name in (TRADES, QUOTES)),
            carried=steady.received,
            p50_ms=p50,
            p99_ms=steady.p99_ms,
            rss_growth=max(memory[-third:]) / max(memory[third : 2 * third] or memory) - 1,
            gaps=len(live.gaps),
            conflated=feed.health().conflated,
            bursts=tuple(rung.received for rung in bursts),
            burst_p99_ms=max((rung.p99_ms for rung in bursts), default=None),
            rungs=tuple(rungs),
        )

    def _reader(self, places: Places) -> ReaderProcess:
        reader = ReaderProcess(places.realm.home, places.redis_url)
        self._stack.callback(reader.close)
        return reader

    async def _hold(
        self, live: LiveRun, running: asyncio.Task[None], rate: int, seconds: float
    ) -> Rung:
        """Stream at a rate for a while."""
        self._feeder.pace(rate)
        live.counts.to_redis = Latencies()
        self._memory = []
        usage, begun = Usage(self._pids), time.monotonic()
        sent = await asyncio.to_thread(self._feeder.sent)
        received = live.counts.received.total()
        while time.monotonic() - begun < seconds:
            await asyncio.sleep(min(0.5, seconds / 8))
            self._memory.append(
                resident_bytes(self._pids["pipeline"]) + resident_bytes(self._pids["store"])
            )
            if running.done():
                await running
        took = time.monotonic() - begun
        cores = usage.cores()
        sent = await asyncio.to_thread(self._feeder.sent) - sent
        # What was sent while this was asked has not arrived yet.
        return Rung(
            asked=rate,
            sent=sent / took,
            received=(live.counts.received.total() - received) / took,
            waiting=live.health.waiting,
            p99_ms=live.counts.to_redis.quantile_ms(0.99) or 0.0,
            cores=cores,
        )

    async def _burst(self, live: LiveRun, running: asyncio.Task[None]) -> Rung:
        """Stream little, then twenty times as much, then little again."""
        quiet = self._plan.rate // QUIET
        await self._hold(live, running, quiet, BURST_S)
        burst = await self._hold(live, running, BURST * quiet, BURST_S)
        self._feeder.pace(quiet)
        return burst


async def _until(met: Any, running: asyncio.Task[None]) -> None:
    deadline = time.monotonic() + _SETTLE_S
    while not met():
        if running.done():
            await running
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.01)


@contextmanager
def _signed_in(url: str) -> Iterator[tuple[SchwabClient, Secret]]:
    with requests.Session() as session:
        session.trust_env = False
        oauth = OAuthClient(
            url,
            Secret(SIMULATED_APP_KEY),
            Secret(SIMULATED_APP_SECRET),
            DEFAULT_CALLBACK_URL,
            session,
            SystemClock(),
            True,
        )
        request = oauth.begin()
        tokens = oauth.finish(request, approve(request.url, session))
        yield (
            SchwabClient(url, lambda forced: tokens.access_token, session=session),
            (tokens.access_token),
        )


def _rows_in_redis(redis: AlgoTraderRedisClient) -> int:
    """Read the whole stream as a consumer would, and count its rows."""
    rows = 0

    def count(table: Any) -> None:
        nonlocal rows
        rows += table.num_rows

    reader = redis.frame_reader(TICKS, "bench", "bench")
    while reader.drain(count, count=500):
        pass
    return rows


def _rows_in_influxdb(influx: AlgoTraderInfluxDBClient, table: str) -> int:
    [row] = influx.query_rows(f"SELECT count(*) AS n FROM {table}")
    return int(row["n"])
