"""A process with Flight ends, whatever its callers do."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
from pyarrow import flight

from infrastructure.clock import SystemClock
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.doorkeeper import Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.flight.admission import FlightAdmission
from system.algo_trader.api.flight.server import FlightService
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.stores import Stores

OWNER = "the-owners-secret"
END_S = 20.0
STILL_S = 1.0


def serve(home: Path) -> None:
    """Be the process: end once the one stream stands still."""
    clock, made = SystemClock(), threading.Event()
    page = Answer(pa.table({"x": pa.array(range(200_000))}), Facts(("file",), False))

    def pages(stores: Stores, values: Any) -> Iterator[Answer]:
        while True:
            made.set()
            yield page

    keys = KeyStore(home / "keys.json", clock)
    admission = FlightAdmission(Doorkeeper(keys, OWNER, clock), Audit(home / "audit.jsonl", clock))
    stores = cast(Stores, SimpleNamespace(clock=clock))
    service = FlightService(stores, admission, "127.0.0.1", 0)
    known = service._operations
    known["candles"] = dataclasses.replace(known["candles"], pages=pages)
    print(service.port, flush=True)
    made.wait()
    while made.is_set():
        made.clear()
        made.wait(STILL_S)
    print("the stream stands still", flush=True)
    service.close()


def started(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, str(home)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
        stdout=subprocess.PIPE,
        text=True,
    )


def first_part(wire: Any) -> Any:
    """Return an endless stream of which nothing but the first part was read."""
    parameters = {"symbol": "A", "start_time": "2024-01-02", "limit": 1_000_000}
    command = json.dumps({"operation": "candles", "parameters": parameters}).encode()
    header = (b"authorization", f"Bearer {OWNER}".encode())
    reader = wire.do_get(flight.Ticket(command), flight.FlightCallOptions(headers=[header]))
    reader.read_chunk()
    return reader


def test_a_process_ends_while_a_caller_does_not_read(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert process.stdout is not None
        try:
            with flight.FlightClient(f"grpc://127.0.0.1:{int(process.stdout.readline())}") as wire:
                reader = first_part(wire)
                assert process.stdout.readline() == "the stream stands still\n"
                assert process.wait(END_S) == 0
                reader.cancel()
        finally:
            process.kill()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
