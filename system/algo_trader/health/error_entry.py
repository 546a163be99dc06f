"""An error as its registry keeps it, and what can happen to it."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from infrastructure.clock import rfc3339
from infrastructure.errors import UsageError
from infrastructure.logging import redact
from system.algo_trader.health.occurrence import Occurrence, Severity

ErrorState = Literal["open", "acknowledged", "resolved"]
STATES: Final[tuple[ErrorState, ...]] = ("open", "acknowledged", "resolved")
MOST_NOTES: Final = 50
"""Notes that are kept of an error, the latest."""
CAME_AGAIN: Final = "it came again after it was resolved"


class Note(msgspec.Struct, frozen=True):
    """Say something about an error.

    Attributes:
        at_ns: When, nanoseconds UTC.
        text: What.
    """

    at_ns: int
    text: str


class ErrorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one error, however often it happened.

    Attributes:
        id: Stays the same for the same process, kind and message without its numbers.
        process: What ran.
        kind: The error's class in our tree.
        message: What happened last.
        next_step: What a person should do, None when nobody knows.
        severity: How bad it is.
        count: How often it happened.
        first_seen_ns: When first, nanoseconds UTC.
        last_seen_ns: When last.
        state: `open` until a person has acknowledged or resolved it.
        since_ns: Since when it is in that state; for an open one the first time of this opening.
        notes: What was said about it, the oldest first.
        escalated_at_ns: When it was escalated in this opening, None when it was not.
        escalation_begun_ns: When a process last took it upon itself to escalate it.
    """

    id: str
    process: str
    kind: str
    message: str
    next_step: str | None
    severity: Severity
    count: int
    first_seen_ns: int
    last_seen_ns: int
    state: ErrorState
    since_ns: int
    notes: tuple[Note, ...] = ()
    escalated_at_ns: int | None = None
    escalation_begun_ns: int | None = None

    @classmethod
    def of(cls, seen: Occurrence) -> ErrorEntry:
        """Return the entry of an error that was not known."""
        return cls(
            id=seen.id,
            process=seen.process,
            kind=seen.kind,
            message=seen.message,
            next_step=seen.next_step,
            severity=seen.severity,
            count=seen.count,
            first_seen_ns=seen.first_ns,
            last_seen_ns=seen.last_ns,
            state="open",
            since_ns=seen.first_ns,
        )

    def seen(self, again: Occurrence) -> ErrorEntry:
        """Return the entry after the error happened again; a resolved one is open then.

        What happened before it was resolved and is told late only counts.
        """
        counted = msgspec.structs.replace(
            self,
            count=self.count + again.count,
            first_seen_ns=min(self.first_seen_ns, again.first_ns),
            last_seen_ns=max(self.last_seen_ns, again.last_ns),
        )
        if again.last_ns < self.last_seen_ns:
            return counted
        counted = msgspec.structs.replace(
            counted, message=again.message, next_step=again.next_step, severity=again.severity
        )
        if self.state != "resolved" or again.last_ns < self.since_ns:
            return counted
        reopened = msgspec.structs.replace(
            counted,
            state="open",
            since_ns=max(again.first_ns, self.since_ns),
            escalated_at_ns=None,
            escalation_begun_ns=None,
        )
        return reopened.noted(CAME_AGAIN, again.last_ns)

    def acknowledged(self, note: str | None, at_ns: int) -> ErrorEntry:
        """Return the entry after a person has said that they know of it.

        Raises:
            UsageError: If it is resolved.
        """
        if self.state == "resolved":
            raise UsageError(
                f"the error {self.id} is resolved",
                next_step="It is open again as soon as it comes again.",
            )
        return self._moved("acknowledged", note, at_ns)

    def resolved(self, note: str | None, at_ns: int) -> ErrorEntry:
        """Return the entry after a person has said that its cause is mended."""
        return self._moved("resolved", note, at_ns)

    def noted(self, text: str, at_ns: int) -> ErrorEntry:
        """Return the entry with one more note, in which no secret stands."""
        notes = (*self.notes, Note(at_ns, redact(text)))
        return msgspec.structs.replace(self, notes=notes[-MOST_NOTES:])

    def is_due(self, now_ns: int, after_ns: int) -> bool:
        """Whether it has been open for so long without being escalated."""
        waits = self.state == "open" and self.escalated_at_ns is None
        return waits and now_ns - self.since_ns > after_ns

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON output, instants as RFC 3339."""
        values = msgspec.to_builtins(self)
        for name in ("first_seen", "last_seen", "since"):
            values[name] = rfc3339(values.pop(f"{name}_ns"))
        del values["escalation_begun_ns"]
        escalated_ns = values.pop("escalated_at_ns")
        values["escalated_at"] = None if escalated_ns is None else rfc3339(escalated_ns)
        values["notes"] = [{"at": rfc3339(each.at_ns), "text": each.text} for each in self.notes]
        return dict(values)

    def _moved(self, state: ErrorState, note: str | None, at_ns: int) -> ErrorEntry:
        moved = self
        if state != self.state:
            moved = msgspec.structs.replace(self, state=state, since_ns=at_ns)
        return moved if note is None else moved.noted(note, at_ns)
