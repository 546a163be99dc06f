"""One HTTP answer of Schwab as a plain value, so that judging it is a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from infrastructure.clock import ns_from_utc
from infrastructure.logging import redact

CORRELATION_HEADER = "Schwab-Client-CorrelId"
LONGEST_DETAIL = 240
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold status, headers and body of one answer.

    Attributes:
        status: The HTTP status.
        body: The body's bytes, decompressed.
        headers: Header names in lower case.
        what: What was asked, for sentences: "the price history of AAPL".
        correlation_id: Schwab's id of the request, ours where Schwab sent none.
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    what: str
    correlation_id: str | None = None

    @property
    def text(self) -> str:
        """The body as text; undecodable bytes are replaced."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def is_html(self) -> bool:
        """Whether the body is a page for people: no answer of the API itself."""
        head = self.text[:200].lstrip().lower()
        return head.startswith(("<!doctype html", "<html", "<head", "<body"))

    def json(self) -> Any:
        """Return the decoded body, None when it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def retry_after_s(self, now_ns: int) -> float | None:
        """Return the seconds that `Retry-After` asks for, None without a readable one.

        Args:
            now_ns: The time, nanoseconds UTC, against which a date is counted.
        """
        value = self.headers.get("retry-after", "").strip()
        if value.isdigit():
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (ns_from_utc(moment) - now_ns) / _NS_PER_S)


def error_details(payload: Any) -> str:
    """Return what an error body says, in one line; empty when it says nothing.

    Knows the shapes of schwab-api.md §2: `errors[]` of objects (market data) or texts (trader),
    `message`, the gateway's `fault`, and OAuth's `error` with `error_description`.
    """
    if not isinstance(payload, dict):
        return ""
    parts: list[str] = []
    if isinstance(payload.get("message"), str):
        parts.append(payload["message"])
    errors = payload.get("errors")
    parts.extend(map(_one_error, errors if isinstance(errors, list) else []))
    fault = payload.get("fault")
    if isinstance(fault, dict) and isinstance(fault.get("faultstring"), str):
        parts.append(fault["faultstring"])
    if isinstance(payload.get("error"), str):
        description = payload.get("error_description")
        parts.append(
            f"{payload['error']}: {description}"
            if isinstance(description, str)
            else payload["error"]
        )
    return shortened("; ".join(part for part in parts if part))


def _one_error(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict):
        return ""
    words = [str(entry[key]) for key in ("title", "detail") if entry.get(key)]
    source = entry.get("source")
    if isinstance(source, dict):
        named = [
            ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            for value in source.values()
        ]
        words.append(f"({'; '.join(named)})")
    return " ".join(words)


def shortened(text: str) -> str:
    """Return a foreign text without secrets, on one line and of bearable length."""
    line = " ".join(redact(text).split())
    return line if len(line) <= LONGEST_DETAIL else f"{line[: LONGEST_DETAIL - 1]}…"
