"""Commands on one connection, and the replies that answer them."""

from __future__ import annotations

import asyncio

from infrastructure.config import Secret
from infrastructure.errors import NetworkError
from infrastructure.schwab.streamer.commands import (
    ADMIN,
    Command,
    Request,
    StreamerInfo,
    encode_login,
    encode_requests,
)
from infrastructure.schwab.streamer.frames import Reply
from infrastructure.schwab.streamer.socket import StreamSocket, host_of


class Conversation:
    """Number commands, send them, and bring each its reply; over one connection at a time.

    Args:
        reply_s: How long a reply may take; then the connection is dropped.
    """

    def __init__(self, reply_s: float) -> None:
        self._reply_s = reply_s
        self._socket: StreamSocket | None = None
        self._info: StreamerInfo | None = None
        self._next_id = 0
        self._awaited: dict[str, asyncio.Future[Reply]] = {}

    def begin(self, socket: StreamSocket, info: StreamerInfo) -> None:
        """Talk over this connection from now on."""
        self._socket, self._info = socket, info

    def close(self) -> None:
        """Close the connection in good order, if there is one."""
        if self._socket is not None:
            self._socket.close()

    def abort(self) -> None:
        """Drop the connection at once, if there is one; its end is seen by who waits for it."""
        if self._socket is not None:
            self._socket.abort()

    def end(self) -> None:
        """Drop the connection and tell everybody who waits for a reply that none will come."""
        self.abort()
        self._socket = None
        self.fail_awaited()

    async def ask(
        self,
        service: str,
        command: Command,
        keys: tuple[str, ...] = (),
        fields: tuple[int, ...] = (),
    ) -> Reply:
        """Send a command and return its reply.

        Raises:
            NetworkError: If no reply came, or there is no connection.
        """
        info = self._info
        if info is None:
            raise NetworkError("The stream is not connected")
        request = self._numbered(service, command, keys, fields)
        return await self._send(request, encode_requests([request], info), info)

    async def sign_in(self, token: Secret) -> Reply:
        """Send the sign-in and return its reply. Errors as `ask`."""
        info = self._info
        if info is None:
            raise NetworkError("The stream is not connected")
        request = self._numbered(ADMIN, Command.LOGIN)
        return await self._send(request, encode_login(request, info, token), info)

    def take(self, reply: Reply) -> bool:
        """Hand a reply to who waits for it, and return whether somebody did."""
        awaited = self._awaited.get(str(reply.requestid))
        if awaited is None or awaited.done():
            return False
        awaited.set_result(reply)
        return True

    def fail_awaited(self) -> None:
        """Tell everybody who waits for a reply that none will come."""
        for future in self._awaited.values():
            if not future.done():
                future.set_exception(NetworkError("The stream's connection has ended"))
                # Its waiter may be gone already; then nobody is left to tell.
                future.exception()
        self._awaited.clear()

    def _numbered(
        self,
        service: str,
        command: Command,
        keys: tuple[str, ...] = (),
        fields: tuple[int, ...] = (),
    ) -> Request:
        request = Request(self._next_id, service, command, keys, fields)
        self._next_id += 1
        return request

    async def _send(self, request: Request, text: bytes, info: StreamerInfo) -> Reply:
        socket = self._socket
        if socket is None:
            raise NetworkError("The stream is not connected")
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._awaited[str(request.request_id)] = answered
        try:
            socket.send(text)
            async with asyncio.timeout(self._reply_s):
                return await answered
        except TimeoutError as error:
            socket.abort()
            raise NetworkError(
                f"{host_of(info.url)} did not answer "
                f"{request.command} {request.service} within {self._reply_s:g} s"
            ) from error
        finally:
            self._awaited.pop(str(request.request_id), None)
