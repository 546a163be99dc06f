"""A socket that nobody reads ends with its key all the same."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.redis.testing import wait_until
from system.algo_trader.api.http.gate import GOODBYE_S, STILL_S
from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.running_service import RunningService, running_service

STALLED_S = 2.0
DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home"), seeded=False) as running:
        yield running


def opened(service: RunningService, key: str) -> socket.socket:
    """Return a WebSocket by its bytes: no client library that reads on its own."""
    connection = socket.create_connection(("127.0.0.1", service.port), DEADLINE_S)
    connection.sendall(
        f"GET /ws/ticks HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
        f"Authorization: Bearer {key}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
    )
    assert connection.recv(1000).startswith(b"HTTP/1.1 101")
    return connection


def fill(connection: socket.socket) -> None:
    """Ask without reading until the service takes nothing more: it waits to be read."""
    symbols = [f"SYMBOL{number:026d}" for number in range(1000)]
    asked = json.dumps({"action": "subscribe", "symbols": symbols}).encode()
    frame = b"\x81" + struct.pack("!BH", 0xFE, len(asked)) + bytes(4) + asked
    connection.settimeout(STALLED_S)
    with contextlib.suppress(TimeoutError):
        while True:
            connection.sendall(frame)


def watching(service: RunningService) -> str:
    return service.key("admin", "read:ticks")


def sockets(service: RunningService) -> float:
    text = service.get("/metrics", watching(service)).text
    found = [each for each in text.splitlines() if each.startswith("algo_trader_api_sockets{")]
    return float(found[0].rpartition(" ")[2])


def noted(service: RunningService, key: str) -> list[dict[str, Any]]:
    """Return what the audit has of a key so far."""
    lines = (service.realm.root / "api_audit.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["key"] == key[3:15]]


def test_a_socket_that_is_not_read_ends_with_its_key(service: RunningService) -> None:
    key = service.key("read:ticks")
    # Made before: a running service knows a new key within a second, and not at once.
    wait_until(lambda: service.get("/metrics", watching(service)).status_code == 200)
    with opened(service, key) as connection:
        fill(connection)
        assert sockets(service) == 1
        revoked = CommandLine(service.home).run("--sim", "keys", "revoke", key[3:15])
        assert revoked.code == 0, revoked.err
        began_s = time.monotonic()
        wait_until(lambda: sockets(service) == 0, DEADLINE_S)
        assert time.monotonic() - began_s < 2 * (GOODBYE_S + STILL_S) + 1
        connection.settimeout(DEADLINE_S)
        # What was sent before may be read, if it is not reset: the connection is over.
        with contextlib.suppress(ConnectionError):
            while connection.recv(1 << 20):
                pass
    wait_until(lambda: bool(noted(service, key)))
    assert [(each["method"], each["status"]) for each in noted(service, key)] == [("WS", 101)]
