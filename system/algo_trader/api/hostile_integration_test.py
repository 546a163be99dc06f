"""Input that is wrong, huge or slow, and crowds of sockets, against the running service."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
import requests

from system.algo_trader.testing.running_service import RunningService, running_service

IDLE_SOCKETS: Final = 1000
MOST_GROWTH_MB: Final = 150
CONTROL: Final = "/api/v1/services/nobody/start"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


def opened(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def ended(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65536):
            found += chunk
    return found


def head(service: RunningService, line: str, *lines: str) -> bytes:
    key = service.key("read:ticks", "read:options", "admin")
    own = (f"Host: 127.0.0.1:{service.port}", f"Authorization: Bearer {key}", "Connection: close")
    return "\r\n".join([line, *own, *lines, "", ""]).encode("latin-1")


def ask(service: RunningService, line: str, *lines: str, content: bytes = b"") -> tuple[int, bytes]:
    with opened(service) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head(service, line, *lines) + content)
        answer = ended(connection)
    return int(answer.split(b" ", 2)[1]) if answer else 0, answer


def post(service: RunningService, content: bytes, *lines: str) -> tuple[int, bytes]:
    length = f"Content-Length: {len(content)}"
    kind = "Content-Type: application/json"
    return ask(service, f"POST {CONTROL} HTTP/1.1", kind, length, *lines, content=content)


@pytest.mark.parametrize(
    "path",
    [
        *(f"/api/v1/candles?symbol={each}" for each in (
            "A%0d%0aX-Evil:%201", "%00", "%ff%fe", "%ed%a0%80", "A'%20OR%201=1--", "A%22;--",
            "../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e", "A" * 33, "%f0%9f%92%a9",
            "$(id)", "`id`", "%25s%25n", "A%5c..%5c..", "A*", "~root", "%c0%ae%c0%ae/")),
        *(f"/api/v1/candles?symbol=AAPL&cursor={each}" for each in (
            "%0d%0aX-Evil:%201", "NQ", "bnVsbA", "WzAsOTIyMzM3MjAzNjg1NDc3NTgwN10",
            "%00", "A" * 300)),
        *(f"/api/v1/candles?symbol=AAPL&limit={each}" for each in (
            "9" * 400, "-1", "1e308", "NaN", "Infinity", "0x10", "%EF%BC%91", "1.0", "")),
        *(f"/api/v1/candles?symbol=AAPL&start_time={each}" for each in (
            "0001-01-01", "9999-12-31", "1e999", "2024-02-30", "2262-04-12T00:00:00Z", "%00")),
        *(f"/api/v1/{each}" for each in (
            "options/../../../etc/passwd", "options/%2e%2e/%2e%2e", "gex/';DROP TABLE x/history"
            .replace(" ", "%20"), "gex/%ff", "gex/%ed%a0%80/history", "levels/%00", "tape/..",
            "metrics/%0d%0aX-Evil:1", "levels/AAPL?date=0001-01-01", "tape/AAPL?date=9999-12-31",
            "options/$SPX?strikes=99999999999999999999", "options/$SPX?expiry=9999-99-99")),
        *("/assets/..%2f..%2fetc/passwd", "/assets/../../etc/passwd", "/assets/%2e%2e%2fpage.html",
          "/assets/%00", "/assets/..%5c..%5cx", "/%2e%2e/%2e%2e/etc/passwd", "/..;/etc/passwd"),
    ],
)  # fmt: skip
def test_wrong_input_is_the_callers_and_nobody_elses(service: RunningService, path: str) -> None:
    status, answer = ask(service, f"GET {path} HTTP/1.1")
    assert 400 <= status < 500, answer
    text = answer.split(b"\r\n\r\n", 1)[0].lower()
    assert b"x-evil" not in text
    assert b"root:" not in answer
    assert b"application/problem+json" in text
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        (("GET /api/v1/candles?symbol=" + "A" * 9000 + " HTTP/1.1",), {414}),
        (("GET /api/v1/candles?symbol=" + "A" * 100_000 + " HTTP/1.1",), {414, 431}),
        (("GET /api/v1/status HTTP/1.1", "X-Big: " + "a" * 200_000), {431}),
        (("GET /api/v1/status HTTP/1.1", *(f"X-{each}: a" for each in range(500))), {431}),
        (("GET /api/v1/status HTTP/1.1", "X-Nul: a\0b"), {400}),
        (("GET /api/v1/status HTTP/9.9",), {400, 505}),
        (("GET /api/v1/st\0atus HTTP/1.1",), {400}),
        (("G\xe9T /api/v1/status HTTP/1.1",), {400}),
        ((f"POST {CONTROL} HTTP/1.1", "Content-Length: -1"), {400}),
        ((f"POST {CONTROL} HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), {400}),
        ((f"POST {CONTROL} HTTP/1.1", "Content-Length: 99999999999999"), {413}),
        ((f"POST {CONTROL} HTTP/1.1", "Content-Length: " + "9" * 30), {400, 413}),
        ((f"POST {CONTROL} HTTP/1.1", "Transfer-Encoding: gzip"), {400, 501}),
    ],
    ids=range(13),
)
def test_heads_that_are_too_long_or_broken(
    service: RunningService, lines: tuple[str, ...], statuses: set[int]
) -> None:
    status, answer = ask(service, *lines)
    assert status in statuses, answer[:300]


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"a" * 70_000, 413), (b"[" * 60_000, 400), (b'{"options":"\xff"}', 400), (b"\0", 400),
     (b'{"options":"\\ud800"}', 400), (b'{"options":1e999}', 400), (b'{"evil":1}', 400),
     (b'{"a":' * 9000 + b"1" + b"}" * 9000, 400), (b'{"options":"' + b"x" * 501 + b'"}', 400),
     (b"9" * 60_000, 400)],
    ids=range(10),
)  # fmt: skip
def test_bodies_that_are_too_large_or_broken(
    service: RunningService, content: bytes, status: int
) -> None:
    assert post(service, content)[0] == status


def test_a_body_in_chunks_is_bounded_too(service: RunningService) -> None:
    chunk = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
    line = f"POST {CONTROL} HTTP/1.1"
    status, _ = ask(service, line, "Transfer-Encoding: chunked", content=chunk * 10)
    assert status == 413


def test_slow_heads_and_bodies_are_ended_after_ten_seconds(service: RunningService) -> None:
    def slow_head() -> tuple[float, bytes]:
        with opened(service) as connection:
            began = time.monotonic()
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: ")
            return time.monotonic() - began, ended(connection)

    def slow_body() -> bytes:
        with opened(service) as connection:
            connection.sendall(
                head(service, f"POST {CONTROL} HTTP/1.1", "Content-Length: 9") + b"a"
            )
            return ended(connection)

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        headless, bodiless = pool.submit(slow_head), pool.submit(slow_body)
        assert not headless.result()[1].startswith(b"HTTP/1.1 2")
        assert bodiless.result().startswith(b"HTTP/1.1 408")
    assert 5 < time.monotonic() - began < 19


def test_a_thousand_idle_sockets_keep_nobody_from_asking(service: RunningService) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    path = "/api/v1/candles?symbol=AAPL&timeframe=1m&limit=100"
    assert service.get(path).status_code == 200
    before = service.resident_mb
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(opened(service)) for _ in range(IDLE_SOCKETS)]
        for connection in idle[::2]:
            connection.sendall(b"GET /health HTTP/1.1\r\n")
        for _ in range(20):
            assert service.get(path).status_code == 200
        assert service.resident_mb - before < MOST_GROWTH_MB
    assert service.get(path).status_code == 200


def test_many_different_questions_do_not_fill_the_memory(service: RunningService) -> None:
    key = service.key("read:ticks", "read:options")
    before = service.resident_mb
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {key}"
        for number in range(300):
            symbols = ",".join([f"S{number}", *["AAPL"] * 1000])
            url = f"{service.url}/api/v1/ticks/historical?symbols={symbols}&limit=1"
            assert session.get(url, timeout=30).status_code == 200
    assert service.resident_mb - before < MOST_GROWTH_MB


def test_a_stream_takes_a_beginning(service: RunningService) -> None:
    symbol = "MSFT"
    url = f"{service.url}/api/v1/candles?symbol={symbol}&timeframe=1m&limit=1000000"
    headers: dict[str, Any] = {
        "Accept": "application/x-ndjson",
        "Authorization": f"Bearer {service.key('read:ticks')}",
    }
    refused = requests.get(url, headers=headers, timeout=30)
    assert (refused.status_code, refused.json()["parameter"]) == (400, "start_time")
    whole = requests.get(f"{url}&start_time=2024-01-01", headers=headers, timeout=30)
    assert len([json.loads(line) for line in whole.text.splitlines()]) > 1000
