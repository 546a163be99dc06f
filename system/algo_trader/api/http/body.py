"""The body of a request: read whole before anything is done, bounded in size and time."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from system.algo_trader.api.http.sending import Message, Receive, Scope, header
from system.algo_trader.api.operations.problem import Problem

BODY_BYTES: Final = 64 * 1024
MCP_BODY_BYTES: Final = 1024 * 1024
BODY_S: Final = 10.0


async def whole_body(scope: Scope, receive: Receive) -> Receive:
    """Read a body, bounded in size and time, and return what gives it out.

    Raises:
        Problem: 413 or 408.
    """
    most = MCP_BODY_BYTES if scope["path"].startswith("/mcp") else BODY_BYTES
    told = header(scope, b"content-length")
    if told is not None and (not re.fullmatch(r"[0-9]{1,18}", told) or int(told) > most):
        raise Problem(413, f"a body has at most {most} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "the body did not come to its end")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise Problem(413, f"a body has at most {most} bytes")
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Problem(408, f"the body did not come within {BODY_S:g} s") from None
    body: Message = {"type": "http.request", "body": b"".join(parts), "more_body": False}
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return body

    return again
