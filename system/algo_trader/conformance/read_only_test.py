"""Whatever is tried, nothing but reading and asking for a token leaves the suite's session."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from infrastructure.errors import BugError
from system.algo_trader.conformance.read_only import ReadOnlySession, check_read_only

BASE = "https://api.schwabapi.com"
ORDERS = f"{BASE}/trader/v1/accounts/A/orders"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("POST", ORDERS, {"Content-Type": "application/json"}),
        ("POST", ORDERS, FORM),
        ("PUT", f"{ORDERS}/1", {}),
        ("DELETE", f"{ORDERS}/1", {}),
        ("PATCH", ORDERS, {}),
        ("POST", f"{BASE}/trader/v1/accounts/A/previewOrder", FORM),
        ("post", ORDERS, FORM),
        ("POST", f"{BASE}/v1/oauth/token", {"Content-Type": "application/json"}),
        ("POST", f"{BASE}/v1/oauth/token/../../../trader/v1/accounts/A/orders", FORM),
        ("POST", f"{BASE}/v1/oauth/token%2F..%2F..", FORM),
        ("POST", "https://elsewhere.example/v1/oauth/token", FORM),
        ("GET", "https://elsewhere.example/marketdata/v1/quotes", {}),
        ("GET", "http://api.schwabapi.com/trader/v1/accounts", {}),
        ("GET", ORDERS, {"X-HTTP-Method-Override": "POST"}),
    ],
)
def test_what_could_change_something_is_refused(
    method: str, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(BugError):
        check_read_only(method, url, headers, BASE)


def test_reading_and_a_tokens_form_pass() -> None:
    check_read_only("GET", f"{ORDERS}?status=FILLED", {}, BASE)
    check_read_only("POST", f"{BASE}/v1/oauth/token", FORM, BASE)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_session_sends_no_order_by_any_way(method: str) -> None:
    session = ReadOnlySession(BASE)
    # Another way out is not taken, so that nobody can open one.
    session.mount("https://", HTTPAdapter())
    session.mount(BASE, HTTPAdapter())
    with pytest.raises(BugError):
        session.request(method, ORDERS, json={"orderType": "MARKET"})
    prepared = requests.Request(method, ORDERS, json={}).prepare()
    with pytest.raises(BugError):
        session.send(prepared)
    with pytest.raises(BugError):
        session.get_adapter(ORDERS).send(prepared)


def test_a_redirect_cannot_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(_: Any, request: requests.PreparedRequest, *__: Any, **___: Any) -> Any:
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 307, request.url or "", request
        answer.headers["Location"] = "https://elsewhere.example/"
        answer.raw = None
        answer._content = b""
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", moved)
    with pytest.raises(BugError, match="elsewhere"):
        ReadOnlySession(BASE).get(f"{BASE}/marketdata/v1/quotes")
