"""The server breaks off an answer that fails in its middle, and leaves signals as they were."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from system.algo_trader.api.http.server import Listening, serve
from system.algo_trader.testing.running_service import free_port


async def _breaks_off(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half of it", "more_body": True})
    if scope["path"] == "/broken":
        raise RuntimeError("the store is damaged")
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _ask(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_half_an_answer_does_not_look_whole() -> None:
    async def story() -> tuple[bytes, bytes]:
        port, ending, ready = free_port(), asyncio.Event(), asyncio.Event()
        listening = Listening("127.0.0.1", port)
        serving = asyncio.ensure_future(
            serve(_breaks_off, listening, ready=ready.set, ending=ending)
        )
        await asyncio.wait_for(ready.wait(), 30)
        found = await _ask(port, "/whole"), await _ask(port, "/broken")
        ending.set()
        await asyncio.wait_for(serving, 30)
        return found

    whole, broken = asyncio.run(story())
    assert whole.endswith(b"\r\n0\r\n\r\n")
    assert not broken.endswith(b"\r\n0\r\n\r\n")


def _handle(*_: object) -> None:
    """Stand for what the program does on a signal."""


@pytest.fixture
def handled() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, _handle)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("handled")
def test_signals_do_what_they_did_before_once_the_server_has_ended() -> None:
    async def story() -> None:
        during: list[Any] = []
        ending = asyncio.Event()

        def ready() -> None:
            during.append(signal.getsignal(signal.SIGTERM))
            ending.set()

        await serve(_breaks_off, Listening("127.0.0.1", free_port()), ready=ready, ending=ending)
        assert during != [_handle]
        assert signal.getsignal(signal.SIGTERM) is _handle

    asyncio.run(story())
