"""Walk through the consent page without a browser, as a person would with one."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from infrastructure.errors import SignInFailed


def approve(authorize_url: str, session: requests.Session) -> str:
    """Open the authorize page, tick every account, approve, and return the redirect URL.

    Args:
        authorize_url: The URL that a client printed.
        session: A `requests.Session`; give it `verify` for a TLS simulator.

    Raises:
        SignInFailed: If there is no consent page, such as for a wrong callback URL.
    """
    return _decide(authorize_url, session, "approve")


def decline(authorize_url: str, session: requests.Session) -> str:
    """Open the authorize page, decline, and return the redirect URL; errors as `approve`."""
    return _decide(authorize_url, session, "decline")


def _decide(authorize_url: str, session: requests.Session, decision: str) -> str:
    # A session's own certificate would lose against REQUESTS_CA_BUNDLE if it were not named.
    page = session.get(authorize_url, verify=session.verify, timeout=30)
    form = _ConsentForm()
    form.feed(page.text)
    if page.status_code != 200 or form.action is None:
        raise SignInFailed(
            f"the authorize page answered {page.status_code}: {form.heading or 'no form'}",
            next_step="Compare the app key and the callback URL with the registered ones.",
        )
    answer = session.post(
        urljoin(authorize_url, form.action),
        data=[*form.fields, ("decision", decision)],
        allow_redirects=False,
        verify=session.verify,
        timeout=30,
    )
    location = answer.headers.get("Location")
    if answer.status_code != 302 or not location:
        raise SignInFailed(f"the consent form answered {answer.status_code} without a redirect")
    return str(location)


class _ConsentForm(HTMLParser):
    """Collect a form's action, its hidden fields and its ticked boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: list[tuple[str, str]] = []
        self.heading = ""
        self._in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in_heading = tag == "h1"
        if tag == "form":
            self.action = values.get("action") or ""
        if tag == "input" and (values.get("type") == "hidden" or "checked" in values):
            self.fields.append((values.get("name") or "", values.get("value") or ""))

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data

    def handle_endtag(self, tag: str) -> None:
        self._in_heading = False
