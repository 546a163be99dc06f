"""The storing process beside a real Valkey and the embedded InfluxDB: it stores and it ends."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from infrastructure.clock import rfc3339
from infrastructure.errors import OperatorError, ServiceUnavailable
from infrastructure.exchange.calendars import calendar
from infrastructure.redis.frames import decode_frame
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.feeds.live import Instrument
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.pipeline.cold_messages import Places
from system.algo_trader.pipeline.cold_process import ColdProcess
from system.algo_trader.pipeline.hours import session_spans
from system.algo_trader.pipeline.pieces import Built, Keeper, Kept, Piece, RunFacts
from system.algo_trader.realm import Realm
from system.algo_trader.services import Services
from system.algo_trader.settings import load
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.hot_keys import BARS, QUOTE
from system.algo_trader.storage.records import QUOTES, TRADES

S = 1_000_000_000
OPEN = 1_710_163_800 * S
"""09:30 in New York on 2024-03-11."""
SYMBOLS = ("AAPL", "MSFT")
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one test."""

    places: Places
    redis: AlgoTraderRedisClient
    influx: AlgoTraderInfluxDBClient
    archive: Archive


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    home = tmp_path_factory.mktemp("home")
    settings = replace(
        load({}, environment={"ALGO_TRADER_HOME": str(home)}, workspace=home),
        probe_default_ports=False,
    )
    realm = Realm.sim(settings.home)
    with ExitStack() as stack:
        services = stack.enter_context(Services(settings, realm))
        places = Places.of(services, realm, "WARNING")
        token = services.influxdb_token()
        redis = stack.enter_context(AlgoTraderRedisClient(services.redis_url(), realm))
        influx = stack.enter_context(
            AlgoTraderInfluxDBClient(services.influxdb_url(), realm, token)
        )
        influx.ensure_tables()
        yield Stores(places, redis, influx, Archive(realm.archive))


def facts(run_id: str) -> RunFacts:
    hours = session_spans(calendar("XNYS"), date(2024, 3, 11), date(2024, 3, 11))
    instruments = tuple(Instrument(name, name, "LEVELONE_EQUITIES", "XNYS") for name in SYMBOLS)
    return RunFacts(run_id, instruments, Source.SCHWAB_SIM.of_live, {"XNYS": hours}, OPEN)


def ticks(first: int, count: int) -> Ticks:
    """Updates of two symbols, a second apart, each with a trade and a quote."""
    order = np.arange(first, first + count)
    at = OPEN + order * S
    price = (100 + order).astype(np.float64)
    size = np.full(count, 2)
    ones = np.ones(count, dtype=np.bool_)
    nothing = np.full(count, NO_TIME)
    return Ticks(
        symbol=order % 2, order=order, ts_recv=at + 5, ts_quote=at, ts_trade=at, bid=price - 1,
        ask=np.full(count, np.nan), bid_size=size, ask_size=nothing, last=price, last_size=size,
        volume=size, total=order * 2, is_quote=ones, is_trade=ones,
    )  # fmt: skip


def piece(first: int, count: int, *, is_due: bool) -> Piece:
    until = OPEN + (first + count) * S
    return Piece(first, first + count, ticks(first, count), (), (), (), until, until, is_due)


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def give_on(keeper: Keeper, each: Piece) -> None:
    """Give a piece again and again, as long as it is taken."""
    wait_until(lambda: not keeper.take(each))


