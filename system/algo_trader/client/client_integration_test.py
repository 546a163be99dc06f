"""Both clients before the real service: every verb, over HTTP and Flight, and what is refused."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pyarrow import flight

from infrastructure.errors import (
    CredentialsRejected,
    MissingService,
    NetworkError,
    NoDataError,
    UsageError,
)
from system.algo_trader.client import AsyncClient, Client
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import TRADES
from system.algo_trader.testing.running_service import (
    CHAIN_SYMBOL,
    TRADE_COUNT,
    RunningService,
    free_port,
    running_service,
)

START = "2024-01-02"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home"), flight=True) as running:
        yield running


@pytest.fixture
def client(service: RunningService) -> Iterator[Client]:
    with Client(service.url, service.key("read:ticks", "read:options")) as made:
        yield made


@pytest.fixture
def bulk(service: RunningService) -> Iterator[Client]:
    key = service.key("read:ticks", "read:options")
    with Client(service.url, key, flight_url=flight_url(service)) as made:
        yield made


def flight_url(service: RunningService) -> str:
    return f"grpc://127.0.0.1:{service.flight_port}"


def test_a_history_is_the_archives_by_either_way(
    service: RunningService, client: Client, bulk: Client
) -> None:
    stored = Archive(service.realm.archive).winners("AAPL", Timeframe.M1)
    for asked in (client, bulk):
        found = asked.history("AAPL", "1m", START)
        assert found.arrow().column("close").to_pylist() == stored.floats("close").tolist()
        times = found.arrow().column("time").cast("int64").to_pylist()
        assert times == stored.start.tolist()
        assert found.facts["source"] == "schwab-sim"
        assert (found.facts["is_simulated"], found.facts["is_synthetic"]) == (True, True)
        assert "simulation" in found.facts["licence"]
        assert found.facts["gaps"] == []


def test_rows_come_as_arrow_polars_and_pandas(client: Client) -> None:
    found = client.history("MSFT", limit=10)
    frame = found.polars()
    assert isinstance(frame, pl.DataFrame)
    assert frame["close"].to_list() == found.pandas()["close"].tolist()
    assert len(found) == frame.height == 10
    assert frame.schema["time"] == pl.Datetime("ns", "UTC")


def test_a_tape_is_given_and_what_is_none_is_refused(
    service: RunningService, client: Client, bulk: Client
) -> None:
    stored = Archive(service.realm.archive).records(TRADES, "AAPL")
    for asked in (client, bulk):
        found = asked.trades("AAPL", START)
        assert len(found) == TRADE_COUNT
        assert found.arrow().column("price").equals(stored.column("price"))
    archive = Archive(service.realm.archive)
    sampled = stored.set_column(1, "source", [["schwab-sim"] * stored.num_rows])
    sampled = sampled.set_column(0, "symbol", [["MSFT"] * stored.num_rows])
    archive.append_records(TRADES, sampled.cast(stored.schema), "seed/sampled")
    with pytest.raises(UsageError, match="not every trade"):
        client.trades("MSFT", START)
    assert len(client.trades("MSFT", START, sampled=True)) == TRADE_COUNT


def test_a_contract_is_one_row_of_its_chain(client: Client) -> None:
    chain = client.chain(CHAIN_SYMBOL, strikes=1).rows()
    row = next(each for each in chain if each["right"] == "C")
    day = row["expiry"].replace("-", "")[2:]
    symbol = f"{'SPX':<6}{day}C{round(row['strike'] * 1000):08d}"
    found = client.option_quote(symbol)
    assert (found["bid"], found["ask"]) == (row["bid"], row["ask"])
    with pytest.raises(UsageError, match="no option"):
        client.option_quote("AAPL")


def test_what_a_chain_says_adds_up(client: Client) -> None:
    gex = client.gex(CHAIN_SYMBOL)
    assert gex.summary["net_gex"] == pytest.approx(np.sum(gex.polars()["gex_net"].to_numpy()))
    levels = client.levels("AAPL", "2024-01-31")
    assert levels.summary["version"] == "levels.v1"
    assert client.quality("AAPL", days=2).polars()["present"].to_list() == [390, 390]
    assert client.metrics(CHAIN_SYMBOL).summary["symbol"] == CHAIN_SYMBOL
    with pytest.raises(NoDataError, match="options refresh"):
        client.gex_history(CHAIN_SYMBOL)
    with pytest.raises(NoDataError, match="stream"):
        client.quote("AAPL")


def test_the_asynchronous_client_answers_the_same(service: RunningService, client: Client) -> None:
    async def ask() -> None:
        async with AsyncClient(service.url, service.key("read:ticks", "read:options")) as mine:
            history, gex, levels = await asyncio.gather(
                mine.history("AAPL", "1m", START), mine.gex(CHAIN_SYMBOL), mine.levels("AAPL")
            )
            assert history.arrow().equals(client.history("AAPL", "1m", START).arrow())
            assert gex.arrow().equals(client.gex(CHAIN_SYMBOL).arrow())
            assert levels.summary["date"] == "2024-01-31"
            with pytest.raises(NoDataError):
                await mine.quote("AAPL")

    asyncio.run(ask())


def test_both_clients_have_the_same_verbs() -> None:
    for name, verb in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            other = getattr(AsyncClient, name)
            assert inspect.signature(verb).parameters == inspect.signature(other).parameters, name
            assert inspect.iscoroutinefunction(other), name


def test_the_owner_needs_no_key_on_this_machine(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(service.home))
    with Client() as mine:
        assert len(mine.history("AAPL", limit=3)) == 3
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path))
    with pytest.raises(MissingService, match="serve"):
        Client()


def test_what_is_refused_says_why(service: RunningService, client: Client, bulk: Client) -> None:
    for url in (None, flight_url(service)):
        with (
            Client(service.url, "at_nobody", flight_url=url) as stranger,
            pytest.raises(CredentialsRejected, match="not valid"),
        ):
            stranger.history("AAPL", "1m", START)
        with (
            Client(service.url, service.key("read:options"), flight_url=url) as narrow,
            pytest.raises(CredentialsRejected, match="read:ticks"),
        ):
            narrow.history("AAPL", "1m", START)
    for asked in (client, bulk):
        with pytest.raises(UsageError, match=r"timeframe.*allowed: 1s, 1m"):
            asked.history("AAPL", "7m", START)
        with pytest.raises(NoDataError, match="ZZZZ"):
            asked.history("ZZZZ", "1m", START)
    with Client(f"http://127.0.0.1:{free_port()}", "x") as nobody, pytest.raises(NetworkError):
        nobody.history("AAPL")
    with (
        Client(service.url, "x", flight_url=f"grpc://127.0.0.1:{free_port()}") as nobody,
        pytest.raises(NetworkError),
    ):
        nobody.history("AAPL", "1m", START)


def test_flight_lists_what_a_key_may_ask(service: RunningService) -> None:
    wire = flight.FlightClient(flight_url(service))
    key = service.key("read:options")
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {key}".encode())])
    listed = {
        json.loads(each.descriptor.command)["operation"] for each in wire.list_flights(b"", options)
    }
    assert listed == {"option_chain", "gex", "gex_history", "metrics"}
    for command in (b"", b"{}", b"\xff", b'{"operation": "x"}', b"[" * 5000):
        with pytest.raises(flight.FlightServerError):
            wire.do_get(flight.Ticket(command), options).read_all()
    with pytest.raises(flight.FlightUnauthenticatedError):
        list(wire.list_flights())
    wire.close()
