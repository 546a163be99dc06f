"""Response codes of the streamer and the texts that go with them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Code(IntEnum):
    """What a response says. [S]"""

    SUCCESS = 0
    LOGIN_DENIED = 3
    UNKNOWN_FAILURE = 9
    SERVICE_NOT_AVAILABLE = 11
    CLOSE_CONNECTION = 12
    REACHED_SYMBOL_LIMIT = 19
    STREAM_CONN_NOT_FOUND = 20
    BAD_COMMAND_FORMAT = 21
    FAILED_SUBS = 22
    FAILED_UNSUBS = 23
    FAILED_ADD = 24
    FAILED_VIEW = 25
    SUCCEEDED_SUBS = 26
    SUCCEEDED_UNSUBS = 27
    SUCCEEDED_ADD = 28
    SUCCEEDED_VIEW = 29
    STOP_STREAMING = 30


LOGIN_DENIED_TEXT: Final = "Login Denied.: token is invalid or has expired."  # [O]
NOT_AVAILABLE_TEXT: Final = "Service not available or temporary down."  # [O]
BAD_FORMAT_TEXT: Final = "Bad command formatting"  # [O]
LOGOUT_TEXT: Final = "SUCCESS"  # [S]
# The wording of the next four is not established. [?]
NOT_FOUND_TEXT: Final = "Stream connection not found"
TOO_MANY_TEXT: Final = "Close connection: maximum number of connections reached"
EMPTY_TEXT: Final = "Stop streaming due to empty subscription"
SLOW_TEXT: Final = "Stop streaming due to slow consumption"

FAILED: Final = {
    "SUBS": Code.FAILED_SUBS,
    "UNSUBS": Code.FAILED_UNSUBS,
    "ADD": Code.FAILED_ADD,
    "VIEW": Code.FAILED_VIEW,
}
SUCCEEDED: Final = {
    "SUBS": Code.SUCCEEDED_SUBS,
    "UNSUBS": Code.SUCCEEDED_UNSUBS,
    "ADD": Code.SUCCEEDED_ADD,
    "VIEW": Code.SUCCEEDED_VIEW,
}

# The close codes of a WebSocket, RFC 6455 section 7.4.1.
NORMAL_CLOSURE: Final = 1000
POLICY_VIOLATION: Final = 1008


def succeeded_text(command: str) -> str:
    """Return what a response to a good command says, such as `ADD command succeeded`. [O]"""
    return f"{command} command succeeded"


def failed_text(command: str) -> str:
    """Return what a response to a failed command says. [?]"""
    return f"{command} command failed"


def limit_text(command: str, service: str, limit: int, discarded: int) -> str:
    """Return what code 19 says; its end is observed, the words before are not. [O][?]"""
    return f"{command} reached symbol limit ({service}={limit}, DISCARDED={discarded})"
