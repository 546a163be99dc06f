"""Reply codes of the streamer, as its guide numbers them, and what each asks of the reader."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ReplyCode(IntEnum):
    """Why a command was answered as it was."""

    SUCCESS = 0
    LOGIN_DENIED = 3
    UNKNOWN_FAILURE = 9
    SERVICE_NOT_AVAILABLE = 11
    CLOSE_CONNECTION = 12
    REACHED_SYMBOL_LIMIT = 19
    STREAM_CONN_NOT_FOUND = 20
    BAD_COMMAND_FORMAT = 21
    FAILED_COMMAND_SUBS = 22
    FAILED_COMMAND_UNSUBS = 23
    FAILED_COMMAND_ADD = 24
    FAILED_COMMAND_VIEW = 25
    SUCCEEDED_COMMAND_SUBS = 26
    SUCCEEDED_COMMAND_UNSUBS = 27
    SUCCEEDED_COMMAND_ADD = 28
    SUCCEEDED_COMMAND_VIEW = 29
    STOP_STREAMING = 30


SUCCESSES: Final[frozenset[int]] = frozenset(
    {
        ReplyCode.SUCCESS,
        ReplyCode.SUCCEEDED_COMMAND_SUBS,
        ReplyCode.SUCCEEDED_COMMAND_UNSUBS,
        ReplyCode.SUCCEEDED_COMMAND_ADD,
        ReplyCode.SUCCEEDED_COMMAND_VIEW,
    }
)
ENDINGS: Final[frozenset[int]] = frozenset(
    {ReplyCode.LOGIN_DENIED, ReplyCode.CLOSE_CONNECTION, ReplyCode.STOP_STREAMING}
)
"""Codes after which the server closes the connection."""

_ADVICE: Final = {
    ReplyCode.SERVICE_NOT_AVAILABLE: "Schwab does not serve it on this stream; leave it out.",
    ReplyCode.REACHED_SYMBOL_LIMIT: "Stream fewer keys of this service, or poll the rest.",
    ReplyCode.BAD_COMMAND_FORMAT: "The command was malformed; please report it as a bug.",
}


def advice(code: int) -> str:
    """Return what to do about a refused command."""
    known = {int(one): text for one, text in _ADVICE.items()}
    return known.get(code, "Try it again; if it stays, look at Schwab's status page.")
