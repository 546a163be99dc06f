"""How much of a live market the pipeline carries, and whether anything is lost on the way.

A local Schwab in another process streams invented ticks over a real socket; the pipeline checks
them and puts them into a real Valkey, the archive and the embedded InfluxDB. What each place
holds at the end is counted there, and compared with what the source says it has sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
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
from system.algo_trader.benchmarks.pipeline_source import SERVICES
from system.algo_trader.benchmarks.report import BenchRow
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.feeds.live import Channel, Instrument
from system.algo_trader.feeds.schwab_stream import SchwabStreamFeed
from system.algo_trader.market.source import Source
from system.algo_trader.pipeline.cold_messages import Places
from system.algo_trader.pipeline.cold_process import ColdProcess
from system.algo_trader.pipeline.hours import session_spans
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
SECONDS: Final = 20.0
TO_REDIS_MS: Final = 5.0
_SETTLE_S: Final = 120.0


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
        seconds: From the first tick to the last one sent.
        p50_ms: From socket to Redis.
        p99_ms: Likewise.
        rss_growth: Share by which the process grew from a quarter of the time to the end.
        gaps: Gaps that the stream reported.
    """

    sent: int
    received: int
    accepted: int
    in_redis: int
    rows: int
    archived: int
    in_influxdb: int
    seconds: float
    p50_ms: float
    p99_ms: float
    rss_growth: float
    gaps: int

    @property
    def lost(self) -> int:
        """Return how many updates or rows are missing somewhere."""
        return (
            abs(self.sent - self.received)
            + abs(self.accepted - self.in_redis)
            + abs(self.rows - self.archived)
            + abs(self.rows - self.in_influxdb)
        )


class Feeder:
    """Hold the process that streams.

    Args:
        symbols: How many, half of each service.
        rate: Ticks a second of all together.
    """

    def __init__(self, symbols: int, rate: int) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "system.algo_trader.benchmarks.pipeline_source"),
                *(str(symbols), str(rate)),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        facts = json.loads(self._answer())
        self.url: str = facts["url"]
        self.market_ns: int = facts["market"]

    def say(self, word: str) -> None:
        """Tell it something."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, int]:
        """Hold the ticks and return how many updates each service sent."""
        self.say("end")
        sent: dict[str, int] = json.loads(self._answer())
        return sent

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def instruments(symbols: int) -> list[Instrument]:
    """Return the invented symbols, half of each service."""
    return [
        Instrument(f"{prefix}{number:04d}", f"{prefix}{number:04d}", service, "XNYS")
        for service, prefix in SERVICES.items()
        for number in range(symbols // 2)
    ]


def run(symbols: int = SYMBOLS, rate: int = RATE, seconds: float = SECONDS) -> Sequence[BenchRow]:
    """Measure one run.

    Args:
        symbols: How many symbols.
        rate: Updates a second.
        seconds: How long.
    """
    counted = measure(symbols, rate, seconds)
    what = f"{symbols:,} symbols, {rate:,} ticks/s asked, {seconds:g} s"
    return [
        BenchRow(
            f"updates carried, {what}", "updates/s", counted.sent / counted.seconds, "at least"
        ),
        BenchRow(f"updates lost on the way, {what}", "updates", counted.lost, "at most", 0.0),
        BenchRow(f"socket to Redis, p50, {what}", "ms", counted.p50_ms, "at most"),
        BenchRow(f"socket to Redis, p99, {what}", "ms", counted.p99_ms, "at most", TO_REDIS_MS),
        BenchRow(
            f"growth of memory, {what}", "%", max(100 * counted.rss_growth, 0.0), "at most", 5.0
        ),
    ]


def measure(symbols: int, rate: int, seconds: float) -> Counted:
    """Run the pipeline over a home of its own, and count what is where."""
    with tempfile.TemporaryDirectory(prefix="at-") as home, ExitStack() as stack:
        feeder = Feeder(symbols, rate)
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
        archive = Archive(realm.archive)
        stack.enter_context(short_turns())
        return asyncio.run(_measure(feeder, places, redis, influx, archive, symbols, seconds))


async def _measure(
    feeder: Feeder,
    places: Places,
    redis: AlgoTraderRedisClient,
    influx: AlgoTraderInfluxDBClient,
    archive: Archive,
    symbols: int,
    seconds: float,
) -> Counted:
    machine = SystemClock()
    offset_ns = feeder.market_ns - machine.now_ns()
    clock = MarketClock(lambda: machine.now_ns() + offset_ns, machine)
    wanted = instruments(symbols)
    today = date_of(clock.now_ns())
    hours = session_spans(calendar("XNYS"), today - timedelta(1), today + timedelta(7))
    memory: list[int] = []
    with (
        ColdProcess(places) as cold,
        _signed_in(feeder.url) as (client, token),
        redis.frame_bus(TICKS, TICK_CHANNEL) as ticks,
        redis.frame_bus(BOOKS, LEVEL2_CHANNEL) as books,
    ):
        streamer = SchwabStreamer(
            lambda: streamer_info(client.user_preference()), lambda forced: token, clock=clock
        )
        await streamer.warm_up()
        feed = SchwabStreamFeed(streamer, Source.SCHWAB_SIM, today)
        live = LiveRun(
            feed,
            wanted,
            [Channel.TICKS],
            hours={"XNYS": hours},
            sinks=Sinks(RedisSink(ticks, books), cold, cold.keeper),
            checks=TickChecks(symbols),
            run_id="bench",
            clock=clock,
            policy=LivePolicy(commit_s=max(seconds / 3, 1.0)),
        )
        running = asyncio.create_task(live.run())
        await _until(lambda: live.counts.received.total() >= symbols, running)
        feeder.say("begin")
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            await asyncio.sleep(min(0.5, seconds / 8))
            memory.append(_resident_bytes())
            if running.done():
                await running
        sent = sum((await asyncio.to_thread(feeder.end)).values())
        lasted = time.monotonic() - begun
        await _until(lambda: live.counts.received.total() >= sent, running)
        live.stop()
        await running
    influx.deliver_waiting(_SETTLE_S)
    counts = live.counts
    settled = memory[len(memory) // 4 :] or [1]
    return Counted(
        sent=sent,
        received=counts.received.total(),
        accepted=counts.accepted.total(),
        in_redis=_rows_in_redis(redis),
        rows=counts.stored,
        archived=sum(part.rows for name in (TRADES, QUOTES) for part in archive.parts(name)),
        in_influxdb=sum(_rows_in_influxdb(influx, name) for name in (TRADES, QUOTES)),
        seconds=lasted,
        p50_ms=counts.to_redis.quantile_ms(0.5) or 0.0,
        p99_ms=counts.to_redis.quantile_ms(0.99) or 0.0,
        rss_growth=settled[-1] / settled[0] - 1,
        gaps=len(live.gaps),
    )


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


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
