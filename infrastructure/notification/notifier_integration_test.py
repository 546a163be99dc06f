"""Notices over real sockets: an HTTP and an SMTP server on loopback note what they get."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, NetworkError, ServiceUnavailable
from infrastructure.notification.notifier import notifier_of

TITLE, TEXT = "Sign in at Schwab", "The sign-in ends on Friday — run `algo-trader auth login`."


@contextmanager
def served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield int(server.socket.getsockname()[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def web(status: int = 200) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, "body": body, "headers": dict(self.headers)})
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, got


class Mail(socketserver.StreamRequestHandler):
    """Speak enough of RFC 5321 to take one message in plain text."""

    def handle(self) -> None:
        got: list[bytes] = self.server.got  # type: ignore[attr-defined]
        self.wfile.write(b"220 here\r\n")
        in_data = False
        for line in self.rfile:
            got.append(line)
            if in_data:
                if line == b".\r\n":
                    in_data = False
                    self.wfile.write(b"250 kept\r\n")
            elif line.upper().startswith(b"DATA"):
                in_data = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def mail() -> Iterator[tuple[int, list[bytes]]]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.got = []  # type: ignore[attr-defined]
    with served(server) as port:
        yield port, server.got  # type: ignore[attr-defined]


def test_ntfy_gets_the_text_as_body_and_the_title_as_a_header() -> None:
    with web() as (port, got):
        notifier_of(Secret(f"ntfy+http://127.0.0.1:{port}/my-topic")).send(TITLE, TEXT)
    [one] = got
    assert (one["path"], one["body"].decode()) == ("/my-topic", TEXT)
    assert one["headers"]["Title"] == TITLE


@pytest.mark.parametrize(("kind", "field"), [("slack", "text"), ("discord", "content")])
def test_webhooks_get_their_json(kind: str, field: str) -> None:
    with web() as (port, got):
        notifier_of(Secret(f"{kind}+http://127.0.0.1:{port}/hooks/abc?wait=true")).send(TITLE, TEXT)
    [one] = got
    assert one["path"] == "/hooks/abc?wait=true"
    document = json.loads(one["body"])
    assert set(document) == {field}
    assert TITLE in document[field]
    assert TEXT in document[field]


def test_discord_gets_no_more_than_it_takes() -> None:
    with web() as (port, got):
        notifier_of(Secret(f"discord+http://127.0.0.1:{port}/x")).send(TITLE, "y" * 5000)
    assert len(json.loads(got[0]["body"])["content"]) == 2000


def test_mail_goes_to_the_receiver() -> None:
    with mail() as (port, got):
        url = f"smtp://127.0.0.1:{port}/bot@example.com/me@example.com"
        notifier_of(Secret(url)).send(TITLE, "short")
    text = b"".join(got)
    assert b"mail from:<bot@example.com>" in text.lower()
    assert b"rcpt to:<me@example.com>" in text.lower()
    assert f"Subject: {TITLE}".encode() in text
    assert b"\r\nshort\r\n" in text


def test_a_password_is_not_sent_in_plain_text() -> None:
    with mail() as (port, got):
        url = f"smtp://bot:hunter22@127.0.0.1:{port}/bot@example.com/me@example.com"
        with pytest.raises(ServiceUnavailable):
            notifier_of(Secret(url)).send(TITLE, TEXT)
    assert not any(b"AUTH" in line or b"hunter22" in line for line in got)


def test_a_refusal_and_a_dead_server_are_told_without_the_address() -> None:
    with web(404) as (port, _):
        notifier = notifier_of(Secret(f"slack+http://127.0.0.1:{port}/secret-part"))
        with pytest.raises(ServiceUnavailable, match="404") as refused:
            notifier.send(TITLE, TEXT)
    with pytest.raises(NetworkError) as dead:
        notifier.send(TITLE, TEXT)
    for error in (refused, dead):
        assert "secret-part" not in str(error.value)
        assert "secret-part" not in repr(notifier)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.slack.com/x", "slack+ftp://x/y", "smtp://host/only-one", "ntfy+https:///topic"],
)
def test_what_names_no_way_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        notifier_of(Secret(url))
    assert url not in str(error.value)
