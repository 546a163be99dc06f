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
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.browser_session import Sessions
from system.algo_trader.api.access.doorkeeper import Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.access.origin_guard import allowed_hosts
from system.algo_trader.api.http.figures import Figures
from system.algo_trader.api.http.gate import Admission, Gate
from system.algo_trader.api.http.operation_route import GONE, ROWS, BrokenOff
from system.algo_trader.api.http.sending import Message, Receive, Scope, Send

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@pytest.fixture
def admission(tmp_path: Path) -> Admission:
    clock = SystemClock()
    return Admission(
        Doorkeeper(KeyStore(tmp_path / "api_keys.json", clock), "", clock),
        Sessions(clock),
        Audit(tmp_path / "api_audit.jsonl", clock),
        Figures(),
        allowed_hosts("127.0.0.1", 8877),
    )


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
