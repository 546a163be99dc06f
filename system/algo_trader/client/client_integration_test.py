"""Both clients before the real service: every verb, over HTTP and Flight, and what is refused."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pyarrow import flight

from infrastructure.errors import (
    CredentialsRejected,
    MissingService,
    NetworkError,
    NoDataError,
    RateLimited,
    UsageError,
)
from infrastructure.simulators.schwab.tls import self_signed
from system.algo_trader.client import AsyncClient, Client
from system.algo_trader.client.result import Result
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import TRADES
from system.algo_trader.testing.running_service import (
    CHAIN_SYMBOL,
    TRADE_COUNT,
    RunningService,
    free_port,
    running_service,
    seed_minutes,
)

START = "2024-01-02"
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "api.md"


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
    for found in (
        client.option_quote(symbol),
        client.option_quote(CHAIN_SYMBOL, row["expiry"], row["strike"], "C"),
    ):
        assert found.one() == row
        assert found.facts["is_synthetic"] is True
    with pytest.raises(NoDataError, match="Strikes near it"):
        client.option_quote(CHAIN_SYMBOL, row["expiry"], row["strike"] + 0.5, "C")
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


VERBS: list[tuple[str, tuple[Any, ...]]] = [
    ("quote", ("AAPL",)),
    ("quotes", (["AAPL", "MSFT"],)),
    ("history", ("AAPL", "1m", START)),
    ("history", ("MSFT",)),
    ("trades", ("AAPL", START)),
    ("chain", (CHAIN_SYMBOL,)),
    ("gex", (CHAIN_SYMBOL,)),
    ("gex_history", (CHAIN_SYMBOL,)),
    ("levels", ("AAPL", "2024-01-31")),
    ("metrics", (CHAIN_SYMBOL,)),
    ("quality", ("AAPL",)),
]


@pytest.mark.parametrize("is_bulk", [False, True])
def test_every_verb_answers_a_coroutine_as_it_answers_others(
    service: RunningService, is_bulk: bool
) -> None:
    key = service.key("read:ticks", "read:options")
    url = flight_url(service) if is_bulk else None

    def outcome(found: Result) -> tuple[Any, ...]:
        # Ages go on between two questions.
        return found.arrow(), {**found.facts, "age_s": 0}

    async def ask() -> list[Any]:
        found: list[Any] = []
        async with AsyncClient(service.url, key, flight_url=url) as mine:
            for verb, words in VERBS:
                try:
                    found.append(outcome(await getattr(mine, verb)(*words)))
                except NoDataError as error:
                    found.append(str(error))
        return found

    answers: list[Any] = []
    with Client(service.url, key, flight_url=url) as client:
        for verb, words in VERBS:
            try:
                answers.append(outcome(getattr(client, verb)(*words)))
            except NoDataError as error:
                answers.append(str(error))
    assert asyncio.run(ask()) == answers
    assert sum(isinstance(each, tuple) for each in answers) == len(VERBS) - 3


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


def test_a_history_of_three_hundred_thousand_rows_is_streamed_whole(
    service: RunningService, client: Client, bulk: Client
) -> None:
    archive = Archive(service.realm.archive)
    seed_minutes(archive, "LONG", date(2020, 11, 2), date(2023, 12, 29))
    stored = archive.winners("LONG", Timeframe.M1)
    assert len(stored) >= 300_000
    for asked in (client, bulk):
        found = asked.history("LONG", "1m", "2020-01-01")
        times = found.arrow().column("time").cast("int64").to_numpy()
        assert np.array_equal(times, stored.start)
        assert np.array_equal(found.arrow().column("close").to_numpy(), stored.floats("close"))
        assert found.facts["rows"] == len(stored)
        assert found.facts["age_s"] > 0


def test_sql_counts_what_the_archive_has(service: RunningService, client: Client) -> None:
    stored = Archive(service.realm.archive).records(TRADES, "AAPL")
    found = client.sql("SELECT count(*) AS n, max(price) AS high FROM trades WHERE symbol = 'AAPL'")
    assert found.one() == {"n": stored.num_rows, "high": max(stored.column("price").to_pylist())}
    with pytest.raises(UsageError):
        client.sql("DROP TABLE trades")
    with (
        Client(service.url, service.key("read:ticks")) as narrow,
        pytest.raises(CredentialsRejected, match="read:options"),
    ):
        narrow.sql("SELECT 1")

    async def ask() -> None:
        async with AsyncClient(service.url, service.key("read:ticks", "read:options")) as mine:
            assert (await mine.sql("SELECT 41 + 1 AS n")).one() == {"n": 42}

    asyncio.run(ask())


def test_rates_hold_over_flight_and_say_when_to_come_back(service: RunningService) -> None:
    waits: list[float] = []
    key = service.key("read:ticks", rate=10)
    with Client(service.url, key, flight_url=flight_url(service), sleep=waits.append) as asked:
        for _ in range(10):
            asked.history("AAPL", "1m", START, limit=1)
        with pytest.raises(RateLimited, match="more than 10 requests a minute") as limited:
            asked.history("AAPL", "1m", START, limit=1)
    assert len(waits) == 2
    assert 0 < (limited.value.retry_after_s or 0) <= 7


def test_what_both_doors_were_asked_is_in_the_audit(service: RunningService, bulk: Client) -> None:
    bulk.history("AAPL", "1m", START)
    path = service.realm.root / "api_audit.jsonl"
    deadline = time.monotonic() + 20
    while '"FLIGHT","route":"/candles","status":200' not in path.read_text():
        assert time.monotonic() < deadline, path.read_text()[-500:]
        threading.Event().wait(0.05)


def test_the_services_own_certificate_is_enough(tmp_path: Path) -> None:
    identity = self_signed(tmp_path / "tls")
    home = tmp_path / "home"
    words = ("--certificate", str(identity.certificate), "--certificate-key", str(identity.key))
    with running_service(home, flight=True, options=words, certificate=identity.certificate) as own:
        url, by_flight = f"https://127.0.0.1:{own.port}", f"grpc+tls://127.0.0.1:{own.flight_port}"
        key = own.key("read:ticks")
        for where in (None, by_flight):
            with Client(url, key, flight_url=where, certificate=identity.certificate) as asked:
                assert len(asked.history("AAPL", "1m", START)) > 0
            with Client(url, key, flight_url=where) as wary, pytest.raises(NetworkError):
                wary.history("AAPL", "1m", START)


def test_the_examples_of_the_document_run(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(service.home))
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        names = {"KEY": service.key("read:ticks"), "FLIGHT_URL": flight_url(service)}
        exec(compile(block, str(DOCUMENT), "exec"), names)
    said = capsys.readouterr().out
    assert "levels.v1" in said
    assert "schwab-sim" in said


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