def test_what_it_is_given_is_in_every_store(stores: Stores) -> None:
    told: list[Kept | Built] = []
    with ColdProcess(stores.places) as cold:
        keeper = cold.keeper(facts("r1"), told.append)
        assert all(keeper.take(piece(first, 30, is_due=first == 60)) for first in (0, 30, 60))
        assert keeper.take(piece(90, 30, is_due=False))
        wait_until(lambda: any(isinstance(each, Kept) for each in told))
        [kept] = [each for each in told if isinstance(each, Kept)]
        assert (kept.rows, kept.closed_ns) == (180, OPEN + 90 * S)
        assert stores.archive.commits()[-1].request_id == "stream/r1/0-90"
        assert keeper.take(piece(120, 0, is_due=True))
        assert keeper.close(WAIT_S)
    process = cold.pid
    for dataset in (TRADES, QUOTES):
        rows = stores.archive.records(dataset, None)
        assert sorted(rows.column("sequence").to_pylist()) == list(range(120))
        [found] = stores.influx.query_rows(f"SELECT count(*) AS n FROM {dataset}")
        assert found["n"] == 120
    built = [each for each in told if isinstance(each, Built)][-1]
    # Every second has a trade of one symbol; the last second and minute are over as well.
    assert (built.bars["1s"], built.bars["1m"], built.late) == (120, 4, 0)
    assert stores.redis.hgetall(QUOTE.of(symbol="MSFT")) == {
        "bid": "218.0", "bid_size": "2", "last": "219.0", "last_size": "2", "total": "238",
        "ts_quote": str(OPEN + 119 * S), "ts_trade": str(OPEN + 119 * S),
        "ts_recv": str(OPEN + 119 * S + 5), "sequence": "119",
        "source": "schwab-sim-live", "is_synthetic": "true",
    }  # fmt: skip
    told_live = pa.concat_tables([decode_frame(entry) for entry in stores.redis.xrange(BARS.of())])
    assert told_live.filter(pc.equal(told_live.column("timeframe"), "1s")).num_rows == 120
    stored = stores.archive.revisions("MSFT", Timeframe.M1).table.select(["start", "close"])
    mine = pc.and_(pc.equal(told_live.column("timeframe"), "1m"),
                   pc.equal(told_live.column("symbol"), "MSFT"))  # fmt: skip
    assert told_live.filter(mine).select(["start", "close"]).to_pylist() == stored.to_pylist()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_its_death_ends_the_run_with_one_sentence(stores: Stores) -> None:
    cold = ColdProcess(stores.places)
    keeper = cold.keeper(facts("r2"), lambda news: None)
    cold.project(Bars.empty(), ())
    os.kill(cold.pid, signal.SIGKILL)
    with pytest.raises(ServiceUnavailable, match="what it had not stored is in Redis"):
        give_on(keeper, piece(0, 10, is_due=False))
    with pytest.raises(ServiceUnavailable):
        cold.close(1.0)


def test_what_keeps_it_from_storing_is_said_by_the_run(stores: Stores, tmp_path: Path) -> None:
    realm = Realm.sim(tmp_path)
    realm.archive.parent.mkdir(parents=True)
    realm.archive.write_text("a file where the archive's folder would be")
    cold = ColdProcess(replace(stores.places, realm=realm))
    keeper = cold.keeper(facts("r3"), lambda news: None)
    with pytest.raises(OperatorError, match="archive"):
        give_on(keeper, piece(0, 10, is_due=True))
    with pytest.raises(OperatorError):
        cold.close(1.0)


def test_it_ends_when_the_run_is_killed_and_what_is_stored_is_everywhere(
    stores: Stores, tmp_path: Path
) -> None:
    program = (
        "import pickle, sys, time\n"
        "from system.algo_trader.pipeline.cold_process import ColdProcess\n"
        f"places, facts, piece = pickle.load(open({str(tmp_path / 'given')!r}, 'rb'))\n"
        "cold = ColdProcess(places)\n"
        "told = lambda news: print(type(news).__name__, cold.pid, flush=True)\n"
        "keeper = cold.keeper(facts, told)\n"
        "keeper.take(piece)\n"
        "time.sleep(600)\n"
    )
    given = (stores.places, facts("r4"), piece(200, 10, is_due=True))
    (tmp_path / "given").write_bytes(pickle.dumps(given))
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    storing = int(next(line for line in run.stdout if "Kept" in line).split()[1])
    os.kill(storing, signal.SIGINT)
    os.kill(storing, signal.SIGTERM)
    os.kill(storing, 0)
    run.kill()
    run.wait()
    wait_until(lambda: not Path(f"/proc/{storing}").exists())
    # What the archive has is in InfluxDB too: no later run would send it.
    since = f"time >= '{rfc3339(OPEN + 200 * S)}'"
    assert stores.influx.query(f"SELECT * FROM quotes WHERE {since}").num_rows == 10
