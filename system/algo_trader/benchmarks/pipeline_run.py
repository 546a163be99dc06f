"""One run of the whole pipeline: streamed, broken down by phases, and counted everywhere."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
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
from system.algo_trader.benchmarks.pipeline_counts import Counted, Plan, Rung
from system.algo_trader.benchmarks.pipeline_feeder import Feeder
from system.algo_trader.benchmarks.pipeline_reader import ReaderProcess
from system.algo_trader.benchmarks.pipeline_source import SERVICES
from system.algo_trader.benchmarks.processes import Usage, taken_peak
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

BURST: Final = 20
QUIET: Final = 7
"""Before and after a burst so much less than the steady rate comes."""
BURST_S: Final = 2.0
RUNG_S: Final = 5.0
_SETTLE_S: Final = 120.0


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
        places = Places.of(services, realm, "WARNING")
        influx = stack.enter_context(
            AlgoTraderInfluxDBClient(services.influxdb_url(), realm, services.influxdb_token())
        )
        influx.ensure_tables()
        pids = {row.name: row.pid for row in services.status() if row.pid is not None}
        stack.enter_context(short_turns())
        return asyncio.run(_Run(feeder, plan, pids, stack).measure(places, redis, influx))


def instruments(symbols: int) -> list[Instrument]:
    """Return the invented symbols, half of each service."""
    return [
        Instrument(f"{prefix}{number:04d}", f"{prefix}{number:04d}", service, "XNYS")
        for service, prefix in SERVICES.items()
        for number in range(symbols // 2)
    ]


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
                policy=LivePolicy(commit_s=min(plan.commit_s, max(plan.seconds / 4, 1.0))),
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
                taken_peak(self._pids["pipeline"]) + taken_peak(self._pids["store"])
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
