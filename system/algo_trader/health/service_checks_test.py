"""How the running service is looked at: by its door, and by whether it answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from system.algo_trader.client.local_door import LocalDoor
from system.algo_trader.health.service_checks import service_check
from system.algo_trader.realm import Realm


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def test_a_service_that_answers_is_ok(tmp_path: Path) -> None:
    realm = Realm.sim(tmp_path)
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        LocalDoor.new(f"http://127.0.0.1:{server.server_port}", None).leave(realm)
        found = service_check(realm, 3.0)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert found is not None
    assert (found.name, found.state) == ("service", "ok")


def test_a_service_that_takes_connections_and_says_nothing_is_down(tmp_path: Path) -> None:
    realm = Realm.sim(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        LocalDoor.new(f"http://127.0.0.1:{silent.getsockname()[1]}", None).leave(realm)
        found = service_check(realm, 0.2)
    assert found is not None
    assert found.state == "down"
    assert "does not answer" in found.detail


def test_a_service_that_has_ended_is_not_looked_at(tmp_path: Path) -> None:
    realm = Realm.sim(tmp_path)
    assert service_check(realm, 0.2) is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    replace(LocalDoor.new("http://127.0.0.1:1", None), pid=ended.pid).leave(realm)
    assert service_check(realm, 0.2) is None
