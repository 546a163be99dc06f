"""One WebSocket connection: whole text messages in, text out, dead peers noticed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from infrastructure.errors import NetworkError

LARGEST_MESSAGE = 32 * 1024 * 1024
"""Bytes; a full frame of 500 option keys has about half a megabyte."""

OnMessage = Callable[[memoryview | bytes], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one connection may take and be silent.

    Attributes:
        connect_s: Until the handshake is through.
        idle_s: Silence after which the peer is pinged.
        pong_s: How long its answer may take; then the connection counts as dead.
    """

    connect_s: float = 5.0
    idle_s: float = 3.0
    pong_s: float = 3.0


class StreamSocket:
    """Hold an open connection.

    Make one with `open_socket`.
    """

    def __init__(self, listener: _Listener, transport: WSTransport) -> None:
        self._listener = listener
        self._transport = transport

    def send(self, text: bytes) -> None:
        """Send one text message.

        Raises:
            NetworkError: If the connection has ended.
        """
        if self._transport.is_disconnected:
            raise NetworkError("The stream's connection has ended")
        self._transport.send(WSMsgType.TEXT, text)

    async def closed(self) -> str:
        """Wait for the connection's end and return how it ended."""
        await self._transport.wait_disconnected()
        return self._listener.ending

    def close(self) -> None:
        """Close in good order."""
        if not self._transport.is_disconnected:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.disconnect(graceful=False)


class _Listener(WSListener):
    def __init__(self, on_message: OnMessage) -> None:
        super().__init__()
        self._on_message = on_message
        self._parts: list[bytes] = []
        self.ending = "the connection was lost"

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            if frame.fin and not self._parts:
                self._on_message(frame.get_payload_as_memoryview())
                return
            self._parts.append(frame.get_payload_as_bytes())
            if sum(map(len, self._parts)) > LARGEST_MESSAGE:
                self.ending = f"a message passed {LARGEST_MESSAGE} bytes"
                transport.disconnect(graceful=False)
            elif frame.fin:
                message = b"".join(self._parts)
                self._parts.clear()
                self._on_message(message)
        elif kind is WSMsgType.CLOSE:
            code = frame.get_close_code()
            self.ending = (
                f"the server closed the connection with code {getattr(code, 'value', code)}"
            )
            transport.disconnect()


async def open_socket(
    url: str,
    on_message: OnMessage,
    *,
    patience: Patience,
    ssl_context: ssl.SSLContext | None = None,
) -> StreamSocket:
    """Connect.

    Args:
        url: `wss://...`, or `ws://...` for a local server.
        on_message: Called in the event loop with each text message; a memoryview is valid only
            until it returns.
        patience: How long it may take and be silent.
        ssl_context: Whom to trust; the system's certificates when None.

    Raises:
        NetworkError: If no connection comes about.
    """
    listener = _Listener(on_message)
    try:
        async with asyncio.timeout(patience.connect_s):
            transport, _ = await ws_connect(
                lambda: listener,
                url,
                ssl_context=ssl_context,
                websocket_handshake_timeout=patience.connect_s,
                enable_auto_ping=True,
                auto_ping_idle_timeout=patience.idle_s,
                auto_ping_reply_timeout=patience.pong_s,
                max_frame_size=LARGEST_MESSAGE,
                max_redirects=0,
            )
    except TimeoutError as error:
        raise NetworkError(
            f"The streamer {host_of(url)} did not answer within {patience.connect_s:g} s"
        ) from error
    except (OSError, WSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NetworkError(
            f"No connection to the streamer {host_of(url)}: {reason}",
            next_step="Check the network.",
        ) from error
    return StreamSocket(listener, transport)


def host_of(url: str) -> str:
    """Return the host and port of a URL, for sentences."""
    return urlsplit(url).netloc
