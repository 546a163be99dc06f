"""One answer on its way out over Flight, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa

from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from system.algo_trader.api.flight.refusal import refusal_of
from system.algo_trader.api.flight.streams import Stream
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.problem import Problem, problem_of
from system.algo_trader.api.operations.rendering import facts_text

_log = get_logger("api.flight")
FAULT: Final = "this is a fault of the service; its log says more"
_GONE: Final = 499
"""The status of an answer whose caller did not wait for its end."""


class Outflow:
    """Yield batches with the facts of their rows as metadata.

    It is over once it has come to its end, failed, or been dropped: a caller may be gone before
    the first batch, and a generator that never began would not be told.

    Args:
        first: The first page.
        pages: Those behind it.
        now_ns: Returns the time, nanoseconds UTC.
        stream: Its place, which says whether it may go on.
        over: Called once, with the status as of HTTP and how many rows went.
    """

    def __init__(
        self,
        first: Answer,
        pages: Iterator[Answer],
        *,
        now_ns: Callable[[], int],
        stream: Stream,
        over: Callable[[int, int], None],
    ) -> None:
        self._over = over
        self._is_over = False
        self._rows = 0
        # No method of its own: a circle of references would let a dropped stream live on.
        self._batches = _batches(first, pages, now_ns)
        self._stream = stream
        stream.given()

    def __iter__(self) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
        return self

    def __next__(self) -> tuple[pa.RecordBatch, pa.Buffer]:
        try:
            self._stream.asked()
            batch, facts = next(self._batches)
            self._stream.check()
        except StopIteration:
            self._end(200)
            raise
        except Problem as problem:
            self._end(problem.status)
            _log.warning("a stream ends before its time: %s", problem)
            raise refusal_of(problem) from None
        self._rows += batch.num_rows
        self._stream.given()
        return batch, facts

    def __del__(self) -> None:
        reason = self._stream.reason
        self._end(_GONE if reason is None else reason.status)

    def _end(self, status: int) -> None:
        if not self._is_over:
            self._is_over = True
            self._over(status, self._rows)


def _batches(
    first: Answer,
    pages: Iterator[Answer],
    now_ns: Callable[[], int],
) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
    page: Answer | None = first
    try:
        while page is not None:
            facts = pa.py_buffer(facts_text(page, now_ns()))
            for batch in page.table.combine_chunks().to_batches():
                yield batch.replace_schema_metadata(None), facts
            page = next(pages, None)
    except (Problem, GeneratorExit):
        raise
    except StackError as error:
        raise problem_of(error) from error
    except Exception as error:
        _log.exception("a stream failed")
        raise Problem(500, FAULT) from error
