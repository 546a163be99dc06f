"""One operation as a route: ETags name what is said; half a stream is no whole one, nor made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore
from system.algo_trader.api.access.caller import CALLER, Caller
from system.algo_trader.api.http.operation_route import (
    GONE,
    ROWS,
    BrokenOff,
    Desk,
    OperationRoute,
)
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.catalogue import CANDLES, Operation

NOW_NS = 1_700_000_000_000_000_000
FORMS = ["application/x-ndjson", "application/vnd.apache.arrow.stream"]
LONG = b"symbol=A&limit=1000000&start_time=2024-01-01"


def answer(value: int) -> Answer:
    return Answer(pa.table({"value": [value]}), Facts(("file",), True, as_of_ns=NOW_NS))


def scope(query: bytes, **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    caller = Caller("key", frozenset({"read:ticks"}))
    return {"path": "/candles", "query_string": query, "headers": named, "path_params": {},
            CALLER: caller}  # fmt: skip


def asked(
    operation: Operation, *scopes: dict[str, Any], reads: int | None = None
) -> list[list[Any]]:
    """Return the messages that each request is answered with.

    Args:
        operation: What is asked.
        *scopes: The requests.
        reads: After how many messages the caller goes; None: it stays.
    """
    stores: Any = SimpleNamespace(clock=VirtualClock(NOW_NS))

    async def story() -> list[list[Any]]:
        route = OperationRoute(operation, Desk(stores))
        return [await _told(route, each, reads) for each in scopes]

    return asyncio.run(story())


async def _told(route: OperationRoute, request: dict[str, Any], reads: int | None) -> list[Any]:
    messages: list[Any] = []
    gone = asyncio.Event()

    async def send(message: Any) -> None:
        messages.append(message)
        if len(messages) == reads:
            gone.set()
            # Who waits for that is told at the loop's next turn.
            await asyncio.sleep(0)

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    try:
        await route(request, receive, send)
    except BrokenOff as error:
        messages.append(error)
    return messages


def etag(messages: list[Any]) -> bytes:
    found: bytes = dict(messages[0]["headers"])[b"etag"]
    return found


def test_an_answer_that_changes_under_one_version_gets_another_etag() -> None:
    values = iter([1, 2, 2])
    operation = replace(
        CANDLES, answer=lambda *_: answer(next(values)), version=lambda *_: "same", lives_s=0.0
    )
    first, second, third = asked(operation, *[scope(b"symbol=A")] * 3)
    assert etag(first) != etag(second)
    assert etag(second) == etag(third)
    text = etag(second).decode()
    (again,) = asked(replace(operation, answer=lambda *_: answer(2)),
                     scope(b"symbol=A", if_none_match=text))  # fmt: skip
    assert again[0]["status"] == 304


@pytest.mark.parametrize("accept", FORMS)
def test_a_stream_that_fails_in_its_middle_is_broken_off(accept: str) -> None:
    def pages(*_: Any) -> Iterator[Answer]:
        yield answer(1)
        raise CorruptStore("a part is damaged")

    operation = replace(CANDLES, pages=pages)
    (messages,) = asked(operation, scope(LONG, accept=accept))
    assert [each["type"] for each in messages[:-1]] == [
        "http.response.start", "http.response.body"
    ]  # fmt: skip
    assert isinstance(messages[-1], BrokenOff)
    assert messages[-1].status == 503


@pytest.mark.parametrize("accept", FORMS)
def test_the_rows_of_a_stream_are_added_up(accept: str) -> None:
    operation = replace(CANDLES, pages=lambda *_: iter([answer(1), answer(2), answer(3)]))
    request = scope(LONG, accept=accept)
    (messages,) = asked(operation, request)
    assert messages[-1] == {"type": "http.response.body", "body": b""}
    assert request[ROWS] == 3


@pytest.mark.parametrize("accept", FORMS)
def test_nothing_more_is_made_for_a_caller_who_has_gone(accept: str) -> None:
    made = []

    def pages(*_: Any) -> Iterator[Answer]:
        for number in range(50):
            made.append(number)
            yield answer(number)

    request = scope(LONG, accept=accept)
    (messages,) = asked(replace(CANDLES, pages=pages), request, reads=3)
    assert isinstance(messages[-1], BrokenOff)
    assert messages[-1].status == GONE
    assert len(messages) == 4
    assert (made, request[ROWS]) == ([0, 1], 2)


def test_a_stream_takes_a_beginning() -> None:
    (messages,) = asked(
        replace(CANDLES, pages=lambda *_: iter([answer(1)])),
        scope(b"symbol=A&limit=1000000", accept="application/x-ndjson"),
    )
    assert messages[0]["status"] == 400
    assert b"start_time" in messages[1]["body"]
