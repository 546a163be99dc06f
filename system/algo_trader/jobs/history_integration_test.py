from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import requests

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_starts
from infrastructure.influxdb.embedded.spec import embedded_influxdb_spec
from infrastructure.simulators.schwab.desk import REAL_NOW_NS, Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.splits import Split
from infrastructure.supervision import Handle, Supervisor
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.feeds.schwab_history import SchwabHistoryFeed
from system.algo_trader.jobs.history import fetch_and_store
from system.algo_trader.jobs.plan import MAIN_PLAN, plan
from system.algo_trader.jobs.report import RunReport
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.projection import project

NYSE = calendar("XNYS")
PRICES = ("open", "high", "low", "close")


@dataclass
class House:
    """Hold one realm's archive and its InfluxDB."""

    realm: Realm
    supervisor: Supervisor
    handle: Handle

    @property
    def archive(self) -> Archive:
        return Archive(self.realm.archive)

    @contextmanager
    def influx(self) -> Iterator[AlgoTraderInfluxDBClient]:
        url = self.handle.endpoint.url
        with AlgoTraderInfluxDBClient(url, self.realm, clock=VirtualClock(0)) as client:
            yield client

    def candles(self, symbol: str, timeframe: str) -> Bars:
        with self.influx() as client:
            return client.candles(symbol, timeframe)

    def run(self, market: ReplayMarket, *symbols: str) -> RunReport:
        clock = VirtualClock(REAL_NOW_NS)
        with (
            SchwabSimulator(market, clock=clock) as simulator,
            requests.Session() as session,
            self.influx() as influx,
        ):
            token = Secret(Desk(simulator, clock, session).sign_in()["access_token"])
            with SchwabClient(simulator.base_url, lambda again: token) as client:
                feed = SchwabHistoryFeed(client, realm=self.realm, clock=clock)
                requested = plan(
                    [
                        (feed.series(symbol, each.timeframe), each)
                        for symbol in symbols
                        for each in MAIN_PLAN
                    ],
                    now_ns=market.now_ns,
                    calendar=NYSE,
                    stored=self.archive,
                )
                return fetch_and_store(
                    feed,
                    self.archive,
                    influx,
                    requested,
                    job="main",
                    calendar=NYSE,
                    market_now_ns=lambda: market.now_ns,
                    clock=clock,
                )


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="at-") as folder:
        realm = Realm.sim(Path(folder))
        supervisor = Supervisor(Path(folder) / "services")
        with supervisor.ensure(embedded_influxdb_spec(Path(folder) / "influxdb")) as handle:
            yield House(realm, supervisor, handle)


def market(as_of: date | None = None, planted: Sequence[Split] = ()) -> ReplayMarket:
    return ReplayMarket.from_bokeh(as_of=as_of, planted=planted, clock=VirtualClock(0))


def recorded(symbol: str, first: date, last: date) -> dict[str, list[float]]:
    """Return bokeh_sampledata's own rows, read without any code of ours."""
    from bokeh_sampledata import stocks

    table = getattr(stocks, symbol)
    rows = [
        row for row, day in enumerate(table["date"]) if first <= date.fromisoformat(day) <= last
    ]
    return {name: [table[name][row] for row in rows] for name in ("date", *PRICES, "volume")}


def test_the_last_stored_year_equals_the_recorded_rows_field_by_field(house: House) -> None:
    report = house.run(market(), "AAPL", "MSFT", "GOOG")
    assert report.exit_code == 0
    wanted = recorded("AAPL", date(2012, 3, 1), date(2013, 3, 1))
    stored = house.candles("AAPL", "1d")
    days = np.array(wanted["date"], dtype="datetime64[D]")
    assert stored.start.tolist() == schwab_bar_starts(days, "1d").tolist()
    for name in (*PRICES, "volume"):
        assert stored.table.column(name).to_pylist() == wanted[name], name
    assert stored.table.column("is_synthetic").unique().to_pylist() == [False]
    for each in report.series:
        assert each.read_back == each.written == each.new > 0
        assert (each.rejected, each.gaps) == ({}, 0)
    minutes = house.candles("AAPL", "1m")
    assert len(minutes) == 5 * 390
    assert minutes.table.column("is_synthetic").unique().to_pylist() == [True]


def test_a_second_run_stores_nothing_twice(house: House) -> None:
    house.run(market(), "AAPL")
    files = sorted(house.realm.archive.rglob("*.parquet"))
    again = house.run(market(), "AAPL")
    assert again.total(lambda each: each.new + each.revised + each.written) == 0
    assert sorted(house.realm.archive.rglob("*.parquet")) == files


