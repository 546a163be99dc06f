"""Which questions are answered as a stream, and what such a question must say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.catalogue import PAGE_ROWS, Operation
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.api.operations.stores import Stores


def is_long(values: dict[str, Any]) -> bool:
    """Return whether more rows are asked for than one answer holds."""
    return bool(values.get("limit", 0) > PAGE_ROWS)


def pages_of(operation: Operation, stores: Stores, values: dict[str, Any]) -> Iterator[Answer]:
    """Return the pages of a long answer.

    Raises:
        Problem: If the question cannot be streamed.
    """
    if operation.pages is None:
        raise Problem(400, f"an answer has at most {PAGE_ROWS} rows", "limit", f"{PAGE_ROWS}")
    if values["cursor"] is not None:
        raise Problem(400, "a stream has no pages", "cursor", "start_time")
    if values["start_time"] is None:
        raise Problem(400, "a stream begins somewhere", "start_time", "an instant")
    return operation.pages(stores, values)
