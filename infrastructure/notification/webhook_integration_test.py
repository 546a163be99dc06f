"""A webhook over a real socket: what it gets, and what it is when it refuses or is not there."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, NetworkError, ServiceUnavailable
from infrastructure.logging import redact
from infrastructure.notification.webhook import JsonWebhook


@contextmanager
def hook(status: int = 200) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, "body": json.loads(body), **dict(self.headers)})
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            got.append({"path": self.path})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def webhook(port: int, timeout_s: float = 5.0) -> JsonWebhook:
    return JsonWebhook(
        Secret(f"http://127.0.0.1:{port}/hook/t0ken"), "HOOK_URL", timeout_s=timeout_s
    )


def test_a_document_arrives_as_json_and_its_url_is_masked() -> None:
    with hook(204) as (port, got):
        webhook(port).post({"error": {"message": "größer"}})
    [request] = got
    assert request["path"] == "/hook/t0ken"
    assert request["Content-Type"] == "application/json"
    assert request["body"] == {"error": {"message": "größer"}}
    assert "t0ken" not in redact(f"posted to http://127.0.0.1:{port}/hook/t0ken")


@pytest.mark.parametrize("status", [302, 400, 503])
def test_what_is_no_success_is_an_error_and_no_redirect_is_followed(status: int) -> None:
    with hook(status) as (port, got), pytest.raises(ServiceUnavailable) as caught:
        webhook(port).post({})
    assert str(caught.value) == f"the webhook of HOOK_URL answered {status}"
    assert len(got) == 1


def test_one_that_is_not_there_or_does_not_answer_is_an_error_without_its_url() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        with pytest.raises(NetworkError) as refused:
            webhook(port).post({})
        silent.listen()
        with pytest.raises(NetworkError) as waited:
            webhook(port, timeout_s=0.2).post({})
    for caught in (refused, waited):
        assert "t0ken" not in str(caught.value)
        assert "HOOK_URL cannot be reached" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["hooks.example/t0ken", "ftp://hooks.example/t0ken", "https:///t0ken"]
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        JsonWebhook(Secret(url), "HOOK_URL")
    assert "t0ken" not in str(caught.value)
