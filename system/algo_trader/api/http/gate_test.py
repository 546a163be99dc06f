"""The audit says what became of an answer or a socket, not what was meant to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import SystemClock
from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.http.gate import Admission, Gate
from system.algo_trader.api.http.operation_route import GONE, ROWS, BrokenOff
from system.algo_trader.api.http.sending import Message, Receive, Scope, Send
from system.algo_trader.testing.admission import admission_in

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@pytest.fixture
def admission(tmp_path: Path) -> Admission:
    return admission_in(tmp_path)


def audited(app: App, kind: str, admission: Admission, folder: Path) -> dict[str, Any]:
    """Return the line of one request; what the gate raises is raised once it is written."""
    _, text = admission.doorkeeper.keys.create("mine", frozenset({KeyScope.READ_TICKS}))
    scope = {
        "type": kind,
        "method": "GET",
        "path": "/ws/ticks" if kind == "websocket" else "/api/v1/candles",
        "headers": [(b"host", b"127.0.0.1:8877"), (b"x-api-key", text.encode())],
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> Message:
        return {"type": f"{kind}.disconnect"}

    async def send(_: Message) -> None:
        """Take it."""

    try:
        asyncio.run(Gate(app, admission, SystemClock())(scope, receive, send))
    finally:
        admission.audit.close()
    (line,) = (folder / "api_audit.jsonl").read_text().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_caller_who_did_not_wait_for_the_end_is_told_apart(
    admission: Admission, tmp_path: Path
) -> None:
    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await send(dict(START))
        scope[ROWS] = 7
        raise BrokenOff("the caller has gone", GONE)

    line = audited(app, "http", admission, tmp_path)
    assert (line["status"], line["rows"]) == (499, 7)


def test_an_answer_that_breaks_off_is_audited_with_what_broke_it(
    admission: Admission, tmp_path: Path
) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(dict(START))
        raise BrokenOff("a store is away", 503)

    with pytest.raises(BrokenOff):
        audited(app, "http", admission, tmp_path)
    assert json.loads((tmp_path / "api_audit.jsonl").read_text())["status"] == 503


def test_a_stream_ends_with_the_key_that_asked_for_it(admission: Admission, tmp_path: Path) -> None:
    sent: list[bytes] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        keys = admission.doorkeeper.keys
        await send(dict(START))
        for part in (b"one", b"two", b"three"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            sent.append(part)
            if part == b"two":
                keys.revoke(keys.list()[0].key_id)

    with pytest.raises(BrokenOff, match="has ended"):
        audited(app, "http", admission, tmp_path)
    assert sent == [b"one", b"two"]
    assert json.loads((tmp_path / "api_audit.jsonl").read_text())["status"] == 401


@pytest.mark.parametrize(
    ("said", "status"),
    [([], 403), (["websocket.close"], 403), (["websocket.accept", "websocket.close"], 101)],
)
def test_a_socket_is_audited_with_what_its_client_was_told(
    admission: Admission, tmp_path: Path, said: list[str], status: int
) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        for kind in said:
            await send({"type": kind})

    assert audited(app, "websocket", admission, tmp_path)["status"] == status
