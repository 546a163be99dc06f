"""What all endpoints share: a requester, and the step from an answer to a typed value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from infrastructure.errors import BugError
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.wire import WireFormError

T = TypeVar("T")


class Endpoint:
    """Ask one Schwab host.

    Args:
        requester: Sends the requests.
    """

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def _parsed(self, answer: Answer, parse: Callable[[bytes], T]) -> T:
        try:
            return parse(answer.body)
        except (msgspec.ValidationError, WireFormError) as error:
            raise BugError(
                f"Schwab's answer for {answer.what} has not the documented form: {error}",
                next_step="Report it with the correlation id.",
                correlation_id=answer.correlation_id,
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._requester.unreadable(answer) from None
