"""What takes seconds has threads of its own, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from system.algo_trader.api.http.work import SQL_AT_ONCE, Lane, Work
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.api.operations.sql_sandbox import AT_ONCE

DEADLINE_S = 10.0


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.close()


@pytest.mark.parametrize("slow", [Lane.SQL, Lane.CHANGES])
def test_what_takes_seconds_keeps_no_answer_waiting(work: Work, slow: Lane) -> None:
    ended = threading.Event()

    async def story() -> str:
        waiting = [asyncio.ensure_future(work.do(ended.wait, slow)) for _ in range(16)]
        await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(work.do(lambda: "answered"), DEADLINE_S)
        finally:
            ended.set()
            await asyncio.gather(*waiting)

    assert asyncio.run(story()) == "answered"


def test_no_question_in_sql_waits_for_a_thread(work: Work) -> None:
    assert SQL_AT_ONCE > AT_ONCE
    together, over = threading.Barrier(SQL_AT_ONCE), threading.Event()

    def ask() -> None:
        together.wait(DEADLINE_S)
        over.wait(DEADLINE_S)

    async def story() -> Problem:
        asking = [asyncio.ensure_future(work.do(ask, Lane.SQL)) for _ in range(SQL_AT_ONCE)]
        await asyncio.sleep(0)
        try:
            with pytest.raises(Problem) as refused:
                await work.do(lambda: None, Lane.SQL)
        finally:
            over.set()
        await asyncio.gather(*asking)
        return refused.value

    problem = asyncio.run(story())
    assert (problem.status, problem.retry_after_s) == (503, 1)
