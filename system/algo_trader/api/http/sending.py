"""Send whole answers over ASGI, without the detour of a response object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

import msgspec

from system.algo_trader.api.operations.problem import MEDIA_TYPE, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON: Final = b"application/json"
_HEADERS: Final = "algo_trader.headers"
_IS_PLAIN: Final = "algo_trader.headers_are_plain"
_encode = msgspec.json.Encoder().encode


async def send_bytes(
    send: Send, status: int, content: bytes, media_type: bytes, headers: Iterable[Header] = ()
) -> None:
    """Send an answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", b"%d" % len(content)),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": content})


async def send_json(send: Send, status: int, document: Any, headers: Iterable[Header] = ()) -> None:
    """Send plain values."""
    await send_bytes(send, status, _encode(document), JSON, headers)


async def send_problem(send: Send, problem: Problem, headers: Iterable[Header] = ()) -> None:
    """Send what is wrong with a request."""
    found = list(headers)
    if problem.retry_after_s is not None:
        found.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.status == 401:
        found.append((b"www-authenticate", b'Bearer realm="algo-trader"'))
    content = _encode(problem.as_dict())
    await send_bytes(send, problem.status, content, MEDIA_TYPE.encode(), found)


def header(scope: Scope, name: bytes) -> str | None:
    """Return a header's text, None without it.

    Raises:
        Problem: 400, if it is there more than once.
    """
    found = scope.get(_HEADERS)
    if found is None:
        # One pass for all names: a request is asked for six of them at least.
        found = dict(scope["headers"])
        scope[_HEADERS] = found
        scope[_IS_PLAIN] = len(found) == len(scope["headers"])
    if not scope[_IS_PLAIN]:
        times = sum(key == name for key, _ in scope["headers"])
        if times > 1:
            said = name.decode()
            raise Problem(400, f"the header {said} is there {times} times", said, "once")
    value: bytes | None = found.get(name)
    return None if value is None else value.decode("latin-1")
