"""What is kept of an error: the same for the same error, and never a secret."""

import logging
import sys

import pytest

from infrastructure.errors import (
    BugError,
    ConfigError,
    CorruptStore,
    DiskFull,
    MissingService,
    NetworkError,
    NoDataError,
    RefreshTokenExpired,
    StackError,
)
from infrastructure.logging import register_secret
from system.algo_trader.health.occurrence import LONGEST, Occurrence, fingerprint, severity_of


def seen(
    message: str, process: str = "stream", kind: type[StackError] = NetworkError
) -> Occurrence:
    return Occurrence.of(kind(message), process, 5)


def logged(level: int, text: str, *arguments: object, error: Exception | None = None) -> Occurrence:
    raised = None
    if error is not None:
        try:
            raise error
        except type(error):
            raised = sys.exc_info()
    record = logging.LogRecord("algo_trader.x", level, "x.py", 1, text, arguments, raised)
    return Occurrence.of_log(record, "stream")


def test_numbers_times_and_ids_make_no_other_error() -> None:
    first = seen("port 8181 did not answer at 2013-02-28T21:00:00Z after 1,000.5 s (3fa85f64-57)")
    again = seen("port 37 did not answer at 2026-01-01T09:30:59Z after 7 s (0badf00d-11)")
    assert first.id == again.id
    assert len(first.id) == 10
    assert first.id != seen("port 8181 answered").id
    assert first.id != seen("port 8181 did not answer", "gex").id
    assert seen("x").id != seen("x", kind=MissingService).id


def test_words_are_no_numbers() -> None:
    assert fingerprint("the feedback of a decade is added") == "the feedback of a decade is added"


def test_no_secret_is_kept_even_where_the_message_is_cut() -> None:
    register_secret("hunter2hunter2")
    padded = "x" * (LONGEST - 4) + "hunter2hunter2"
    for message in ("key hunter2hunter2", "redis://me:hunter2@host", padded):
        assert "hunt" not in seen(message).message
    error = NetworkError("x", next_step="Use hunter2hunter2.")
    assert Occurrence.of(error, "stream", 0).next_step == "Use ********."
    assert len(seen("x" * 2_000).message) == LONGEST


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        (ConfigError, "low"),
        (NoDataError, "low"),
        (NetworkError, "medium"),
        (RefreshTokenExpired, "high"),
        (MissingService, "high"),
        (BugError, "high"),
        (DiskFull, "critical"),
        (CorruptStore, "critical"),
    ],
)
def test_severity_follows_from_what_has_to_be_done(kind: type[StackError], severity: str) -> None:
    assert severity_of(kind) == severity


def test_a_line_of_the_log_is_the_error_that_it_tells_of() -> None:
    told = logged(
        logging.ERROR, "%s has ended: %s", "archive", DiskFull("no space", next_step="Free some.")
    )
    assert (told.kind, told.severity, told.next_step) == ("DiskFull", "critical", "Free some.")
    assert told.message == "archive has ended: no space. Free some."
    broken = logged(logging.ERROR, "sending failed", error=RuntimeError("no room"))
    assert (broken.kind, broken.message) == ("BugError", "sending failed: RuntimeError: no room")
    raised = logged(logging.ERROR, "sending failed", error=NetworkError("gone"))
    assert (raised.kind, raised.severity) == ("NetworkError", "medium")
    plain = logged(logging.CRITICAL, "did not take everything in %g s", 5)
    assert (plain.kind, plain.severity) == ("StackError", "critical")


def test_two_of_one_error_are_counted_as_one_in_the_later_ones_words() -> None:
    first = Occurrence.of(NetworkError("after 1 s"), "stream", 10)
    second = Occurrence.of(NetworkError("after 2 s"), "stream", 20)
    for merged in (first.merged(second), second.merged(first)):
        assert (merged.count, merged.first_ns, merged.last_ns) == (2, 10, 20)
        assert merged.message == "after 2 s"
