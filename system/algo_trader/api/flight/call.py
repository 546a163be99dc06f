"""One call of Flight: who asks for what, what is wrong with it, and its line in the audit."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.caller import Caller
from system.algo_trader.api.flight.admission import METHOD
from system.algo_trader.api.flight.outflow import FAULT
from system.algo_trader.api.flight.refusal import refusal_of
from system.algo_trader.api.operations.catalogue import Operation
from system.algo_trader.api.operations.parameters import parse_query, texts_of
from system.algo_trader.api.operations.problem import Problem, problem_of

_LONGEST_COMMAND: Final = 8192
_log = get_logger("api.flight")


class Call:
    """Answer one call within a block; what goes wrong there leaves it as an error of Flight.

    Args:
        caller: Who asks.
        peer: From where, as gRPC writes it: `ipv4:127.0.0.1:50100`.
        command: What: the ticket.
        audit: Gets a line.
    """

    def __init__(self, caller: Caller, peer: str, command: bytes, audit: Audit) -> None:
        self.caller = caller
        self.is_open = False
        """Whether the answer goes on after the block, so that its line is written later."""
        self._client = _address(peer)
        self._command = command
        self._audit = audit
        self._route = "(flights)"
        self._began_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            if not self.is_open:
                self.note(200, 0)
            return
        if not isinstance(error, Exception):
            return
        if isinstance(error, Problem):
            problem = error
        elif isinstance(error, StackError):
            problem = problem_of(error)
            if problem.status >= 500:
                _log.warning("%s: %s", type(error).__name__, error)
        else:
            _log.error("%s failed", self._route, exc_info=error)
            problem = Problem(500, FAULT)
        self.note(problem.status, 0)
        # The error itself is not told: its text may hold what is no caller's business.
        raise refusal_of(problem) from None

    def asked(self, operations: Mapping[str, Operation]) -> tuple[Operation, dict[str, Any]]:
        """Return what is asked for.

        Raises:
            Problem: If that is no operation, the key may not, or a parameter is wrong.
        """
        name, parameters = _parsed(self._command)
        known = operations.get(name)
        if known is None:
            raise Problem(
                404, f"there is no operation {name[:40]!r}", "operation", sorted(operations)
            )
        self._route = known.path
        if not self.caller.may(known.needs):
            raise Problem(
                403,
                f"this key may not do that: it lacks the scope {known.needs}",
                next_step=f"Make one with `algo-trader keys create --scope {known.needs}`.",
            )
        return known, parse_query(known.parameters, texts_of(parameters))

    def note(self, status: int, rows: int) -> None:
        """Write the call's line of the audit."""
        took_ms = (time.monotonic() - self._began_s) * 1e3
        self._audit.note(
            self.caller.key_id, METHOD, self._route, status, rows, took_ms, self._client
        )


def _address(peer: str) -> str:
    return peer.partition(":")[2].rpartition(":")[0].strip("[]") or "unknown"


def _parsed(command: bytes) -> tuple[str, dict[str, Any]]:
    if len(command) > _LONGEST_COMMAND:
        raise Problem(413, f"a ticket has at most {_LONGEST_COMMAND} bytes")
    try:
        document = json.loads(command)
        operation, parameters = document["operation"], document.get("parameters", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        operation = parameters = None
    if not isinstance(operation, str) or not isinstance(parameters, dict):
        raise Problem(
            400, "the ticket is not understood", "ticket",
            'JSON: {"operation": "candles", "parameters": {"symbol": "AAPL"}}',
        )  # fmt: skip
    return operation, parameters
