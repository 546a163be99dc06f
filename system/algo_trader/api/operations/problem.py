"""What is wrong with a request, in the form of RFC 9457: `application/problem+json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from infrastructure.errors import (
    InputError,
    NoDataError,
    OperatorError,
    RetryableError,
    SignInRequired,
    StackError,
    UnknownSymbol,
)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_S: Final = 5
"""Seconds after which a service that is away may be asked again."""


@dataclass(eq=False)
class Problem(Exception):
    """Say why a request is not answered.

    Attributes:
        status: Of HTTP.
        detail: One sentence.
        parameter: The parameter that is wrong, if one is.
        allowed: What would be right, in words or as a list.
        next_step: What to do, if that is known.
        retry_after_s: Seconds after which asking again makes sense.
    """

    status: int
    detail: str
    parameter: str | None = None
    allowed: str | Sequence[str] | None = None
    next_step: str | None = None
    retry_after_s: int | None = None

    def __str__(self) -> str:
        return self.detail

    def as_dict(self) -> dict[str, Any]:
        """Return the document; what is not known is left out."""
        found = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "parameter": self.parameter,
            "allowed": self.allowed,
            "next_step": self.next_step,
            "retry_after_s": self.retry_after_s,
        }
        return {name: value for name, value in found.items() if value is not None}


def problem_of(error: StackError) -> Problem:
    """Return an error of our tree as a problem.

    What a person asked wrongly is 400, what nobody has 404, what may come back 503 with the
    seconds to wait, everything else 500 without its inner words.
    """
    said = error.message
    match error:
        case NoDataError() | UnknownSymbol():
            return Problem(404, said, next_step=error.next_step)
        case InputError():
            return Problem(400, said, next_step=error.next_step)
        case RetryableError():
            return Problem(503, said, next_step=error.next_step, retry_after_s=RETRY_S)
        case SignInRequired() | OperatorError():
            return Problem(503, said, next_step=error.next_step, retry_after_s=12 * RETRY_S)
    return Problem(500, "this is a fault of the service; its log says more")
