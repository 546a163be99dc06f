"""The operations of the catalogue over Arrow Flight, streamed window by window."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import flight

from infrastructure.logging import get_logger
from system.algo_trader.api.flight.admission import (
    MIDDLEWARE,
    AdmissionFactory,
    FlightAdmission,
)
from system.algo_trader.api.flight.call import Call
from system.algo_trader.api.flight.outflow import Outflow
from system.algo_trader.api.flight.streams import STILL_S, Streams
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.catalogue import OPERATIONS, Operation
from system.algo_trader.api.operations.rendering import FACTS_KEY, facts_text
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.api.operations.streaming import is_long, pages_of

END_S: Final = 3.0
"""How long the end waits for callers to take what is under way."""
_log = get_logger("api.flight")


class FlightService(flight.FlightServerBase):  # type: ignore[misc]
    """Answer Flight; it runs from its making until `close`.

    A ticket is a JSON object: `{"operation": "candles", "parameters": {"symbol": "AAPL"}}`. Each
    batch carries the facts of its rows as its metadata; the schema those of the first ones.

    Args:
        stores: What is read from.
        admission: Who may ask.
        host: Where to listen.
        port: Its port; 0 for a free one.
        certificate: PEM file; None without TLS.
        key: PEM file of its key.
        still_s: How long a stream may wait for its caller, seconds.
    """

    def __init__(
        self,
        stores: Stores,
        admission: FlightAdmission,
        host: str,
        port: int,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        still_s: float = STILL_S,
    ) -> None:
        self._stores = stores
        self._audit = admission.audit
        self._operations = {each.name: each for each in OPERATIONS}
        self._streams = Streams(stores.clock, still_s)
        scheme = "grpc" if certificate is None else "grpc+tls"
        tls = []
        if certificate is not None and key is not None:
            tls = [flight.CertKeyPair(certificate.read_bytes(), key.read_bytes())]
        shown = f"[{host}]" if ":" in host else host
        super().__init__(
            f"{scheme}://{shown}:{port}",
            tls_certificates=tls,
            middleware={MIDDLEWARE: AdmissionFactory(admission)},
        )
        self._streams.start()

    def close(self) -> None:
        """End; what still streams breaks off, and a caller who does not read is not waited for."""
        self._streams.close()
        ending = threading.Thread(target=self.shutdown, name="flight-end", daemon=True)
        ending.start()
        ending.join(END_S)
        if ending.is_alive():
            _shut_down_no_more_at_exit(self)
            _log.warning("a caller of Flight does not read; its stream is left")

    def do_get(self, context: Any, ticket: Any) -> Any:
        """Return the rows of a ticket as a stream.

        Raises:
            FlightError: The kind says what is wrong; its extra information is the problem as JSON.
        """
        with self._call(context, ticket.ticket) as call:
            operation, values = call.asked(self._operations)
            stream = self._streams.begin(
                call.caller.key_id, context.get_middleware(MIDDLEWARE).is_still_in
            )
            try:
                pages = self._pages(operation, values)
                first = next(pages)
            except BaseException:
                self._streams.end(stream)
                raise

            def over(status: int, rows: int) -> None:
                self._streams.end(stream)
                call.note(status, rows)

            call.is_open = True
            now_ns = self._stores.clock.now_ns
            flow = Outflow(first, pages, now_ns=now_ns, stream=stream, over=over)
            facts = facts_text(first, now_ns())
            return flight.GeneratorStream(
                first.table.schema.with_metadata({FACTS_KEY: facts}), flow
            )

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """Return the ticket of a descriptor, whose command is one."""
        command = descriptor.command or b""
        with self._call(context, command) as call:
            call.asked(self._operations)
            endpoint = flight.FlightEndpoint(flight.Ticket(command), [])
            return flight.FlightInfo(pa.schema([]), descriptor, [endpoint], -1, -1)

    def list_flights(self, context: Any, criteria: bytes) -> Iterator[Any]:
        """Yield the operations that the key may ask for."""
        with self._call(context, b"") as call:
            found = []
            for operation in self._operations.values():
                if call.caller.may(operation.needs):
                    command = json.dumps({"operation": operation.name, "parameters": {}}).encode()
                    descriptor = flight.FlightDescriptor.for_command(command)
                    found.append(flight.FlightInfo(pa.schema([]), descriptor, [], -1, -1))
        return iter(found)

    def _call(self, context: Any, command: bytes) -> Call:
        return Call(context.get_middleware(MIDDLEWARE).caller, context.peer(), command, self._audit)

    def _pages(self, operation: Operation, values: dict[str, Any]) -> Iterator[Answer]:
        if is_long(values):
            return pages_of(operation, self._stores, values)
        return iter((operation.answer(self._stores, values),))


def _shut_down_no_more_at_exit(service: FlightService) -> None:
    """Take back the shutdown that pyarrow does at exit: it would wait for the one under way."""
    for reference in weakref.getweakrefs(service):
        if isinstance(reference.__callback__, weakref.finalize):
            reference.__callback__.atexit = False
