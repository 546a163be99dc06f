"""Where Grafana is placed, what it is given, and what is said about what is stored."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import requests_mock

from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import MissingService, QueryError
from infrastructure.grafana.compose import ComposeProject, ServiceState
from infrastructure.grafana.engine import ContainerState, DockerEngine, EngineInfo
from system.algo_trader.clients.grafana_client import (
    COMPOSE_URL,
    AlgoTraderGrafanaClient,
    Placement,
    Series,
    Store,
    Stored,
    describe,
    place,
)

URL = "http://127.0.0.1:1"
EMBEDDED = Store("http://127.0.0.1:40123")
LINUX = EngineInfo("28", "Debian GNU/Linux 13", False)
DESKTOP = EngineInfo("28", "Docker Desktop", True)
DAY_NS = 86_400_000_000_000
MIDNIGHT_2013_02_28_NS = 1_362_027_600_000_000_000


def series(symbol: str = "AAPL", timeframe: str = "1d", bars: int = 2) -> Series:
    last = MIDNIGHT_2013_02_28_NS
    return Series(symbol, timeframe, "rth", "simulator", bars, last - DAY_NS, last)


@pytest.mark.parametrize(
    ("store", "engine", "platform", "expected"),
    [
        (Store(COMPOSE_URL, in_compose=True), LINUX, "linux",
         Placement("grafana", COMPOSE_URL, True)),
        (EMBEDDED, LINUX, "linux", Placement("grafana-host", EMBEDDED.url, False)),
        (EMBEDDED, DESKTOP, "linux",
         Placement("grafana-desktop", "http://host.docker.internal:40123", False)),
        (EMBEDDED, LINUX, "darwin",
         Placement("grafana-desktop", "http://host.docker.internal:40123", False)),
        (Store("http://localhost"), DESKTOP, "darwin",
         Placement("grafana-desktop", "http://host.docker.internal:8181", False)),
        (Store("https://influx.example.org:8181"), LINUX, "linux",
         Placement("grafana", "https://influx.example.org:8181", False)),
    ],
)  # fmt: skip
def test_grafana_is_placed_where_it_reaches_the_store(
    store: Store, engine: EngineInfo, platform: str, expected: Placement
) -> None:
    assert place(store, engine, platform) == expected


class FakeEngine:
    def __init__(self) -> None:
        self.running: str | None = None
        self.file: str | None = "made-by-the-container\n"
        self.missing = False

    def info(self) -> EngineInfo:
        if self.missing:
            raise MissingService("there is no Docker")
        return LINUX

    def container(self, service: str) -> ContainerState | None:
        if service != self.running:
            return None
        return ContainerState("algo-1", service, "grafana:1", "running", None, 0, 0)

    def read_file(self, service: str, path: str) -> str | None:
        return self.file


class FakeCompose:
    name = "algo-trader"

    def __init__(self, engine: FakeEngine, *states: ServiceState) -> None:
        self.engine = engine
        self.states = list(states)
        self.up_calls: list[tuple[list[str], dict[str, str], bool]] = []

    def up(
        self, services: Sequence[str], environment: Mapping[str, str], *, dependencies: bool
    ) -> None:
        self.engine.running = services[0]
        self.up_calls.append((list(services), dict(environment), dependencies))

    def services(self) -> list[ServiceState]:
        return self.states


def make(*states: ServiceState, store: Store | None = None) -> Any:
    engine = FakeEngine()
    compose = FakeCompose(engine, *states)
    client = AlgoTraderGrafanaClient(
        URL,
        store=store,
        compose=cast(ComposeProject, compose),
        engine=cast(DockerEngine, engine),
        clock=VirtualClock(0),
    )
    return SimpleNamespace(client=client, compose=compose, engine=engine)


@pytest.fixture
def web() -> Any:
    with requests_mock.Mocker() as web:
        web.get(f"{URL}/api/health", json={"database": "ok", "version": "12.4.0"})
        yield web


def test_start_over_the_embedded_store_shares_the_hosts_network(web: Any) -> None:
    stack = make()
    placement = stack.client.start(lambda: Store("http://127.0.0.1:40123", Secret("tok")))
    assert placement.service == "grafana-host"
    assert stack.compose.up_calls == [
        (
            ["grafana-host"],
            {
                "GRAFANA_PORT": "1",
                "ALGO_TRADER_INFLUXDB_URL": "http://127.0.0.1:40123",
                "ALGO_TRADER_INFLUXDB_TOKEN": "tok",
            },
            False,
        )
    ]


def test_start_uses_composes_influxdb_if_that_is_up_and_asks_for_no_other(web: Any) -> None:
    stack = make(ServiceState("influxdb3", "algo-influxdb3-1", "running", "healthy"))

    def other() -> Store:
        raise AssertionError("no other store is to be started")

    assert stack.client.start(other) == Placement("grafana", COMPOSE_URL, True)
    assert stack.compose.up_calls[0][2] is True


def test_a_named_store_goes_before_composes_own(web: Any) -> None:
    stack = make(ServiceState("influxdb3", "algo-influxdb3-1", "running", "healthy"))
    elsewhere = Store("https://influx.example.org:8181")
    placement = stack.client.start(lambda: elsewhere, named=True)
    assert placement == Placement("grafana", elsewhere.url, False)


def test_a_stopped_influxdb_of_compose_is_not_used(web: Any) -> None:
    stack = make(ServiceState("influxdb3", "algo-influxdb3-1", "exited", ""))
    assert stack.client.start(lambda: EMBEDDED).service == "grafana-host"


def test_without_docker_no_store_is_started() -> None:
    stack = make()
    stack.engine.missing = True
    started = []
    with pytest.raises(MissingService):
        stack.client.start(lambda: started.append(1))
    assert started == []


def test_the_datasources_are_one_a_realm() -> None:
    client = AlgoTraderGrafanaClient(URL, store=Store("https://x:8181", Secret("tok")))
    live, sim = client.get_datasources()
    assert (live["uid"], live["jsonData"]["dbName"]) == ("algo-influxdb3", "algo_trader")
    assert (sim["uid"], sim["jsonData"]["dbName"]) == ("algo-influxdb3-sim", "algo_trader_sim")
    assert live["jsonData"]["insecureGrpc"] is False
    assert live["secureJsonData"] == {"token": "tok"}
    assert (live["isDefault"], sim["isDefault"]) == (True, False)
    local = AlgoTraderGrafanaClient(URL).get_datasources()[0]
    assert (local["url"], local["jsonData"]["insecureGrpc"]) == (COMPOSE_URL, True)
    assert "secureJsonData" not in local


def test_the_dashboards_are_the_files() -> None:
    uids = [model["uid"] for model in AlgoTraderGrafanaClient(URL).get_dashboards()]
    assert uids == ["algo-gex", "algo-overview", "algo-pipeline", "algo-symbol"]


def test_the_admin_password_is_the_one_set_or_the_one_made() -> None:
    stack = make()
    stack.engine.running = "grafana"
    known = stack.client.admin_password({"GRAFANA_ADMIN_PASSWORD": "set"})
    assert known.reveal() == "set"
    assert stack.client.admin_password({}).reveal() == "made-by-the-container"
    stack.engine.file = None
    assert stack.client.admin_password({}) is None


def answer(*rows: Series) -> dict[str, Any]:
    names = ["symbol", "timeframe", "session", "source", "bars", "first", "last"]
    fields = [{"name": name, "type": "number"} for name in names[:5]]
    fields += [{"name": name, "type": "time"} for name in names[5:]]
    values: list[list[Any]] = [[getattr(row, name) for row in rows] for name in names[:5]]
    values += [
        [getattr(row, name) // 1_000_000 for row in rows] for name in ("first_ns", "last_ns")
    ]
    frame = {"schema": {"fields": fields}, "data": {"values": values}}
    return {"results": {"A": {"frames": [frame] if rows else []}}}


def test_what_is_stored_is_read_through_grafana(web: Any) -> None:
    web.post(f"{URL}/api/ds/query", json=answer(series(), series("MSFT", bars=3)))
    stored = AlgoTraderGrafanaClient(URL).stored("sim")
    assert stored == Stored("sim", (series(), series("MSFT", bars=3)))
    assert (stored.bars, stored.last_ns) == (5, MIDNIGHT_2013_02_28_NS)
    source = web.last_request.json()["queries"][0]["datasource"]["uid"]
    assert source == "algo-influxdb3-sim"


@pytest.mark.parametrize(
    "text", ["table 'public.iox.candles' not found", "Database not found: algo_trader"]
)
def test_a_store_without_tables_is_empty(web: Any, text: str) -> None:
    web.post(f"{URL}/api/ds/query", status_code=400, json={"results": {"A": {"error": text}}})
    assert AlgoTraderGrafanaClient(URL).stored("live") == Stored("live", ())


def test_another_refusal_is_not_taken_for_an_empty_store(web: Any) -> None:
    body = {"results": {"A": {"error": "flightsql: unavailable"}}}
    web.post(f"{URL}/api/ds/query", status_code=400, json=body)
    with pytest.raises(QueryError):
        AlgoTraderGrafanaClient(URL).stored("live")


def test_the_address_opens_the_daily_bars_over_their_range() -> None:
    client = AlgoTraderGrafanaClient(f"{URL}/")
    stored = Stored("sim", (series(timeframe="1m"), series("BRK.B & $SPX")))
    url = urlsplit(client.get_dashboard_url("market-data-candles", stored))
    assert url.path == "/d/algo-symbol"
    assert parse_qs(url.query) == {
        "var-ds": ["algo-influxdb3-sim"],
        "var-symbol": ["BRK.B & $SPX"],
        "var-timeframe": ["1d"],
        "var-session": ["rth"],
        "var-source": ["simulator"],
        "from": ["1361941200000"],
        "to": ["1362027600000"],
    }
    assert client.get_dashboard_url("algo-overview") == f"{URL}/d/algo-overview"
    empty = client.get_dashboard_url("algo-symbol", Stored("live", ()))
    assert empty == f"{URL}/d/algo-symbol?var-ds=algo-influxdb3"


def test_simulated_data_carry_the_markets_date() -> None:
    assert describe(Stored("sim", (series(),))) == (
        "2 bars of 1 symbols, 2013-02-27 to 2013-02-28 (replay of 2013-02-28)"
    )
    assert "replay" not in describe(Stored("live", (series(),)))
    assert "algo_trader:main" in describe(Stored("live", ()))


def test_access_info_shows_the_realm_that_has_bars(web: Any) -> None:
    web.post(f"{URL}/api/ds/query", [{"json": answer()}, {"json": answer(series())}])
    info = AlgoTraderGrafanaClient(URL).access_info()
    assert info["Algo Trader"].startswith("no bars yet")
    assert info["Algo Trader (simulated)"].startswith("2 bars of 1 symbols")
    assert "var-ds=algo-influxdb3-sim&var-symbol=AAPL" in info["candles"]
    assert info["overview"].endswith("/d/algo-overview?var-ds=algo-influxdb3-sim")


def test_each_datasource_says_how_it_is(web: Any) -> None:
    web.get(
        f"{URL}/api/datasources/uid/algo-influxdb3/health", json={"status": "OK", "message": "OK"}
    )
    web.get(
        f"{URL}/api/datasources/uid/algo-influxdb3-sim/health",
        status_code=400,
        json={"status": "ERROR", "message": "ERROR: flightsql: unavailable"},
    )
    said = AlgoTraderGrafanaClient(URL).check_datasources()
    assert said["algo-influxdb3"] == "OK"
    assert "flightsql: unavailable" in said["algo-influxdb3-sim"]
