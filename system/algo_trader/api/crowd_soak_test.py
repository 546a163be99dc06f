"""Ten thousand open sockets, half of them in the middle of a head, while others ask."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from system.algo_trader.testing.running_service import RunningService, running_service

SOCKETS: Final = 10_000
MOST_GROWTH_MB: Final = 400.0
PATH: Final = "/api/v1/candles?symbol=AAPL&timeframe=1m&limit=100"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running_service(tmp_path) as running:
        yield running


def test_ten_thousand_sockets_keep_nobody_from_asking(service: RunningService) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > SOCKETS + 500, "this test needs more descriptors: ulimit -Hn"
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    stored = service.get(PATH).json()["columns"]
    before = service.resident_mb
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            for number in range(SOCKETS):
                connection = socket.create_connection(("127.0.0.1", service.port), 30)
                stack.enter_context(connection)
                if number % 2:
                    connection.sendall(b"GET /health HTTP/1.1\r\n")
                if number % 100 == 0:
                    assert service.get(PATH).json()["columns"] == stored
            print(f"{SOCKETS:,} sockets: +{service.resident_mb - before:.0f} MB")
            assert service.resident_mb - before < MOST_GROWTH_MB
        assert service.get(PATH).json()["columns"] == stored
