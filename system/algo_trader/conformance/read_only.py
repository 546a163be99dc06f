"""An HTTP session that cannot change anything at Schwab: GET, and the POST of a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from infrastructure.errors import BugError
from infrastructure.schwab.oauth.client import TOKEN_PATH

_FORM: Final = "application/x-www-form-urlencoded"
_OVERRIDES: Final = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


def check_read_only(method: str, url: str, headers: Mapping[str, Any], base_url: str) -> None:
    """Let a request pass that only reads, or asks for a token.

    Raises:
        BugError: If it could change something, or goes elsewhere.
    """
    asked, base = urlsplit(url), urlsplit(base_url)
    if (asked.scheme, asked.netloc) != (base.scheme, base.netloc):
        raise BugError(f"conformance asks {base.netloc} only, not {asked.netloc}")
    if any(name in headers for name in _OVERRIDES):
        raise BugError("conformance does not send one method in the name of another")
    if method == "GET":
        return
    is_form = str(headers.get("Content-Type", "")).partition(";")[0].strip() == _FORM
    if method == "POST" and unquote(asked.path) == asked.path == TOKEN_PATH and is_form:
        return
    raise BugError(f"conformance only reads: it does not send {method} {asked.path}")


class ReadOnlyAdapter(HTTPAdapter):
    """Send what `check_read_only` lets pass.

    Args:
        base_url: Scheme and authority of the one server that may be asked.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        """Send a request.

        Raises:
            BugError: If it could change something.
        """
        check_read_only(request.method or "", request.url or "", request.headers, self._base_url)
        return super().send(request, *args, **more)


class ReadOnlySession(requests.Session):
    """A session all of whose ways out are read-only.

    Args:
        base_url: Scheme and authority of the one server that may be asked.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.adapters.clear()
        self.mount("https://", ReadOnlyAdapter(base_url))
        self.mount("http://", ReadOnlyAdapter(base_url))

    def mount(self, prefix: str | bytes, adapter: BaseAdapter) -> None:
        """Add a way out; only read-only ones are taken, the ones of `requests` are passed over."""
        if isinstance(adapter, ReadOnlyAdapter):
            super().mount(prefix, adapter)


def read_only_session(base_url: str, like: requests.Session) -> ReadOnlySession:
    """Return a read-only session with the trust, cookies' policy and hooks of another one.

    Args:
        base_url: The one server that may be asked.
        like: A session made for this server.
    """
    session = ReadOnlySession(base_url)
    session.trust_env = like.trust_env
    session.verify = like.verify
    session.cookies = like.cookies
    session.hooks = {"response": list(like.hooks.get("response", []))}
    return session
