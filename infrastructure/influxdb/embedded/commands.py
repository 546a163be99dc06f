"""What callers hand to the store's committing thread, and how it answers them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from infrastructure.errors import LineError
from infrastructure.influxdb.parse import ParsedBody
from infrastructure.logging import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a write.

    Attributes:
        rows: How many lines are stored.
        errors: The lines that are not, by number.
    """

    rows: int
    errors: list[LineError]


@dataclass(slots=True)
class Write:
    """A write that waits for the committing thread."""

    database: str
    body: ParsedBody
    accept_partial: bool
    done: Future[WriteResult] = field(default_factory=Future)


@dataclass(slots=True)
class Change:
    """A change of the catalog: a log record, then its effect."""

    record: dict[str, Any] | None
    check: Callable[[], object]
    effect: Callable[[], Any]
    done: Future[Any] = field(default_factory=Future)


def fail(writes: list[Write], error: Exception) -> None:
    """Answer the writes that have no answer yet."""
    for write in writes:
        if not write.done.done():
            write.done.set_exception(error)


def log_failure(done: Future[WriteResult]) -> None:
    """Say that a write is lost for which nobody waits."""
    error = done.exception()
    if error is not None:
        _log.error("a write that nobody waited for was lost: %s", error)