def test_a_planted_four_to_one_split_between_two_runs_is_found_and_restated(
    house: House,
) -> None:
    split = Split("AAPL", date(2012, 8, 6), 4.0)
    house.run(market(date(2012, 8, 3)), "AAPL", "MSFT")
    before = house.candles("AAPL", "1d")
    report = house.run(market(date(2012, 8, 10), [split]), "AAPL", "MSFT")
    assert {(each.symbol, each.split) for each in report.series} == {
        ("AAPL", Fraction(4)),
        ("MSFT", None),
    }
    assert report.rewritten
    assert report.total(lambda each: each.rejected_count) == 0
    after = house.candles("AAPL", "1d")
    assert after.floats("close")[: len(before)].tolist() == pytest.approx(
        (before.floats("close") / 4).tolist()
    )
    wanted = recorded("AAPL", date(2012, 8, 6), date(2012, 8, 10))
    assert after.floats("close")[-5:].tolist() == pytest.approx(
        [close / 4 for close in wanted["close"]]
    )
    assert house.archive.splits("AAPL").column("numerator").unique().to_pylist() == [4]
    third = house.run(market(date(2012, 8, 10), [split]), "AAPL", "MSFT")
    assert third.splits == ()
    assert third.total(lambda each: each.written + each.rejected_count) == 0


def test_apples_real_split_of_2005_is_found(house: House) -> None:
    house.run(market(date(2005, 2, 25)), "AAPL")
    report = house.run(market(date(2005, 3, 4)), "AAPL")
    assert {each.split for each in report.series} == {Fraction(2)}
    wanted = recorded("AAPL", date(2004, 3, 4), date(2005, 2, 25))
    closes = house.candles("AAPL", "1d").floats("close")[-5 - len(wanted["close"]) : -5]
    assert closes.tolist() == pytest.approx([close / 2 for close in wanted["close"]])


def test_apples_real_crash_of_2000_is_stored(house: House) -> None:
    report = house.run(market(date(2000, 10, 6)), "AAPL")
    assert report.total(lambda each: each.rejected_count) == 0
    closes = house.candles("AAPL", "1d").floats("close")
    assert (closes[1:] / closes[:-1] - 1).min() == pytest.approx(-0.519, abs=5e-4)


def test_one_unknown_symbol_does_not_stop_the_others(house: House) -> None:
    report = house.run(market(), "NOPE", "AAPL")
    assert {each.symbol for each in report.failures} == {"NOPE"}
    assert len(house.candles("AAPL", "1d")) == 251
    assert report.exit_code in (2, 4)


def test_influxdb_gone_mid_run_loses_nothing_and_the_next_run_projects(house: House) -> None:
    os.kill(house.handle.endpoint.pid, signal.SIGKILL)
    report = house.run(market(), "AAPL")
    assert report.exit_code == 3
    assert "the archive has them all" in str(report.error)
    assert len(house.archive.winners("AAPL", Timeframe.D1)) == 251
    house.handle = house.supervisor.ensure(embedded_influxdb_spec(house.realm.home / "influxdb"))
    assert house.run(market(), "AAPL").exit_code == 0
    assert len(house.candles("AAPL", "1d")) == 251


def test_a_run_killed_between_archive_and_influxdb_is_completed_by_the_next(
    house: House,
) -> None:
    house.run(market(date(2012, 12, 31)), "AAPL")
    program = (
        "import os\n"
        "from datetime import date\n"
        "from infrastructure.supervision import Supervisor\n"
        "from pathlib import Path\n"
        "import sys\n"
        "from system.algo_trader.jobs import history\n"
        "from system.algo_trader.jobs.history_integration_test import House, market\n"
        "from system.algo_trader.realm import Realm\n"
        "from types import SimpleNamespace\n"
        "history.project = lambda *_: os._exit(9)\n"
        "handle = SimpleNamespace(endpoint=SimpleNamespace(url=sys.argv[2]))\n"
        "House(Realm.sim(Path(sys.argv[1])), None, handle).run(market(), 'AAPL')\n"
    )
    command = [
        sys.executable, "-c", program, str(house.realm.home), house.handle.endpoint.url,
    ]  # fmt: skip
    paths = os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
    done = subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 9
    archived = len(house.archive.winners("AAPL", Timeframe.D1))
    assert archived > len(house.candles("AAPL", "1d"))
    with house.influx() as influx:
        assert project(house.archive, influx).written > 0
    assert len(house.candles("AAPL", "1d")) == archived


def test_a_lost_influxdb_is_rebuilt_from_the_archive(house: House) -> None:
    house.run(market(), "AAPL")
    before = house.candles("AAPL", "1m")
    with house.influx() as influx:
        influx.drop_database(influx.database)
        project(house.archive, influx)
    assert house.candles("AAPL", "1m").table.equals(before.table)
