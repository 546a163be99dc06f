"""Flight on a port, with operations that answer what a test needs."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
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
from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.doorkeeper import Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.flight.admission import FlightAdmission
from system.algo_trader.api.flight.outflow import Outflow
from system.algo_trader.api.flight.server import FlightService
from system.algo_trader.api.flight.streams import MOST_OF_A_KEY, MOST_STREAMS, STILL_S, Streams
from system.algo_trader.api.operations import catalogue
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.stores import Stores

OWNER = "the-owners-secret"
PAGES, ROWS = 200, 200_000
PAGE = Answer(pa.table({"x": pa.array(range(ROWS))}), Facts(("file",), False))
TICKS = frozenset({KeyScope.READ_TICKS})
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
    keys: KeyStore

    def wire(self) -> Any:
        return flight.FlightClient(f"grpc://127.0.0.1:{self.service.port}")

    def get(self, wire: Any, parameters: dict[str, Any], key: str = OWNER) -> Any:
        command = json.dumps({"operation": "candles", "parameters": parameters}).encode()
        return wire.do_get(flight.Ticket(command), options(key))

    def key(self, name: str) -> tuple[str, str]:
        made, text = self.keys.create(name, TICKS)
        return made.key_id, text

    def stalled(self, wire: Any, key: str) -> list[Any]:
        """Return as many streams as a key may have, each with its first part read."""
        held = [self.get(wire, LONG, key) for _ in range(MOST_OF_A_KEY)]
        for reader in held:
            reader.read_chunk()
        return held

    def answers(self, name: str, **changes: Any) -> None:
        known = self.service._operations
        known[name] = dataclasses.replace(known[name], **changes)


def options(key: str = OWNER) -> Any:
    header = (b"authorization", f"Bearer {key}".encode())
    return flight.FlightCallOptions(headers=[header], timeout=30)


def pages(stores: Stores, values: Any) -> Iterator[Answer]:
    return iter([PAGE] * PAGES)


def problem_of(error: pytest.ExceptionInfo[Any]) -> tuple[int, str]:
    said = json.loads(error.value.extra_info)
    return said["status"], said["detail"]


def read_on(reader: Any) -> None:
    while True:
        reader.read_chunk()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        threading.Event().wait(0.01)


@contextlib.contextmanager
def opened(tmp_path: Path, still_s: float) -> Iterator[Door]:
    clock, notes = SystemClock(), Notes()
    keys = KeyStore(tmp_path / "keys.json", clock)
    admission = FlightAdmission(Doorkeeper(keys, OWNER, clock), notes)
    stores = cast(Stores, SimpleNamespace(clock=clock))
    made = Door(FlightService(stores, admission, "127.0.0.1", 0, still_s=still_s), notes, keys)
    made.answers("candles", pages=pages, answer=lambda stores, values: PAGE)
    try:
        yield made
    finally:
        made.service.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with opened(tmp_path, STILL_S) as made:
        yield made


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
    place = Streams(SystemClock()).begin("k", lambda: True)
    flow = Outflow(
        PAGE, iter(()), now_ns=lambda: 0, stream=place,
        over=lambda *line: told.append(line),
    )  # fmt: skip
    stream = flight.GeneratorStream(PAGE.table.schema, flow)
    del flow, stream
    assert told == [(499, 0)]


def test_what_is_made_while_a_key_ends_is_not_given() -> None:
    streams, told, ended = Streams(SystemClock()), list[tuple[int, int]](), threading.Event()

    def more() -> Iterator[Answer]:
        ended.set()
        streams.look()
        yield PAGE

    flow = Outflow(
        PAGE, more(), now_ns=lambda: 0, stream=streams.begin("k", lambda: not ended.is_set()),
        over=lambda *line: told.append(line),
    )  # fmt: skip
    assert next(flow)[0].num_rows == ROWS
    with pytest.raises(flight.FlightUnauthenticatedError):
        next(flow)
    assert told == [(401, ROWS)]


def test_one_stream_too_many_is_told_to_come_back(door: Door) -> None:
    wire = door.wire()
    keys = [door.key(f"k{n}")[1] for n in range(MOST_STREAMS // MOST_OF_A_KEY)]
    held = [door.get(wire, LONG, key) for key in keys for _ in range(MOST_OF_A_KEY)]
    with pytest.raises(flight.FlightUnavailableError) as caught:
        door.get(wire, LONG)
    assert json.loads(caught.value.extra_info)["retry_after_s"] == 1
    held.pop().cancel()
    wait_until(lambda: bool(door.notes.lines) and door.notes.lines[-1][3] == 499)
    assert door.get(wire, LONG).read_chunk().data.num_rows == ROWS
    for reader in held:
        reader.cancel()


def test_one_key_does_not_take_all_places(door: Door) -> None:
    wire, (_, mine) = door.wire(), door.key("mine")
    held = door.stalled(wire, mine)
    with pytest.raises(flight.FlightUnavailableError) as caught:
        door.get(wire, LONG, mine)
    assert problem_of(caught) == (429, f"{MOST_OF_A_KEY} streams of this key run already")
    assert door.get(wire, LONG).read_chunk().data.num_rows == ROWS
    for reader in held:
        reader.cancel()


def test_a_stream_that_flows_breaks_off_when_its_key_is_revoked(door: Door) -> None:
    door.answers("candles", pages=lambda stores, values: itertools.repeat(PAGE))
    wire, (key_id, mine) = door.wire(), door.key("mine")
    reader, of_the_owner = door.get(wire, LONG, mine), door.get(wire, LONG)
    reader.read_chunk()
    door.keys.revoke(key_id)
    with pytest.raises(flight.FlightUnauthenticatedError) as caught:
        read_on(reader)
    assert problem_of(caught) == (401, "this key has ended")
    wait_until(lambda: bool(door.notes.lines))
    assert door.notes.lines[-1][0:4] == (key_id, "FLIGHT", "/candles", 401)
    assert of_the_owner.read_chunk().data.num_rows == ROWS
    of_the_owner.cancel()


def test_callers_who_do_not_read_shut_nobody_out_for_long(tmp_path: Path) -> None:
    with opened(tmp_path, still_s=0.5) as door:
        wire = door.wire()
        keys = [door.key(f"k{n}")[1] for n in range(MOST_STREAMS // MOST_OF_A_KEY)]
        held = [reader for key in keys for reader in door.stalled(wire, key)]
        wait_until(lambda: len(door.service._streams) == 0)
        assert door.get(wire, LONG).read_chunk().data.num_rows == ROWS
        for reader in held:
            with pytest.raises(flight.FlightTimedOutError) as caught:
                read_on(reader)
            assert problem_of(caught) == (408, "nothing of this stream was taken for 0.5 seconds")


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
