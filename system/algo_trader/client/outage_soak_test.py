"""The client and Flight's callers when the service dies or ends under them."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from infrastructure.errors import NetworkError, StackError
from system.algo_trader.client import Client
from system.algo_trader.storage.archive import Archive
from system.algo_trader.testing.running_service import (
    RunningService,
    running_service,
    seed_minutes,
)

PARAMETERS = {
    "symbol": "LONG", "timeframe": "1m", "start_time": "2014-01-01", "limit": 1_000_000,
}  # fmt: skip
"""More than the buffers between server and caller hold."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running_service(tmp_path / "home", flight=True) as running:
        seed_minutes(Archive(running.realm.archive), "LONG", date(2014, 1, 2), date(2023, 12, 29))
        yield running


def flight_url(service: RunningService) -> str:
    return f"grpc://127.0.0.1:{service.flight_port}"


def begun(service: RunningService) -> Any:
    """Return a stream of which one batch was read."""
    header = (b"authorization", f"Bearer {service.key('read:ticks')}".encode())
    wire = flight.FlightClient(flight_url(service))
    command = json.dumps({"operation": "candles", "parameters": PARAMETERS}).encode()
    reader = wire.do_get(flight.Ticket(command), flight.FlightCallOptions(headers=[header]))
    assert reader.read_chunk().data.num_rows > 0
    return reader


def test_a_service_that_dies_under_an_answer_is_an_error_not_half_a_history(
    service: RunningService,
) -> None:
    reader = begun(service)
    key = service.key("read:ticks")
    outcomes: list[object] = []

    def ask(url: str | None) -> None:
        with Client(service.url, key, flight_url=url) as asked:
            try:
                outcomes.append(len(asked.history("LONG", "1m", "2014-01-01")))
            except StackError as error:
                outcomes.append(type(error))

    # Stopped, it cannot answer before it is killed.
    service.process.send_signal(signal.SIGSTOP)
    asking = [threading.Thread(target=ask, args=(url,)) for url in (None, flight_url(service))]
    for thread in asking:
        thread.start()
    service.process.send_signal(signal.SIGKILL)
    for thread in asking:
        thread.join(60)
    assert outcomes == [NetworkError, NetworkError]
    with pytest.raises((flight.FlightError, pa.ArrowException)):
        reader.read_all()


def test_a_service_ends_in_time_though_a_caller_of_flight_does_not_read(
    service: RunningService,
) -> None:
    reader = begun(service)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0
    with pytest.raises((flight.FlightError, pa.ArrowException)):
        reader.read_all()
