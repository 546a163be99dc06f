"""HTTP requests and answers as values, apart from any socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came off the wire.

    Attributes:
        method: GET, POST and so on.
        target: Path and query, still percent-encoded.
        headers: Names in lower case.
        body: The bytes after the headers.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the percent-encoded path."""
        # A path that begins with two slashes would read as a host.
        return urlsplit("http://schwab" + self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Return the decoded query; of a repeated name the last value holds."""
        return _pairs(urlsplit("http://schwab" + self.target).query)

    @property
    def form(self) -> dict[str, str]:
        """Return the decoded fields of a form; of a repeated name the last value holds."""
        return _pairs(self.body.decode("utf-8", errors="replace"))

    def form_values(self, name: str) -> list[str]:
        """Return every value of one field of a form, such as ticked boxes."""
        fields = parse_qs(self.body.decode("utf-8", errors="replace"), keep_blank_values=True)
        return fields.get(name, [])


@dataclass(slots=True)
class Response:
    """One answer.

    Attributes:
        status: HTTP status.
        body: Its bytes.
        content_type: Value of that header.
        headers: Further headers.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def json_response(status: int, value: Any) -> Response:
    """Answer with a value as JSON."""
    return Response(status, msgspec.json.encode(value))


def html_response(status: int, page: str) -> Response:
    """Answer with a page."""
    return Response(status, page.encode(), "text/html;charset=utf-8")


def redirect_response(location: str) -> Response:
    """Send a browser elsewhere."""
    return Response(302, b"", "text/html;charset=utf-8", {"Location": location})


def _pairs(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
