"""An answer over HTTP, read."""

from __future__ import annotations

import contextlib
from typing import Final

import httpx2

from infrastructure.errors import NetworkError
from system.algo_trader.client.refusal import Refused
from system.algo_trader.client.result import Result, result_of_stream

TIMEOUT_S: Final = 10.0


def result_in(answer: httpx2.Response) -> Result:
    """Return the rows of an answer.

    Raises:
        Refused: If it holds none.
        ServiceUnavailable: If it was cut off.
    """
    if answer.status_code != 200:
        raise Refused(
            answer.status_code, _problem(answer), _seconds(answer.headers.get("retry-after"))
        )
    return result_of_stream(answer.content, age_s=_seconds(answer.headers.get("x-data-age-s")))


def away(error: httpx2.HTTPError) -> NetworkError:
    """Return a failed request as an error of our tree."""
    return NetworkError(
        f"the service does not answer: {str(error) or type(error).__name__}",
        next_step="Is `algo-trader serve` running?",
    )


def _problem(answer: httpx2.Response) -> dict[str, object]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(text: str | None) -> float | None:
    if text is not None:
        with contextlib.suppress(ValueError):
            return float(text)
    return None
