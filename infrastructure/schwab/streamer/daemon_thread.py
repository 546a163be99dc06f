"""A call that blocks, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(function: Callable[[], T]) -> T:
    """Return what a function returns, called in a daemon thread of its own.

    The threads of `asyncio.to_thread` are waited for at the end of the loop and at the end of
    the process, however long their calls take. Here a wait that is cancelled leaves the call
    behind: what it returns or raises is dropped, even after the loop is closed.

    Raises:
        BaseException: What the function raises.
    """
    answer: Future[T] = Future()
    context = copy_context()

    def call() -> None:
        try:
            result = context.run(function)
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    # A future that runs cannot be cancelled, so that the thread may always set it.
    answer.set_running_or_notify_cancel()
    awaited = asyncio.wrap_future(answer)
    threading.Thread(target=call, name="ask-aside", daemon=True).start()
    return await awaited
