"""The audit of a running service: who went before the end, how many rows, which socket opened."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from infrastructure.redis.testing import wait_until
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.testing.running_service import (
    RunningService,
    running_service,
    seed_minutes,
)

SYMBOL = "BIG"
PATH = f"/api/v1/candles?symbol={SYMBOL}&timeframe=1m&start_time=2020-01-01&limit=1000000"
LINES = "application/x-ndjson"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("home")
    seed_minutes(Archive(Realm.sim(home).archive), SYMBOL, date(2020, 1, 2), date(2022, 12, 30))
    with running_service(home, seeded=False) as running:
        yield running


def line_of(service: RunningService, key: str) -> dict[str, Any]:
    """Return the only line of a key."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        path = service.realm.root / "api_audit.jsonl"
        texts = path.read_text().splitlines() if path.exists() else []
        found[:] = [line for line in map(json.loads, texts) if line["key"] == key[3:15]]
        return bool(found)

    wait_until(is_there)
    (line,) = found
    return line


def stored(service: RunningService) -> int:
    return len(Archive(service.realm.archive).winners(SYMBOL, Timeframe.M1).start)


def test_all_rows_of_a_stream_are_counted(service: RunningService) -> None:
    key = service.key("read:ticks", rate=1001)
    lines = service.get(PATH, key, headers={"Accept": LINES}).text.splitlines()
    line = line_of(service, key)
    assert (line["status"], line["rows"]) == (200, stored(service))
    assert sum("close" in json.loads(each) for each in lines) == line["rows"]


def test_a_stream_ends_with_its_caller(service: RunningService) -> None:
    key = service.key("read:ticks", rate=1002)
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
            f"Authorization: Bearer {key}\r\nAccept: {LINES}\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    line = line_of(service, key)
    assert line["status"] == 499
    assert 0 < line["rows"] < stored(service) / 2


@pytest.mark.parametrize(("scope", "status"), [("read:options", 403), ("read:ticks", 101)])
def test_a_socket_is_audited_with_what_its_client_got(
    service: RunningService, scope: str, status: int
) -> None:
    key = service.key(scope, rate=1003)
    got = 101
    try:
        headers = {"Authorization": f"Bearer {key}"}
        url = f"ws://127.0.0.1:{service.port}/ws/ticks"
        with connect(url, additional_headers=headers, proxy=None):
            pass
    except InvalidStatus as refused:
        got = refused.response.status_code
    line = line_of(service, key)
    assert (line["method"], line["status"], got) == ("WS", status, status)
