"""Problems as errors of Flight."""

from __future__ import annotations

import json
from typing import Any, Final

from pyarrow import flight

from system.algo_trader.api.operations.problem import Problem

_KINDS: Final = {
    401: flight.FlightUnauthenticatedError,
    403: flight.FlightUnauthorizedError,
    408: flight.FlightTimedOutError,
    # Flight has no error for "too often": both say that asking again later makes sense.
    429: flight.FlightUnavailableError,
    503: flight.FlightUnavailableError,
}


def refusal_of(problem: Problem) -> Any:
    """Return a problem as an error to raise; its extra information is the problem as JSON."""
    kind = _KINDS.get(problem.status, flight.FlightServerError)
    return kind(problem.detail, json.dumps(problem.as_dict()).encode())
