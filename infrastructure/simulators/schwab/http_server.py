"""A threaded HTTP/1.1 server with keep-alive, with or without TLS, for one application."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final

from infrastructure.simulators.schwab.faults import DroppedConnection, Faults
from infrastructure.simulators.schwab.messages import Request, Response

Answer = Callable[[Request], Response | DroppedConnection]

_BODY_LIMIT: Final = 1 << 20
_IDLE_S: Final = 120.0
_LINGER_S: Final = 5.0


class HttpServer:
    """Serve one application on a loopback port until closed.

    Args:
        answer: What answers.
        host: The address to listen on.
        port: The port, 0 for a free one.
        context: For TLS; plain HTTP when None.
        faults: Which connections are reset, and how wrong the Date header is.

    Raises:
        OSError: If the port cannot be bound.
    """

    def __init__(
        self,
        answer: Answer,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        faults: Faults | None = None,
    ) -> None:
        self._server = _Server(answer, (host, port), context, faults or Faults())
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer requests in threads of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(_LINGER_S)
        self._server.server_close()
        self._server.cut_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_port = False

    def __init__(
        self,
        answer: Answer,
        address: tuple[str, int],
        context: ssl.SSLContext | None,
        faults: Faults,
    ) -> None:
        self.answer = answer
        self.faults = faults
        self.ended = threading.Event()
        self._context = context
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own, which asks the name service for this machine's name.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "schwab-simulator", int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.faults.take_reset():
            # Lingering for zero seconds makes the close a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            raise ConnectionResetError("reset on demand")
        connection.settimeout(_IDLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # The handshake happens at the first read, in the connection's own thread.
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves, or refuses our certificate, is no news."""

    def cut_connections(self) -> None:
        self.ended.set()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            self.shutdown_request(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wbufsize = -1

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def do_PUT(self) -> None:
        self._exchange()

    def do_DELETE(self) -> None:
        self._exchange()

    def do_HEAD(self) -> None:
        self._exchange()

    def version_string(self) -> str:
        return "schwab-simulator"

    def date_time_string(self, timestamp: float | None = None) -> str:
        skew = self.server.faults.clock_skew_s
        return super().date_time_string((time.time() if timestamp is None else timestamp) + skew)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the application logs requests without their secrets."""

    def _exchange(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _BODY_LIMIT:
            self.close_connection = True
            self._send(Response(413, b"", "text/plain"))
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.answer(Request(self.command, self.path, headers, body))
        if isinstance(response, DroppedConnection):
            if response.is_half_open:
                self.server.ended.wait(_IDLE_S)
            self.close_connection = True
            return
        self._send(response)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()
