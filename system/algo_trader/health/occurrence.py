"""One time that an error happened, in the words that its registry keeps."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from infrastructure.errors import (
    BugError,
    CorruptStore,
    DiskFull,
    InputError,
    NoDataError,
    OrderOutcomeUnknown,
    RetryableError,
    StackError,
)
from infrastructure.logging import redact

Severity = Literal["low", "medium", "high", "critical"]

LONGEST: Final = 500
"""Letters that are kept of a message."""
_SEVERITIES: Final[tuple[tuple[type[StackError], Severity], ...]] = (
    (DiskFull, "critical"),
    (CorruptStore, "critical"),
    (OrderOutcomeUnknown, "critical"),
    (InputError, "low"),
    (NoDataError, "low"),
    (RetryableError, "medium"),
)
_ID_DIGITS: Final = 10
_NUMBER: Final = re.compile(
    # Hexadecimal ids that hold a digit, then every number with its points and commas.
    r"\b(?=[0-9a-f-]*\d)[0-9a-f][0-9a-f-]{7,}\b|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Say what happened, where and when, without a secret.

    Attributes:
        process: What ran: the words of its verb.
        kind: The error's class in our tree.
        message: What happened.
        next_step: What a person should do, None when nobody knows.
        severity: How bad it is.
        first_ns: When it happened first, nanoseconds UTC.
        last_ns: When it happened last.
        count: How often it happened from then to then.
    """

    process: str
    kind: str
    message: str
    next_step: str | None
    severity: Severity
    first_ns: int
    last_ns: int
    count: int = 1

    @classmethod
    def of(cls, error: StackError, process: str, at_ns: int) -> Occurrence:
        """Return an error of our tree at an instant, nanoseconds UTC."""
        next_step = None if error.next_step is None else _kept(error.next_step)
        kind = type(error)
        return cls(
            process, kind.__name__, _kept(error.message), next_step, severity_of(kind), at_ns, at_ns
        )

    @classmethod
    def of_log(cls, record: logging.LogRecord, process: str) -> Occurrence:
        """Return a line of the log; of the error that it tells of, if it names one."""
        error = _told_of(record)
        kind = BugError if error is None and record.exc_info else type(error or StackError(""))
        severity = severity_of(kind)
        if record.levelno >= logging.CRITICAL:
            severity = "critical"
        text = record.getMessage()
        if error is None and record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        next_step = None if error is None or error.next_step is None else _kept(error.next_step)
        at_ns = int(record.created * 1000) * 1_000_000
        return cls(process, kind.__name__, _kept(text), next_step, severity, at_ns, at_ns)

    @property
    def id(self) -> str:
        """Return what stays the same when the same error happens again."""
        text = "\0".join((self.process, self.kind, fingerprint(self.message)))
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]

    def merged(self, other: Occurrence) -> Occurrence:
        """Return both as one; the later one's words count."""
        later = max(self, other, key=lambda each: each.last_ns)
        return replace(
            later, count=self.count + other.count, first_ns=min(self.first_ns, other.first_ns)
        )


def fingerprint(message: str) -> str:
    """Return a message without its numbers: times, counts, prices, ports and ids."""
    return _NUMBER.sub("#", message)


def severity_of(kind: type[StackError]) -> Severity:
    """Return how bad an error of a class is: what a person has to mend is high."""
    return next((word for base, word in _SEVERITIES if issubclass(kind, base)), "high")


def _told_of(record: logging.LogRecord) -> StackError | None:
    arguments = record.args if isinstance(record.args, tuple) else ()
    raised = record.exc_info[1] if record.exc_info else None
    found = (each for each in (*arguments, raised) if isinstance(each, StackError))
    return next(found, None)


def _kept(text: str) -> str:
    # Redacted first: a cut secret would not be known as one.
    return " ".join(redact(text).split())[:LONGEST]
