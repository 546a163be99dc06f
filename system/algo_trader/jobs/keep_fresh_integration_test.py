"""Days 5, 6 and 6.5 are told by log, by metric, and by each webhook's own form on loopback."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.notification.notifier import notifier_of
from system.algo_trader.jobs.keep_fresh import KeepFresh
from system.algo_trader.sign_in import SignInStatus

DAY_S: Final = 86_400
NOW_NS: Final = 1_700_000_000 * 10**9
WARNED: Final = ("5.0", "6.0", "6.5")


class SignedIn:
    """A sign-in that is refreshed whenever it is asked, and grows older by a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock

    def refresh_ahead(self, left_s: float) -> bool:
        return True

    def status(self) -> SignInStatus:
        age_s = (self.clock.now_ns() - NOW_NS) / 1e9
        ends_ns = NOW_NS + 7 * DAY_S * 10**9
        return SignInStatus("live", "signed in", NOW_NS, 0, ends_ns, age_s)


class Web(BaseHTTPRequestHandler):
    """Take what is posted."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.got.append((self.path, self.headers.get("Title"), body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


class Mail(socketserver.StreamRequestHandler):
    """Speak enough of RFC 5321 to take one message in plain text."""

    def handle(self) -> None:
        lines: list[str] = []
        self.wfile.write(b"220 here\r\n")
        in_data = False
        for line in self.rfile:
            if in_data and line == b".\r\n":
                self.server.got.append("".join(lines))  # type: ignore[attr-defined]
                in_data = False
                self.wfile.write(b"250 kept\r\n")
            elif in_data:
                lines.append(line.decode())
            elif line.upper().startswith(b"DATA"):
                in_data = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def served(server: socketserver.TCPServer) -> Iterator[tuple[int, list[Any]]]:
    got: list[Any] = []
    server.got = got  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_person_is_told_on_days_5_6_and_6_and_a_half_everywhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock(NOW_NS)
    rows: list[dict[str, Any]] = []
    web = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    with served(web) as (port, posts), served(mail) as (mail_port, mails):
        here = f"http://127.0.0.1:{port}"
        urls = [f"ntfy+{here}/topic", f"slack+{here}/slack", f"discord+{here}/discord"]
        urls.append(f"smtp://127.0.0.1:{mail_port}/bot@example.com/me@example.com")
        notifiers = [notifier_of(Secret(url)) for url in urls]
        job = KeepFresh(SignedIn(clock), clock, notifiers, rows.append)
        with caplog.at_level(logging.WARNING):
            warned = []
            for _ in range(int(6.9 * 24)):
                done = job.once()
                warned += [] if done.warned is None else [done.warned]
                clock.sleep(3_600)
    assert [sentence.split(" is ")[1].split(" days")[0] for sentence in warned] == list(WARNED)
    assert all(sentence.endswith("Run `algo-trader auth login`.") for sentence in warned)
    assert [one.getMessage() for one in caplog.records] == warned
    forms: dict[str, list[str]] = {"/topic": [], "/slack": [], "/discord": []}
    for path, title, body in posts:
        assert (title == "Schwab sign-in") == (path == "/topic")
        field = {"/slack": "text", "/discord": "content"}.get(path)
        forms[path].append(body if field is None else json.loads(body)[field])
    assert forms["/topic"] == warned
    for path in ("/slack", "/discord"):
        assert len(forms[path]) == len(warned)
        for told, sentence in zip(forms[path], warned, strict=True):
            assert sentence in told
    assert len(mails) == len(warned)
    for message, age in zip(mails, WARNED, strict=True):
        assert "Subject: Schwab sign-in" in message
        assert f"is {age} days old" in message
    ages = [row["token_age_s"] / DAY_S for row in rows]
    assert all(any(abs(age - float(day)) < 1e-9 for age in ages) for day in WARNED)
    assert not any(row["failed"] for row in rows)
