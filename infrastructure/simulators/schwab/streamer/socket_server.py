"""The WebSocket server of a streamer, in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from http import HTTPStatus
from typing import Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from infrastructure.clock import rfc3339
from infrastructure.logging import get_logger
from infrastructure.simulators.schwab.streamer.session import ABRUPT, Session
from infrastructure.simulators.schwab.streamer.streamer import HALF_OPEN, Streamer

PATH: Final = "/ws"
SIMULATED_HEADER: Final = "X-Simulated"
SIMULATED_TIME_HEADER: Final = "X-Simulated-Time"

_PUMP_S: Final = 0.005
_START_S: Final = 10.0
_LARGEST_COMMAND: Final = 1 << 20
_LINGER_S: Final = 1.0
_log = get_logger("simulators.schwab.streamer")


class SocketServer:
    """Serve one streamer on a loopback port until closed.

    Args:
        streamer: What answers.
        host: The address to listen on.
        port: The port, 0 for a free one.
        context: For TLS; plain when None.
    """

    def __init__(
        self, streamer: Streamer, host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        self._streamer = streamer
        self._host = host
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True, name="schwab-streamer")
        self._started = threading.Event()
        self._ended = asyncio.Event()
        self._error: OSError | None = None
        self._wakes: dict[Session, asyncio.Event] = {}
        self._connections: dict[Session, ServerConnection] = {}
        self.port = port

    @property
    def url(self) -> str:
        """Return the address that userPreference tells."""
        scheme = "ws" if self._context is None else "wss"
        return f"{scheme}://{self._host}:{self.port}{PATH}"

    def start(self) -> None:
        """Listen and serve from now on.

        Raises:
            OSError: If the port cannot be bound.
        """
        self._thread.start()
        if not self._started.wait(_START_S):
            raise OSError(f"the streamer did not start within {_START_S:g} s")
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_START_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._error = error
        finally:
            self._started.set()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        server = await serve(
            self._converse,
            self._host,
            self.port,
            ssl=self._context,
            process_request=self._check,
            process_response=self._mark,
            compression="deflate" if self._streamer.rules.compress else None,
            max_size=_LARGEST_COMMAND,
            ping_interval=None,
            close_timeout=_LINGER_S,
            server_header="schwab-simulator",
        )
        self.port = next(iter(server.sockets)).getsockname()[1]
        self._started.set()
        pumping = asyncio.create_task(self._pump())
        await self._ended.wait()
        pumping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pumping
        await self._shut(server)

    async def _shut(self, server: Server) -> None:
        server.close(close_connections=False)
        for connection in list(self._connections.values()):
            connection.transport.abort()
        await server.wait_closed()

    async def _pump(self) -> None:
        while True:
            try:
                goes_on = self._streamer.pump()
            except Exception:
                # A server shows its own bug in its log and goes on beating.
                _log.exception("the simulated streamer failed to advance")
                goes_on = False
            for session, wake in list(self._wakes.items()):
                if session.cut == HALF_OPEN and session.closing is None:
                    self._connections[session].transport.pause_reading()
                if session.outbox or session.closing is not None:
                    wake.set()
            await asyncio.sleep(0 if goes_on else _PUMP_S)

    async def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        refusal = self._streamer.faults.next_connect()
        if refusal == "tcp":
            connection.transport.abort()
        if refusal is not None:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "refused by a fault\n")
        if request.path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"the streamer is at {PATH}\n")
        return None

    async def _mark(self, _: ServerConnection, __: Request, response: Response) -> None:
        response.headers[SIMULATED_HEADER] = "synthetic"
        response.headers[SIMULATED_TIME_HEADER] = rfc3339(self._streamer.time.now_ns)

    async def _converse(self, connection: ServerConnection) -> None:
        session = self._streamer.connect()
        wake = self._wakes[session] = asyncio.Event()
        self._connections[session] = connection
        sending = asyncio.create_task(self._send(connection, session, wake))
        try:
            async for message in connection:
                self._streamer.receive(session, message)
                wake.set()
        except ConnectionClosed:
            pass
        finally:
            self._streamer.disconnected(session)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sending
            del self._wakes[session], self._connections[session]

    async def _send(
        self, connection: ServerConnection, session: Session, wake: asyncio.Event
    ) -> None:
        while True:
            await wake.wait()
            wake.clear()
            for outgoing in self._streamer.take(session):
                await connection.send(outgoing.text or "", text=True)
            if session.closing is None:
                continue
            if session.cut == HALF_OPEN:
                connection.transport.abort()
            elif session.closing == ABRUPT:
                # What was written before still arrives; no close frame follows it.
                connection.transport.close()
            else:
                await connection.close(session.closing)
            return
