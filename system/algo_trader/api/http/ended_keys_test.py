"""A key or session that ends takes its sockets with it; the audit learns why, the outside not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import SystemClock
from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.access.browser_session import COOKIE
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.http import gate
from system.algo_trader.api.http.gate import Admission, Gate
from system.algo_trader.api.http.sending import Message, Receive, Scope, Send
from system.algo_trader.testing.admission import admission_in

HOST = "127.0.0.1:8877"
TICKS = frozenset({KeyScope.READ_TICKS})
DEADLINE_S = 10.0
ENDED = {"type": "websocket.close", "code": 1008, "reason": "this key or session has ended"}


class Endless:
    """Stand for the service: accepts and goes on until it is ended."""

    def __init__(self) -> None:
        self.is_serving = False
        self.was_ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "websocket.accept"})
        self.is_serving = True
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            self.was_ended = True


@pytest.fixture
def admission(tmp_path: Path) -> Admission:
    return admission_in(tmp_path, "the owner's secret")


def audited(admission: Admission, folder: Path) -> list[dict[str, Any]]:
    admission.audit.close()
    return [json.loads(line) for line in (folder / "api_audit.jsonl").read_text().splitlines()]


def scope_of(kind: str, **headers: str) -> Scope:
    found = {"host": HOST, **{name.replace("_", "-"): each for name, each in headers.items()}}
    return {
        "type": kind,
        "method": "GET",
        "path": "/ws/ticks" if kind == "websocket" else "/api/v1/quotes",
        "headers": [(name.encode(), each.encode()) for name, each in found.items()],
        "client": ("127.0.0.1", 1),
    }


def socket_through(
    admission: Admission,
    end: Callable[[], object] | None,
    *,
    reads: bool = True,
    **headers: str,
) -> tuple[list[Message], Endless]:
    """Return what a socket was sent from its opening until it ended, or was left for a second."""
    app, sent = Endless(), []
    inbox: asyncio.Queue[Message] = asyncio.Queue()

    async def send(message: Message) -> None:
        if message["type"] == "websocket.close" and not reads:
            await asyncio.Event().wait()
        sent.append(message)

    async def run() -> None:
        door = Gate(app, admission, SystemClock())
        serving = asyncio.ensure_future(door(scope_of("websocket", **headers), inbox.get, send))
        async with asyncio.timeout(DEADLINE_S):
            while not app.is_serving and not serving.done():
                await asyncio.sleep(0.01)
            if end is not None:
                end()
            else:
                await asyncio.wait({serving}, timeout=1.2)
                assert not serving.done()
                inbox.put_nowait({"type": "websocket.disconnect"})
            await serving

    asyncio.run(run())
    return sent, app


def http_through(admission: Admission, **headers: str) -> dict[str, Any]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing more comes")

    asyncio.run(
        Gate(Endless(), admission, SystemClock())(scope_of("http", **headers), receive, send)
    )
    body = sent[-1]["body"]
    return {"status": sent[0]["status"], **(json.loads(body) if body else {})}


def test_a_revoked_key_loses_its_socket(admission: Admission, tmp_path: Path) -> None:
    key, text = admission.doorkeeper.keys.create("mine", TICKS)
    others = KeyStore(tmp_path / "api_keys.json")
    sent, app = socket_through(admission, lambda: others.revoke(key.key_id), x_api_key=text)
    assert sent[-1] == ENDED
    assert app.was_ended
    noted = [(line["key"], line["method"], line["route"]) for line in audited(admission, tmp_path)]
    assert noted == [(key.key_id, "WS", "/ws/ticks")]


def test_a_peer_that_does_not_read_keeps_no_socket_open(
    admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "GOODBYE_S", 0.1)
    key, text = admission.doorkeeper.keys.create("mine", TICKS)
    others = KeyStore(tmp_path / "api_keys.json")
    sent, _ = socket_through(
        admission, lambda: others.revoke(key.key_id), x_api_key=text, reads=False
    )
    assert [each["type"] for each in sent] == ["websocket.accept"]
    assert admission.figures.open_sockets == 0
    (line,) = audited(admission, tmp_path)
    assert (line["key"], line["status"]) == (key.key_id, 101)


def test_an_expired_key_loses_its_socket(admission: Admission) -> None:
    _, text = admission.doorkeeper.keys.create("mine", TICKS, expires_in_s=0.3)
    sent, _ = socket_through(admission, lambda: None, x_api_key=text)
    assert sent[-1] == ENDED


def test_a_file_of_keys_that_was_damaged_ends_its_sockets(
    admission: Admission, tmp_path: Path
) -> None:
    _, text = admission.doorkeeper.keys.create("mine", TICKS)
    sent, _ = socket_through(
        admission, lambda: (tmp_path / "api_keys.json").write_text("{"), x_api_key=text
    )
    assert sent[-1] == ENDED


def test_a_closed_session_loses_its_socket(admission: Admission) -> None:
    opened = admission.sessions.open(admission.sessions.link_token())
    assert opened is not None
    cookie = opened[0]
    sent, _ = socket_through(
        admission,
        lambda: admission.sessions.close(cookie),
        cookie=f"{COOKIE}={cookie}",
        origin=f"http://{HOST}",
    )
    assert sent[-1] == ENDED


@pytest.mark.parametrize("is_owner", [False, True])
def test_the_socket_of_a_valid_key_goes_on(admission: Admission, is_owner: bool) -> None:
    _, text = admission.doorkeeper.keys.create("mine", TICKS)
    used = "the owner's secret" if is_owner else text
    sent, _ = socket_through(admission, None, x_api_key=used)
    assert [each["type"] for each in sent] == ["websocket.accept"]


def test_the_outside_does_not_learn_why_a_key_is_refused_but_the_audit_does(
    admission: Admission, tmp_path: Path
) -> None:
    keys = admission.doorkeeper.keys
    revoked, revoked_text = keys.create("a", TICKS)
    wrong, wrong_text = keys.create("b", TICKS)
    keys.revoke(revoked.key_id)
    asked = [revoked_text, wrong_text[:-3] + "abc", f"at_{'0' * 12}_{'0' * 43}", "no key"]
    answers = [http_through(admission, x_api_key=text) for text in asked]
    assert [each["status"] for each in answers] == [401] * 4
    assert all(each == answers[0] for each in answers)
    lines = audited(admission, tmp_path)
    assert [line["key"] for line in lines] == [
        f"(revoked {revoked.key_id})", f"(wrong secret {wrong.key_id})", "(unknown)", "(malformed)"
    ]  # fmt: skip
    written = json.dumps(lines)
    assert all(text.rpartition("_")[2] not in written for text in asked[:3])


def test_the_audit_says_which_key_asked_too_often(admission: Admission, tmp_path: Path) -> None:
    key, text = admission.doorkeeper.keys.create("mine", TICKS, rate_per_minute=1)
    answers = [http_through(admission, x_api_key=text) for _ in range(11)]
    assert [each["status"] for each in answers] == [200] * 10 + [429]
    lines = audited(admission, tmp_path)
    assert lines[-1]["key"] == f"(too often {key.key_id})"
    assert {line["key"] for line in lines[:-1]} == {key.key_id}


def test_the_secrets_that_the_gate_holds_are_not_shown(admission: Admission) -> None:
    assert "the owner's secret" not in repr(admission)
