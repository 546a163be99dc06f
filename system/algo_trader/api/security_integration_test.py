"""Strangers, other pages and keys of other scopes against the running service."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from system.algo_trader.api.operations.catalogue import OPERATIONS
from system.algo_trader.testing.running_service import RunningService, running_service

EVIL: Final = "http://evil.example"
SCOPES: Final = ("read:ticks", "read:options", "admin")
SOCKETS: Final = {"ticks": "read:ticks", "bars": "read:ticks", "gex": "read:options",
                  "status": "read:ticks"}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def owner(service: RunningService) -> Iterator[requests.Session]:
    """Return the owner's browser, signed in."""
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(service.link(), timeout=30).status_code == 200
        yield session


def own_host(service: RunningService) -> str:
    return f"Host: 127.0.0.1:{service.port}"


def raw(service: RunningService, *lines: str, content: bytes = b"") -> bytes:
    """Return what the service answers to bytes, however wrong they are."""
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    found = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(head + content)
        while chunk := connection.recv(65536):
            found += chunk
    return found


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def csrf_token(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"')[0]


@pytest.mark.parametrize(
    "hosts",
    [[], ["Host: evil.example"], ["Host: evil.example:{port}"], ["Host: 127.0.0.1.:{port}"],
     ["Host: localhost.:{port}"], ["Host: a@127.0.0.1:{port}"], ["Host: 127.0.0.1"],
     ["Host: 127.0.0.1:{port}", "Host: evil.example"], ["Host: 127.0.0.1:{port}"] * 2,
     ["Host: "], ["Host: 127.0.0.1:{port}.evil.example"], ["Host: 0.0.0.0:{port}"]],
    ids=lambda each: "+".join(each) or "none",
)  # fmt: skip
@pytest.mark.parametrize("path", ["/health", "/", "/api/v1/status"])
def test_a_name_that_is_not_ours_is_refused(
    service: RunningService, hosts: list[str], path: str
) -> None:
    lines = [each.format(port=service.port) for each in hosts]
    answer = raw(service, f"GET {path} HTTP/1.1", *lines)
    assert status(answer) in (400, 421)
    assert b"state" not in answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_our_own_names_are_answered(service: RunningService, host: str) -> None:
    assert status(raw(service, "GET /health/live HTTP/1.1", f"Host: {host}:{service.port}")) == 200


def test_the_absolute_form_changes_nothing_about_the_host(service: RunningService) -> None:
    line = f"GET {EVIL}/health/live HTTP/1.1"
    assert status(raw(service, line, "Host: evil.example")) == 421
    assert status(raw(service, line, own_host(service))) in (200, 400, 421)


def test_http_2_is_not_spoken(service: RunningService) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert connection.recv(100).startswith((b"HTTP/1.1 4", b""))
        assert not connection.recv(100).startswith(b"\0\0")


def test_pages_of_another_origin_may_not_ask(
    service: RunningService, owner: requests.Session
) -> None:
    for origin in (EVIL, "null", f"https://127.0.0.1:{service.port}", "http://127.0.0.1:1"):
        for headers in ({"Origin": origin}, {"Origin": origin, **bearer(service)}):
            answer = owner.get(f"{service.url}/api/v1/status", headers=headers, timeout=30)
            assert answer.status_code == 403
            assert not allows(answer)
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        answer = owner.get(f"{service.url}/api/v1/status", headers=headers, timeout=30)
        assert answer.status_code == 403


def bearer(service: RunningService, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.key(*(scopes or SCOPES))}"}


def allows(answer: requests.Response) -> list[str]:
    return [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_preflight_is_allowed_nothing(service: RunningService) -> None:
    for origin in (EVIL, service.url):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST",
                   "Access-Control-Request-Headers": "authorization"}  # fmt: skip
        for path in ("/api/v1/status", "/api/v1/candles", "/health", "/"):
            answer = requests.options(f"{service.url}{path}", headers=headers, timeout=30)
            assert answer.status_code >= 400
            assert not allows(answer)


def test_the_owners_change_takes_the_token_of_its_own_session(
    service: RunningService, owner: requests.Session
) -> None:
    url = f"{service.url}/api/v1/services/keep-fresh/stop"
    token = csrf_token(owner.get(service.url, timeout=30).text)
    with requests.Session() as other:
        other.trust_env = False
        theirs = csrf_token(other.get(service.link(), timeout=30).text)
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": theirs}, {"X-CSRF-Token": ""}):
        assert owner.post(url, headers=headers, timeout=30).status_code == 403
    form = {"csrf_token": token}
    assert owner.post(url, data=form, headers={"Origin": EVIL}, timeout=30).status_code == 403
    assert owner.post(url, data=form, timeout=30).status_code == 403
    right = {"X-CSRF-Token": token}
    assert owner.post(url, headers={**right, "Origin": EVIL}, timeout=30).status_code == 403
    assert owner.post(url, headers={**right, "Origin": service.url}, timeout=30).ok


def test_the_cookie_is_for_this_site_and_no_script(service: RunningService) -> None:
    answer = requests.get(service.link(), allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_link_opens_once(service: RunningService) -> None:
    link = service.link()
    codes = [requests.get(link, allow_redirects=False, timeout=30).status_code for _ in range(2)]
    assert codes == [303, 401]


@pytest.mark.parametrize("headers", [{}, {"Origin": EVIL}, {"Origin": "null"}])
def test_a_socket_of_another_page_is_refused(
    service: RunningService, owner: requests.Session, headers: dict[str, str]
) -> None:
    cookie = "; ".join(f"{each.name}={each.value}" for each in owner.cookies)
    assert refusal(service, "status", {**headers, "Cookie": cookie}) == 403
    assert refusal(service, "status", {"Origin": service.url, "Cookie": cookie}) is None


def refusal(service: RunningService, name: str, headers: dict[str, str]) -> int | None:
    """Return the status with which a socket is refused, None where it opens."""
    url = f"ws://127.0.0.1:{service.port}/ws/{name}"
    try:
        with connect(url, additional_headers=headers, proxy=None, open_timeout=20):
            return None
    except InvalidStatus as error:
        return error.response.status_code


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", SOCKETS)
def test_sockets_by_scope(service: RunningService, name: str, scope: str) -> None:
    found = refusal(service, name, bearer(service, scope))
    assert found == (None if SOCKETS[name] == scope else 403)
    assert refusal(service, name, {}) == 403


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_operations_by_scope(service: RunningService, operation: Any, scope: str) -> None:
    path = f"/api/v1{operation.path.replace('{symbol}', 'AAPL')}"
    for method in ("GET", "HEAD"):
        answer = requests.request(
            method, f"{service.url}{path}", headers=bearer(service, scope), timeout=30
        )
        assert (answer.status_code == 403) == (operation.needs != scope), method
    assert requests.get(f"{service.url}{path}", timeout=30).status_code == 401


@pytest.mark.parametrize("scope", [("read:ticks",), ("read:options",), SCOPES[:2]])
def test_changes_and_errors_take_the_scope_admin(
    service: RunningService, scope: tuple[str, ...]
) -> None:
    headers = bearer(service, *scope)
    for method, path in (
        ("POST", "/api/v1/services/redis/stop"),
        ("POST", "/api/v1/errors/1/resolve"),
        ("GET", "/api/v1/errors"),
        ("POST", "/open/link"),
    ):
        answer = requests.request(method, f"{service.url}{path}", headers=headers, timeout=30)
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api/v2/candles", "/nothing", "/API/v1/candles", "/api/v1/candles/",
     "//api/v1/candles", "/api/v1//candles", "/health/", "/open/", "/docs", "/redoc",
     "/openapi.json", "/api/v1/orders", "/api/v1/accounts", "/ws/ticks", "/ws", "/mcp/x",
     "/health/../api/v1/status", "/health/%2e%2e/api/v1/status", "/health%2f..%2fapi/v1/status",
     "/health;/api/v1/status", "/health?/../api/v1/status%00"],
)  # fmt: skip
def test_strangers_learn_nothing_of_any_other_path(service: RunningService, path: str) -> None:
    answer = raw(service, f"GET {path} HTTP/1.1", own_host(service))
    assert status(answer) == 401 or path.startswith("/health?")


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/orders", "/api/v1/accounts", "/docs", "/api/v1/candles/"]
)
def test_what_is_not_there_is_not_there_with_every_scope(
    service: RunningService, path: str
) -> None:
    answer = requests.get(f"{service.url}{path}", headers=bearer(service), timeout=30)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["key", "api_key", "token", "access_token", "authorization"])
