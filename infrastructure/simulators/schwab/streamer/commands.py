"""Read what a client sends: one command, or several in `requests`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

UNREADABLE_ID: Final = "0"


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        service: Such as "ADMIN"; "" when none was named.
        name: Such as "SUBS"; "" when none was named.
        request_id: The client's number as text; "0" when it sent none. [?]
        customer_id: SchwabClientCustomerId, None when absent.
        correlation_id: SchwabClientCorrelId, None when absent.
        parameters: Texts by name.
    """

    service: str = ""
    name: str = ""
    request_id: str = UNREADABLE_ID
    customer_id: str | None = None
    correlation_id: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> list[str] | None:
        """Return the keys without those that repeat, None when the parameter is missing."""
        return comma_list(self.parameters.get("keys"))

    @property
    def fields(self) -> list[str] | None:
        """Return the field numbers, None when the parameter is missing."""
        return comma_list(self.parameters.get("fields"))


UNREADABLE: Final = Command()


def parse_commands(text: str | bytes) -> list[Command]:
    """Return the commands of one message; what cannot be read is an `UNREADABLE` one.

    A command may stand alone or in `{"requests": [...]}`. [S][C]
    """
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [UNREADABLE]
    if isinstance(content, dict) and "requests" in content:
        several = content["requests"]
        if not isinstance(several, list) or not several:
            return [UNREADABLE]
        return [_command(each) for each in several]
    return [_command(content)]


def comma_list(text: str | None) -> list[str] | None:
    """Split at commas, drop blanks and repetitions; stray spaces around are tolerated. [C]"""
    if text is None:
        return None
    # The spaces inside an option's symbol stay; only those around it go.
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _command(content: Any) -> Command:
    if not isinstance(content, dict):
        return UNREADABLE
    parameters = content.get("parameters") or {}
    if not isinstance(parameters, dict):
        return UNREADABLE
    return Command(
        service=_text(content.get("service")) or "",
        name=(_text(content.get("command")) or "").upper(),
        request_id=_text(content.get("requestid")) or UNREADABLE_ID,
        customer_id=_text(content.get("SchwabClientCustomerId")),
        correlation_id=_text(content.get("SchwabClientCorrelId")),
        parameters={name: _text(value) or "" for name, value in parameters.items()},
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return None
    return str(value)
