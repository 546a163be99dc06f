"""Starting and stopping services takes its time, and nobody else's."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import httpx2
from fastapi import FastAPI

from system.algo_trader.api.access.caller import ADMIN, CALLER, Caller
from system.algo_trader.api.http.control import Action, Control
from system.algo_trader.api.http.openapi import PREFIX
from system.algo_trader.api.http.work import Work

DEADLINE_S = 10.0


def test_servers_that_take_long_to_stop_keep_no_answer_waiting() -> None:
    work, ended, began = Work(), threading.Event(), threading.Event()
    nothing: Any = SimpleNamespace(hurry=lambda: None)

    def stop(name: str, action: Action) -> str:
        began.set()
        ended.wait(DEADLINE_S)
        return f"{name} is stopped"

    app = FastAPI()
    app.include_router(Control(nothing, work, nothing, stop).router())

    async def as_owner(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, CALLER: Caller("owner", frozenset({ADMIN}))}, receive, send)

    async def story() -> tuple[str, list[int]]:
        transport = httpx2.ASGITransport(as_owner)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
            path = f"{PREFIX}/services/redis/stop"
            stopping = [asyncio.ensure_future(client.post(path)) for _ in range(6)]
            assert await asyncio.to_thread(began.wait, DEADLINE_S)
            try:
                said = await asyncio.wait_for(work.do(lambda: "answered"), DEADLINE_S / 2)
            finally:
                ended.set()
                answers = await asyncio.gather(*stopping)
        return said, [each.status_code for each in answers]

    assert asyncio.run(story()) == ("answered", [200] * 6)
    work.close()
