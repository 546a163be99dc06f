"""Flight on a port, with operations that answer what a test needs."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from pyarrow import flight

from infrastructure.clock import SystemClock
from infrastructure.errors import NoDataError, ServiceUnavailable
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.doorkeeper import Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.flight.admission import FlightAdmission
from system.algo_trader.api.flight.outflow import Outflow
from system.algo_trader.api.flight.server import MOST_STREAMS, FlightService
from system.algo_trader.api.operations import catalogue
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.stores import Stores

OWNER = "the-owners-secret"
PAGES, ROWS = 200, 200_000
PAGE = Answer(pa.table({"x": pa.array(range(ROWS))}), Facts(("file",), False))
LONG = {"symbol": "A", "limit": 1_000_000, "start_time": "2024-01-02"}


class Notes(Audit):
    """Keep the lines of the audit."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    def note(self, *line: Any) -> None:
        self.lines.append(line)


@dataclasses.dataclass
class Door:
    service: FlightService
    notes: Notes

    def wire(self) -> Any:
        return flight.FlightClient(f"grpc://127.0.0.1:{self.service.port}")

    def get(self, wire: Any, parameters: dict[str, Any], operation: str = "candles") -> Any:
        command = json.dumps({"operation": operation, "parameters": parameters}).encode()
        return wire.do_get(flight.Ticket(command), options())

    def answers(self, name: str, **changes: Any) -> None:
        known = self.service._operations
        known[name] = dataclasses.replace(known[name], **changes)


def options(key: str = OWNER) -> Any:
    header = (b"authorization", f"Bearer {key}".encode())
    return flight.FlightCallOptions(headers=[header], timeout=30)


def pages(stores: Stores, values: Any) -> Iterator[Answer]:
    return iter([PAGE] * PAGES)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        threading.Event().wait(0.01)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    clock, notes = SystemClock(), Notes()
    keys = KeyStore(tmp_path / "keys.json", clock)
    admission = FlightAdmission(Doorkeeper(keys, OWNER, clock), notes)
    stores = cast(Stores, SimpleNamespace(clock=clock))
    made = Door(FlightService(stores, admission, "127.0.0.1", 0), notes)
    made.answers("candles", pages=pages, answer=lambda stores, values: PAGE)
    yield made
    made.service.close()


def test_callers_who_go_away_give_their_places_back(door: Door) -> None:
    for number in range(3 * MOST_STREAMS):
        wire = door.wire()
        reader = door.get(wire, LONG)
        if number % 2:
            reader.read_chunk()
        reader.cancel()
        wire.close()
        wait_until(lambda: len(door.notes.lines) > number)  # noqa: B023
    assert {line[3] for line in door.notes.lines} == {499}


def test_a_stream_that_nobody_begins_is_over_when_it_is_dropped() -> None:
    told: list[tuple[int, int]] = []
    flow = Outflow(
        PAGE, iter(()), now_ns=lambda: 0, ending=threading.Event(),
        over=lambda *line: told.append(line),
    )  # fmt: skip
    stream = flight.GeneratorStream(PAGE.table.schema, flow)
    del flow, stream
    assert told == [(499, 0)]


def test_one_stream_too_many_is_told_to_come_back(door: Door) -> None:
    wire = door.wire()
    held = [door.get(wire, LONG) for _ in range(MOST_STREAMS)]
    with pytest.raises(flight.FlightUnavailableError) as caught:
        door.get(wire, LONG)
    assert json.loads(caught.value.extra_info)["retry_after_s"] == 1
    held.pop().cancel()
    wait_until(lambda: bool(door.notes.lines) and door.notes.lines[-1][3] == 499)
    assert door.get(wire, LONG).read_chunk().data.num_rows == ROWS
    for reader in held:
        reader.cancel()


def test_the_end_does_not_wait_for_a_caller_who_does_not_read(door: Door) -> None:
    wire = door.wire()
    reader = door.get(wire, LONG)
    reader.read_chunk()
    ended = threading.Thread(target=door.service.close)
    ended.start()
    ended.join(15)
    assert not ended.is_alive()
    with pytest.raises((flight.FlightError, pa.ArrowException)):
        reader.read_all()


def test_a_whole_stream_is_noted_with_its_rows(door: Door) -> None:
    door.answers("candles", pages=lambda stores, values: iter([PAGE, PAGE]))
    found = door.get(door.wire(), LONG)
    chunks = list(found)
    assert [chunk.data.num_rows for chunk in chunks] == [ROWS, ROWS]
    facts = [json.loads(chunk.app_metadata.to_pybytes()) for chunk in chunks]
    assert [each["source"] for each in facts] == ["file", "file"]
    assert json.loads(found.schema.metadata[b"algo_trader"])["rows"] == ROWS
    wait_until(lambda: bool(door.notes.lines))
    who, method, route, status, rows, _, client = door.notes.lines[-1]
    assert (who, method, route, status, rows) == ("local", "FLIGHT", "/candles", 200, 2 * ROWS)
    assert client == "127.0.0.1"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (NoDataError("nobody has it"), flight.FlightServerError, 404),
        (ServiceUnavailable("Redis is away"), flight.FlightUnavailableError, 503),
        (RuntimeError("/home/somebody"), flight.FlightServerError, 500),
    ],
)
@pytest.mark.parametrize("at", ["once", "amid"])
def test_what_fails_says_so_and_no_more(
    door: Door, error: Exception, kind: type[Exception], status: int, at: str
) -> None:
    def failing(stores: Stores, values: Any) -> Iterator[Answer]:
        if at == "amid":
            yield PAGE
        raise error

    door.answers("candles", pages=failing)
    with pytest.raises(kind) as caught:
        door.get(door.wire(), LONG).read_all()
    assert "somebody" not in str(caught.value)
    if at == "once":
        assert json.loads(cast(Any, caught.value).extra_info)["status"] == status
    wait_until(lambda: bool(door.notes.lines) and door.notes.lines[-1][3] == status)


def test_a_long_answer_begins_somewhere_as_over_http(door: Door) -> None:
    with pytest.raises(flight.FlightServerError, match="begins somewhere"):
        door.get(door.wire(), {"symbol": "A", "limit": 1_000_000})


def test_a_descriptor_becomes_the_ticket_that_answers_it(door: Door) -> None:
    wire = door.wire()
    command = json.dumps({"operation": "candles", "parameters": {"symbol": "A"}}).encode()
    info = wire.get_flight_info(flight.FlightDescriptor.for_command(command), options())
    assert wire.do_get(info.endpoints[0].ticket, options()).read_all().num_rows == ROWS
    listed = {
        json.loads(each.descriptor.command)["operation"]
        for each in wire.list_flights(b"", options())
    }
    assert listed == {each.name for each in catalogue.OPERATIONS}


def test_another_server_does_not_share_the_port(door: Door) -> None:
    with pytest.raises((pa.ArrowException, OSError)):
        flight.FlightServerBase(f"grpc://127.0.0.1:{door.service.port}")
