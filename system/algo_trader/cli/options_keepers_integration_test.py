"""The refreshing job against the simulator, a real Valkey and the embedded InfluxDB, which fail."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.clock import SystemClock, VirtualClock
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.supervision import Supervisor
from system.algo_trader.cli.options_keepers import job_of
from system.algo_trader.jobs.option_archive import archived_chain
from system.algo_trader.jobs.option_cache import cached_chain, cached_report
from system.algo_trader.jobs.option_refresh import OptionRefresh, Round
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import load

TERMS = ReportTerms()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Stores:
    """Redis and InfluxDB of a test, that go down and come back at the same place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._supervisor = Supervisor(folder)
        self._ports = (free_port(), free_port())
        self.redis_url = self.start_redis()
        self.influxdb: EmbeddedInfluxDB
        self.start_influxdb()

    def start_redis(self) -> str:
        spec = embedded_redis_spec(self._folder / "redis", port=self._ports[0])
        return url_with_password(self._supervisor.ensure(spec, keep=True).endpoint)

    def stop_redis(self) -> None:
        self._supervisor.stop("redis")

    def start_influxdb(self) -> None:
        self.influxdb = EmbeddedInfluxDB(self._folder / "influxdb", port=self._ports[1])

    def stop_influxdb(self) -> None:
        self.influxdb.stop()


@pytest.fixture
def stores() -> Iterator[Stores]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    made = Stores(folder)
    yield made
    made.stop_influxdb()
    made.stop_redis()
    shutil.rmtree(folder)


@pytest.fixture
def runtime(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", stores.redis_url)
    monkeypatch.setenv("INFLUXDB3_HOST_URL", stores.influxdb.url)
    # Waits pass at once: between turns, between attempts, and for the budget.
    clock = VirtualClock(SystemClock().now_ns())
    with Runtime(load(), sim=True, clock=clock, requests_per_minute=60) as made:
        yield made


def rounds_of(
    runtime: Runtime, job: OptionRefresh, note: Callable[[Round], None], for_s: float
) -> list[Round]:
    rounds: list[Round] = []

    def on_round(done: Round) -> None:
        rounds.append(done)
        note(done)

    job.run(on_round, lambda _: None, for_s=for_s)
    return rounds


def test_three_stores_hold_what_schwab_said(runtime: Runtime) -> None:
    job, note = job_of(runtime, ["AAPL", "MSFT"], TERMS, 30.0, always=True)
    rounds = rounds_of(runtime, job, note, 45.0)
    assert [done.symbol for done in rounds] == ["AAPL", "MSFT", "AAPL", "MSFT"]
    assert all(set(done.kept) == {"redis", "archive", "influxdb"} for done in rounds)
    last = rounds[2].document
    assert last is not None
    now_ns = runtime.clock.now_ns()
    kept = cached_report(runtime.redis, "AAPL", TERMS, now_ns)
    assert kept is not None
    assert (kept.document["total"], kept.document["flip"]) == (last["total"], last["flip"])
    chain, archived = cached_chain(runtime.redis, "AAPL"), archived_chain(runtime.archive, "AAPL")
    assert chain is not None
    assert len(chain) == len(archived.chain) == rounds[2].kept["archive"]
    assert (archived.source, archived.is_synthetic) == ("schwab-sim", True)
    assert chain.bid.tolist() == archived.chain.bid.tolist()
    [row] = runtime.influxdb.query_rows(
        "SELECT gex, flip, is_synthetic FROM option_metrics WHERE underlying = 'AAPL' "
        "AND expiry = 'all' ORDER BY \"time\" DESC LIMIT 1"
    )
    assert (row["gex"], row["flip"]) == (last["total"]["gex"]["net"], last["flip"]["price"])
    assert row["is_synthetic"]
    for table in ("option_quotes", "option_exposure"):
        [counted] = runtime.influxdb.query_rows(
            f"SELECT count(*) AS n FROM {table} WHERE underlying = 'MSFT'"
        )
        assert counted["n"] > 100
    state = runtime.redis.get_json("options_refresh")
    assert state["symbols"]["AAPL"]["interval_s"] == 30.0
    assert state["symbols"]["AAPL"]["failing"] == {}


def test_outages_are_said_once_each_and_the_rest_goes_on(runtime: Runtime, stores: Stores) -> None:
    job, note = job_of(runtime, ["AAPL"], TERMS, 30.0, always=True)
    assert job.refresh("AAPL").troubles == {}
    stores.stop_redis()
    stores.stop_influxdb()
    first, second = job.refresh("AAPL"), job.refresh("AAPL")
    note(second)
    assert set(first.troubles) == {"redis", "influxdb"}
    assert all(text.count("\n") == 0 for text in first.troubles.values())
    assert set(second.troubles) == set(second.recovered) == set()
    assert set(first.kept) == set(second.kept) == {"archive"}
    assert archived_chain(runtime.archive, "AAPL").chain.as_of_ns > 0
    simulator = runtime.simulator
    assert simulator is not None
    simulator.faults.answer(503, times=50, route="chains")
    third = job.refresh("AAPL")
    assert (set(third.troubles), third.document, third.kept) == ({"schwab"}, None, {})
    simulator.faults.clear()
    stores.start_redis()
    stores.start_influxdb()
    runtime.clock.sleep(600.0)  # as long as the client asks a failing provider no more
    fourth = job.refresh("AAPL")
    note(fourth)
    assert fourth.troubles == {}
    assert set(fourth.recovered) == {"schwab", "redis", "influxdb"}
    assert set(fourth.kept) == {"redis", "archive", "influxdb"}
    # What InfluxDB missed has been made good out of the archive: four snapshots, each once.
    moments = {
        row["moment"]
        for row in runtime.influxdb.query_rows(
            "SELECT DISTINCT \"time\" AS moment FROM option_metrics WHERE underlying = 'AAPL'"
        )
    }
    stored = runtime.archive.records("option_quotes", "AAPL").column("ts_event").unique()
    assert len(moments) == len(stored) == 4


def test_requests_stay_within_their_part_of_the_budget(runtime: Runtime) -> None:
    job, note = job_of(runtime, ["MSFT", "IBM"], TERMS, 1.0, always=True)
    rounds = rounds_of(runtime, job, note, 15.0)
    simulator = runtime.simulator
    assert simulator is not None
    # A bucket of 5 that refills at 55 a minute.
    asked = simulator.requests.count("GET /marketdata/v1/chains")
    assert 15 < asked == len(rounds) <= 5 + 55 / 4 + 1
    turns = [sum(done.symbol == name for done in rounds) for name in job.symbols]
    assert max(turns) - min(turns) <= 1
    assert all(done.is_late for done in rounds[10:])
    assert rounds[-1].interval_s == pytest.approx(2 * 60 / 55, rel=0.05)