def test_a_key_in_the_address_opens_nothing(service: RunningService, name: str) -> None:
    key = service.key(*SCOPES)
    url = f"{service.url}/api/v1/candles?symbol=AAPL&{name}={key}"
    assert requests.get(url, timeout=30).status_code == 401
    url = f"http://user:{key}@127.0.0.1:{service.port}/api/v1/candles?symbol=AAPL"
    assert requests.get(url, timeout=30).status_code == 401


@pytest.mark.parametrize(
    "lines",
    [["Authorization: Basic {key}"], ["Authorization: {key}"], ["Authorization: Bearer"],
     ["Authorization: Bearer {key}", "Authorization: Bearer {key}"], ["X-API-Key: {key}x"],
     ["Authorization: Bearer {key}", "X-API-Key: other"], ["X-API-Key: \xff"], ["X-API-Key: "],
     ["Authorization: Bearer {key},{key}"], ["Cookie: algo_trader_session={key}"]],
    ids=lambda each: " ".join(each)[:50],
)  # fmt: skip
def test_a_key_in_a_wrong_form_opens_nothing(service: RunningService, lines: list[str]) -> None:
    key = service.key(*SCOPES)
    shown = [each.format(key=key) for each in lines]
    answer = raw(service, "GET /api/v1/status HTTP/1.1", own_host(service), *shown)
    assert status(answer) in (400, 401, 429)


def test_who_guesses_is_slowed_down_and_locks_nobody_out(service: RunningService) -> None:
    wrong = {"X-API-Key": f"at_{'a' * 12}_{'b' * 43}"}
    url = f"{service.url}/api/v1/candles?symbol=AAPL&limit=1"
    answers = [requests.get(url, headers=wrong, timeout=30) for _ in range(25)]
    codes = [each.status_code for each in answers]
    assert codes[-1] == 429
    assert set(codes) <= {401, 429}
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert requests.get(url, headers=bearer(service), timeout=30).status_code == 200
    assert service.link()
    bodies = {json.dumps(each.json(), sort_keys=True) for each in answers}
    assert len(bodies) <= 2
