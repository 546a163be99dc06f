"""Calls in threads that end with the process."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextvars import ContextVar

import pytest

from infrastructure.schwab.streamer.daemon_thread import in_daemon_thread

DEADLINE_S = 20
_mark: ContextVar[str] = ContextVar("mark", default="none")


def test_the_answer_comes_from_a_daemon_thread_with_the_callers_context() -> None:
    async def test() -> tuple[str, bool]:
        _mark.set("mine")
        return await in_daemon_thread(lambda: (_mark.get(), threading.current_thread().daemon))

    assert asyncio.run(test()) == ("mine", True)


def test_an_error_is_raised_where_the_answer_is_waited_for() -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        asyncio.run(in_daemon_thread(fail))


@pytest.mark.parametrize("error", [None, LookupError("nothing there")])
def test_a_call_that_outlives_its_loop_holds_nobody_up_and_ends_in_silence(
    error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[threading.Thread] = []
    asked, answer = threading.Event(), threading.Event()

    def slow() -> None:
        threads.append(threading.current_thread())
        asked.set()
        answer.wait(DEADLINE_S)
        if error is not None:
            raise error

    async def test() -> None:
        waiting = asyncio.create_task(in_daemon_thread(slow))
        while not asked.is_set():
            await asyncio.sleep(0.001)
        waiting.cancel()

    asyncio.run(test())
    assert threads[0].is_alive()
    answer.set()
    threads[0].join(DEADLINE_S)
    assert not threads[0].is_alive()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
