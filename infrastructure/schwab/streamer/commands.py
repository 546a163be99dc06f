"""The commands that go up the stream, as JSON text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from infrastructure.config import Secret

ADMIN = "ADMIN"


class Command(StrEnum):
    """What a request may ask."""

    LOGIN = "LOGIN"
    LOGOUT = "LOGOUT"
    SUBS = "SUBS"
    ADD = "ADD"
    UNSUBS = "UNSUBS"
    VIEW = "VIEW"


@dataclass(frozen=True, slots=True)
class StreamerInfo:
    """Where the stream is and who asks, out of `GET /userPreference`.

    Attributes:
        url: The socket's address, `wss://...`.
        customer_id: Schwab's id of the client, personal.
        correl_id: Schwab's id of this client's session, personal.
        channel: The client's channel code.
        function_id: The client's function code.
    """

    url: str
    customer_id: str
    correl_id: str
    channel: str
    function_id: str

    def __repr__(self) -> str:
        return f"StreamerInfo({self.url!r}, ...)"


@dataclass(frozen=True, slots=True)
class Request:
    """One command on its way.

    Attributes:
        request_id: Our number of it on this connection.
        service: The service's name, or ADMIN.
        command: What is asked.
        keys: Keys that it names.
        fields: Field numbers that it names.
    """

    request_id: int
    service: str
    command: Command
    keys: tuple[str, ...] = ()
    fields: tuple[int, ...] = ()


def encode_requests(requests: Iterable[Request], info: StreamerInfo) -> bytes:
    """Return one frame with these commands."""
    bodies = [_body(request, info, _parameters(request)) for request in requests]
    return msgspec.json.encode({"requests": bodies})


def encode_login(request: Request, info: StreamerInfo, access_token: Secret) -> bytes:
    """Return the frame that signs the connection in; it holds the token and is never logged."""
    parameters = {
        "Authorization": access_token.reveal(),
        "SchwabClientChannel": info.channel,
        "SchwabClientFunctionId": info.function_id,
    }
    return msgspec.json.encode({"requests": [_body(request, info, parameters)]})


def _body(request: Request, info: StreamerInfo, parameters: dict[str, str]) -> dict[str, Any]:
    return {
        "requestid": str(request.request_id),
        "service": request.service,
        "command": request.command.value,
        "SchwabClientCustomerId": info.customer_id,
        "SchwabClientCorrelId": info.correl_id,
        "parameters": parameters,
    }


def _parameters(request: Request) -> dict[str, str]:
    parameters = {}
    if request.keys and request.command is not Command.VIEW:
        parameters["keys"] = ",".join(request.keys)
    if request.fields and request.command is not Command.UNSUBS:
        parameters["fields"] = joined(request.fields)
    return parameters


def joined(numbers: Sequence[int]) -> str:
    """Return field numbers as the wire has them: `0,1,2`."""
    return ",".join(map(str, numbers))
