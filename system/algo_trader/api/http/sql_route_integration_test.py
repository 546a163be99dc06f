"""Questions in SQL that take long wait for each other, and keep nobody else waiting."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
import requests

from system.algo_trader.testing.model_client import over_http, refusal
from system.algo_trader.testing.running_service import RunningService, running_service

SLOW = "SELECT sum(a.range * b.range) AS s FROM range(10000000) a, range(1000000) b"
ASKING = 8
PATIENCE_S = 3.0
"""Two questions are cut off after 5 s: whoever waits for them waits longer than this."""

LIMITS = itertools.count(1)
"""No question twice: none is answered out of the cache."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def ask_route(service: RunningService) -> str:
    """Ask one slow question over REST; return what is wrong with it."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"{service.url}/api/v1/sql",
            json={"sql": SLOW},
            headers={"Authorization": f"Bearer {service.key('read:ticks', 'read:options')}"},
            timeout=60,
        )
    return str(answer.json()["detail"])


def ask_tool(service: RunningService) -> str:
    """Ask one slow question over MCP; return what is wrong with it."""

    async def story() -> str:
        async with over_http(service, service.key("read:ticks", "read:options")) as client:
            return await refusal(client, "sql", sql=SLOW)

    return asyncio.run(story())


@pytest.mark.parametrize("ask", [ask_route, ask_tool])
def test_slow_sql_keeps_no_other_question_waiting(
    service: RunningService, ask: Callable[[RunningService], str]
) -> None:
    service.key("read:ticks", "read:options")
    took_s = []
    with ThreadPoolExecutor(ASKING) as pool:
        asking = [pool.submit(ask, service) for _ in range(ASKING)]
        while not all(each.done() for each in asking):
            began_s = monotonic()
            path = f"/api/v1/candles?symbol=AAPL&timeframe=1m&limit={next(LIMITS)}"
            assert service.get(path).status_code == 200
            took_s.append(monotonic() - began_s)
    said = [each.result() for each in asking]
    assert all("takes longer than" in each or "too many" in each for each in said), said
    assert max(took_s) < PATIENCE_S
