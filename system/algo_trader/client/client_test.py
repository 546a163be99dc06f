"""What the client does with refusals, on a transport that answers what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import httpx2
import pyarrow as pa
import pytest

from infrastructure.errors import (
    CredentialsRejected,
    NetworkError,
    NoDataError,
    RateLimited,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from system.algo_trader.client import Client
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
