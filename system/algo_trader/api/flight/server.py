"""The operations of the catalogue over Arrow Flight, streamed window by window."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

import pyarrow as pa
from pyarrow import flight

from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from system.algo_trader.api.flight.admission import (
    MIDDLEWARE,
    AdmissionFactory,
    AdmittedCall,
    FlightAdmission,
)
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.catalogue import OPERATIONS, PAGE_ROWS, Operation
from system.algo_trader.api.operations.parameters import parse_query, texts_of
from system.algo_trader.api.operations.problem import Problem, problem_of
from system.algo_trader.api.operations.rendering import FACTS_KEY, facts_text
from system.algo_trader.api.operations.stores import Stores

MOST_STREAMS: Final = 8
"""Calls that are answered at once; the next one is told to come back."""
_LONGEST_COMMAND: Final = 8192
_log = get_logger("api.flight")


class FlightService(flight.FlightServerBase):  # type: ignore[misc]
    """Answer Flight; it runs from its making until `shutdown`.

    A ticket is a JSON object: `{"operation": "candles", "parameters": {"symbol": "AAPL"}}`. Each
    batch carries the facts of its rows as its metadata; the schema those of the first ones.

    Args:
        stores: What is read from.
        admission: Who may ask.
        host: Where to listen.
        port: Its port; 0 for a free one.
        certificate: PEM file; None without TLS.
        key: PEM file of its key.
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
    ) -> None:
        self._stores = stores
        self._audit = admission.audit
        self._operations = {each.name: each for each in OPERATIONS}
        self._free = threading.BoundedSemaphore(MOST_STREAMS)
        scheme = "grpc" if certificate is None else "grpc+tls"
        tls = []
        if certificate is not None and key is not None:
            tls = [flight.CertKeyPair(certificate.read_bytes(), key.read_bytes())]
        super().__init__(
            f"{scheme}://{host}:{port}",
            tls_certificates=tls,
            middleware={MIDDLEWARE: AdmissionFactory(admission)},
        )

    def do_get(self, context: Any, ticket: Any) -> Any:
        """Return the rows of a ticket as a stream.

        Raises:
            FlightError: The kind says what is wrong; its extra information is the problem as JSON.
        """
        began_s = time.monotonic()
        operation, values = self._asked(context, ticket.ticket)
        call: AdmittedCall = context.get_middleware(MIDDLEWARE)
        if not self._free.acquire(blocking=False):
            raise flight.FlightUnavailableError(
                f"{MOST_STREAMS} streams run already; try again in a second"
            )
        try:
            pages = self._pages(operation, values)
            first = next(pages)
        except StopIteration:
            self._free.release()
            raise flight.FlightServerError("there is nothing") from None
        except (Problem, StackError) as error:
            self._free.release()
            _refuse(error if isinstance(error, Problem) else problem_of(error))
        except BaseException:
            self._free.release()
            raise
        schema = first.table.schema.with_metadata({FACTS_KEY: facts_text(first)})

        def note(rows: int) -> None:
            self._free.release()
            took_ms = (time.monotonic() - began_s) * 1e3
            self._audit.note(
                call.caller.key_id, "FLIGHT", operation.path, 200, rows, took_ms, call.client
            )

        return flight.GeneratorStream(schema, _batches(first, pages, note))

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """Return the ticket of a descriptor, whose command is one."""
        self._asked(context, descriptor.command or b"")
        ticket = flight.Ticket(descriptor.command)
        endpoint = flight.FlightEndpoint(ticket, [])
        return flight.FlightInfo(pa.schema([]), descriptor, [endpoint], -1, -1)

    def list_flights(self, context: Any, criteria: bytes) -> Iterator[Any]:
        """Yield the operations that the key may ask for."""
        caller = context.get_middleware(MIDDLEWARE).caller
        for operation in self._operations.values():
            if caller.may(operation.needs):
                command = json.dumps({"operation": operation.name, "parameters": {}}).encode()
                descriptor = flight.FlightDescriptor.for_command(command)
                yield flight.FlightInfo(pa.schema([]), descriptor, [], -1, -1)

    def _asked(self, context: Any, command: bytes) -> tuple[Operation, dict[str, Any]]:
        caller = context.get_middleware(MIDDLEWARE).caller
        try:
            operation, parameters = _parsed(command)
            known = self._operations.get(operation)
            if known is None:
                raise Problem(404, f"there is no operation {operation[:40]!r}", "operation",
                              sorted(self._operations))  # fmt: skip
            if not caller.may(known.needs):
                raise Problem(403, f"this key lacks the scope {known.needs}")
            values = parse_query(known.parameters, texts_of(parameters))
        except Problem as problem:
            _refuse(problem)
        return known, values

    def _pages(self, operation: Operation, values: dict[str, Any]) -> Iterator[Answer]:
        is_long = values.get("limit", 0) > PAGE_ROWS
        if operation.pages is not None and is_long and values.get("cursor") is None:
            yield from operation.pages(self._stores, values)
        else:
            yield operation.answer(self._stores, values)


def _parsed(command: bytes) -> tuple[str, dict[str, Any]]:
    if len(command) > _LONGEST_COMMAND:
        raise Problem(413, f"a ticket has at most {_LONGEST_COMMAND} bytes")
    try:
        document = json.loads(command)
        operation, parameters = document["operation"], document.get("parameters", {})
    except (ValueError, KeyError, TypeError, RecursionError):
        operation = parameters = None
    if not isinstance(operation, str) or not isinstance(parameters, dict):
        raise Problem(
            400, "the ticket is not understood", "ticket",
            'JSON: {"operation": "candles", "parameters": {"symbol": "AAPL"}}',
        )  # fmt: skip
    return operation, parameters


def _refuse(problem: Problem) -> NoReturn:
    document = json.dumps(problem.as_dict()).encode()
    kinds = {
        401: flight.FlightUnauthenticatedError,
        403: flight.FlightUnauthorizedError,
        503: flight.FlightUnavailableError,
    }
    kind = kinds.get(problem.status, flight.FlightServerError)
    raise kind(problem.detail, document)


def _batches(first: Answer, pages: Iterator[Answer], note: Any) -> Iterator[Any]:
    """Yield batches with the facts of their rows; `note` is told how many rows went, at the end."""
    rows = 0
    page: Answer | None = first
    try:
        while page is not None:
            facts = pa.py_buffer(facts_text(page))
            for batch in page.table.combine_chunks().to_batches():
                rows += batch.num_rows
                yield batch.replace_schema_metadata(None), facts
            page = next(pages, None)
    except (Problem, StackError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error)
        _log.warning("a stream ends before its time: %s", problem)
        _refuse(problem)
    finally:
        note(rows)
