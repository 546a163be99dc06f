"""What the client does with refusals, on a transport that answers what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pytest

from infrastructure.errors import (
    ConfigError,
    CredentialsRejected,
    NetworkError,
    NoDataError,
    RateLimited,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from system.algo_trader.client import AsyncClient, Client, continuation
from system.algo_trader.client.connection import Connection
from system.algo_trader.client.result import result_of, result_of_stream

URL, KEY = "http://service", "at_key"
Answers = Sequence[httpx2.Response]


def arrow(facts: dict[str, object]) -> bytes:
    table = pa.table({"price": [1.0, 2.0]})
    table = table.replace_schema_metadata({b"algo_trader": json.dumps(facts).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def refusal(status: int, retry_after: str | None = None, **problem: object) -> httpx2.Response:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return httpx2.Response(status, json={"detail": "no", **problem}, headers=headers)


def client(answers: Answers, waits: list[float] | None = None) -> tuple[Client, list[str]]:
    left, asked = list(answers), []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url.raw_path.decode()))
        assert request.headers["authorization"] == f"Bearer {KEY}"
        return left.pop(0)

    sleep: Callable[[float], None] = (waits if waits is not None else []).append
    return Client(URL, KEY, transport=httpx2.MockTransport(answer), sleep=sleep), asked


def rows_of(times: Sequence[int], **facts: object) -> httpx2.Response:
    table = pa.table({"time": pa.array(times, pa.timestamp("ns", "UTC"))})
    table = table.replace_schema_metadata({b"algo_trader": json.dumps(facts).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return httpx2.Response(200, content=bytes(sink.getvalue().to_pybytes()))


def test_a_range_longer_than_an_answer_comes_whole_and_without_doubles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(continuation, "ALL_ROWS", 4)
    gap = {"start": "a", "end": "b"}
    made, asked = client([
        rows_of([10, 20, 30, 30], source="file", gaps=[gap]),
        rows_of([30, 30, 30, 40], source="schwab", gaps=[gap]),
        rows_of([40, 50], source="file", gaps=[]),
    ])  # fmt: skip
    found = made.trades("AAPL", "1970-01-01T00:00:00Z")
    times = found.arrow().column("time").cast("int64").to_pylist()
    assert times == [10, 20, 30, 30, 30, 40, 50]
    assert (found.facts["rows"], found.facts["source"]) == (7, "file+schwab")
    assert found.facts["gaps"] == [gap]
    begins = [dict(httpx2.URL(each).params)["start_time"] for each in asked]
    assert begins == [
        "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.00000003Z", "1970-01-01T00:00:00.00000004Z",
    ]  # fmt: skip


def test_an_instant_with_more_rows_than_an_answer_is_refused_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(continuation, "ALL_ROWS", 2)
    made, _ = client([rows_of([10, 10])])
    with pytest.raises(UsageError, match="more than 2 rows"):
        made.trades("AAPL", "1970-01-01")


def test_a_limit_that_was_said_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuation, "ALL_ROWS", 2)
    made, asked = client([rows_of([10, 20])])
    assert len(made.history("AAPL", start="1970-01-01", limit=2)) == 2
    assert len(asked) == 1


def test_the_age_of_an_answer_is_among_its_facts() -> None:
    content = arrow({"source": "file"})
    told = httpx2.Response(200, content=content, headers={"x-data-age-s": "1.250"})
    made, _ = client([told, httpx2.Response(200, content=content)])
    assert made.quote("AAPL").facts["age_s"] == 1.25
    assert made.quote("AAPL").facts["age_s"] is None


def test_sql_is_posted() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, content=arrow({}))

    with Client(URL, KEY, transport=httpx2.MockTransport(answer)) as made:
        made.sql("SELECT 1", max_rows=5)
    assert (seen[0].method, seen[0].url.path) == ("POST", "/api/v1/sql")
    assert json.loads(seen[0].content) == {"sql": "SELECT 1", "max_rows": 5}


def test_refusals_keep_what_machines_need() -> None:
    made, _ = client([refusal(429, "3600")])
    with pytest.raises(RateLimited) as limited:
        made.gex("$SPX")
    assert limited.value.retry_after_s == 3600.0
    made, _ = client([refusal(400, parameter="strikes", detail="must be 1 to 500")])
    with pytest.raises(UsageError, match=r"^strikes: must be 1 to 500") as wrong:
        made.chain("$SPX", strikes=0)
    assert wrong.value.context["parameter"] == "strikes"


def test_the_asynchronous_client_waits_and_is_refused_the_same() -> None:
    waits: list[float] = []
    left = [refusal(503, "2"), httpx2.Response(200, content=arrow({})), refusal(403)]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def ask() -> None:
        transport = httpx2.MockTransport(lambda _: left.pop(0))
        async with AsyncClient(URL, KEY, transport=transport, sleep=sleep) as made:
            assert len(await made.metrics("SPY")) == 2
            with pytest.raises(CredentialsRejected):
                await made.metrics("SPY")

    asyncio.run(ask())
    assert waits == [2.0]


def contracts(*rows: tuple[float, str, str]) -> httpx2.Response:
    strikes, rights, roots = zip(*rows, strict=True)
    table = pa.table({"strike": strikes, "right": rights, "root": roots})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return httpx2.Response(200, content=bytes(sink.getvalue().to_pybytes()))


def test_a_contract_is_named_by_its_symbol_or_its_parts() -> None:
    listed = [(200.0, "C", "AAPL"), (200.5, "C", "AAPL")]
    made, asked = client([contracts(*listed), contracts(*listed)])
    by_symbol = made.option_quote("AAPL  260116C00200500")
    by_parts = made.option_quote("AAPL", "2026-01-16", 200.5, "call")
    assert by_symbol.one() == by_parts.one() == {"strike": 200.5, "right": "C", "root": "AAPL"}
    assert asked[0] == asked[1]
    assert "expiry=2026-01-16" in asked[0]


def test_contracts_that_differ_in_their_root_are_not_mixed_up() -> None:
    both = [(6000.0, "C", "SPX"), (6000.0, "C", "SPXW")]
    made, _ = client([contracts(*both), contracts(*both), contracts(both[0])])
    assert made.option_quote("SPXW  260116C06000000").one()["root"] == "SPXW"
    with pytest.raises(UsageError, match="2 contracts"):
        made.option_quote("$SPX", "2026-01-16", 6000, "C")
    with pytest.raises(NoDataError, match="SPXW"):
        made.option_quote("SPXW  260116C06000000")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("AAPL",), "no option"),
        (("AAPL", "2026-01-16", None, "C"), "strike"),
        (("AAPL", "2026-01-16", 200.0, "X"), "C or P"),
        (("AAPL1 260116C00200000",), "adjusted"),
    ],
)
def test_what_is_no_contract_is_not_asked_for(words: tuple[Any, ...], said: str) -> None:
    made, asked = client([])
    with pytest.raises(UsageError, match=said):
        made.option_quote(*words)
    assert asked == []


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(Connection.of(URL, KEY, None))


def test_what_is_no_address_of_flight_or_no_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no address of Flight"):
        Client(URL, KEY, flight_url="nonsense")
    with pytest.raises(ConfigError, match="no file"):
        Client(URL, KEY, certificate=tmp_path / "none.pem")


def test_it_waits_as_long_as_it_is_told_and_asks_again() -> None:
    waits: list[float] = []
    fine = httpx2.Response(200, content=arrow({"source": "file"}))
    made, asked = client([refusal(429, "7"), refusal(503, "2"), fine], waits)
    assert made.history("BRK/B").facts["source"] == "file"
    assert waits == [7.0, 2.0]
    assert len(set(asked)) == 1


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([refusal(401)], CredentialsRejected),
        ([refusal(403)], CredentialsRejected),
        ([refusal(400, parameter="limit", allowed=["1", "2"])], UsageError),
        ([refusal(404)], NoDataError),
        ([refusal(429, "1")] * 3, RateLimited),
        ([refusal(429, "3600")], RateLimited),
        ([refusal(503, "1")] * 3, ServiceUnavailable),
        ([refusal(500)], ServiceUnavailable),
        ([httpx2.Response(502, content=b"<html>")], ServiceUnavailable),
    ],
)
def test_each_refusal_has_its_place_in_the_tree(answers: Answers, kind: type[StackError]) -> None:
    made, asked = client(answers)
    with pytest.raises(kind):
        made.gex("$SPX")
    assert len(asked) == len(answers)


def test_symbols_keep_their_letters_in_a_path() -> None:
    fine = httpx2.Response(200, content=arrow({}))
    made, asked = client([fine, fine])
    made.gex("$SPX")
    made.levels("BRK/B")
    assert asked == ["/api/v1/gex/$SPX", "/api/v1/levels/BRK/B"]


def test_a_service_that_is_away_is_a_network_error() -> None:
    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with (
        Client(URL, KEY, transport=httpx2.MockTransport(gone)) as made,
        pytest.raises(NetworkError),
    ):
        made.quote("AAPL")


def test_an_answer_that_was_cut_off_is_no_answer() -> None:
    whole = arrow({"source": "file"})
    with pytest.raises(ServiceUnavailable, match="cut off"):
        result_of_stream(whole[: len(whole) // 3])


def test_what_holds_for_a_page_is_said_of_the_whole() -> None:
    gap = {"start": "a", "end": "b"}
    first = {"source": "file", "is_synthetic": False, "gaps": [gap], "as_of": "2024-01-01"}
    second = {"source": "schwab", "is_synthetic": True, "gaps": [gap], "as_of": "2024-01-02"}
    facts = result_of(pa.table({"x": [1]}), [first, second]).facts
    assert (facts["source"], facts["is_synthetic"]) == ("file+schwab", True)
    assert (facts["gaps"], facts["as_of"], facts["rows"]) == ([gap], "2024-01-02", 1)


def test_a_url_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALGO_TRADER_API_KEY", raising=False)
    with pytest.raises(UsageError, match="key"):
        Client(URL)
