"""The frames that come down the stream: replies, heartbeats, data."""

from __future__ import annotations

from typing import Any

import msgspec


class ReplyContent(msgspec.Struct, frozen=True):
    """The outcome of a command."""

    code: int
    msg: str = ""


class Reply(msgspec.Struct, frozen=True):
    """The answer to one command.

    Attributes:
        service: The service's name.
        command: The command that is answered.
        content: Its outcome.
        requestid: Our number of the command, as text or as a number.
        timestamp: Milliseconds UTC.
    """

    service: str
    command: str
    content: ReplyContent
    requestid: str | int = ""
    timestamp: int = 0


class Data(msgspec.Struct, frozen=True):
    """Updates of one service.

    Attributes:
        service: The service's name.
        content: One object an update: `key`, and values by field number as text.
        timestamp: When the server sent it, milliseconds UTC.
        command: The command that the data belong to.
    """

    service: str
    content: list[dict[str, Any]]
    timestamp: int = 0
    command: str = ""


class Frame(msgspec.Struct, frozen=True):
    """One whole frame; at most one of the three is there."""

    response: list[Reply] = []
    notify: list[dict[str, Any]] = []
    data: list[Data] = []


_DECODER = msgspec.json.Decoder(Frame)


def decode_frame(payload: bytes | memoryview) -> Frame:
    """Return the frame of a text message.

    Raises:
        ValueError: If it is no JSON or no frame; Schwab sends such ones on rare occasions.
    """
    try:
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
