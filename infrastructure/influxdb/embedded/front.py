"""One port for both protocols: HTTP/1.1 is answered here, HTTP/2 (gRPC) is piped to Flight."""

from __future__ import annotations

import socket
import threading
import zlib
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from infrastructure.errors import InputError, StackError
from infrastructure.influxdb.embedded.messages import (
    BodyTooLarge,
    Request,
    Response,
    as_json,
    failure,
)
from infrastructure.influxdb.embedded.routes import Routes
from infrastructure.logging import get_logger

BODY_LIMIT_BYTES = 10 * 1024 * 1024

_PREFACE = b"PRI"  # the first bytes of HTTP/2's connection preface, RFC 9113 section 3.4
_PIPE_BYTES = 256 * 1024
_DRAIN_BYTES = 64 * 1024 * 1024
_IDLE_S = 600.0
_log = get_logger(__name__)


class Front(ThreadingTCPServer):
    """Listen on the one port.

    Args:
        address: Host and port; port 0 takes a free one.
        routes: Answers HTTP requests.
        flight_port: Loopback port of the Flight server.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], routes: Routes, flight_port: int) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Connection)
        self.routes = routes
        self.flight_port = flight_port
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection and remember it while it is open."""
        with self._open_lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)

    def hang_up(self) -> None:
        """End the connections that are still open, also those that wait for a next request."""
        with self._open_lock:
            for connection in self._open:
                _hang_up(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what a connection's thread did not catch: mostly callers that hung up."""
        _log.debug("a connection ended with an error", exc_info=True)


class _Connection(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(message)s"

    def handle(self) -> None:
        """Look at the first bytes, then speak the protocol that they belong to."""
        if self.connection.recv(len(_PREFACE), socket.MSG_PEEK | socket.MSG_WAITALL) == _PREFACE:
            _pipe(self.connection, self.server.flight_port)
            return
        self.connection.settimeout(_IDLE_S)
        super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep requests out of the log, except for debugging."""
        _log.debug(format, *args)

    def version_string(self) -> str:
        """Return the Server header."""
        return "algo-trader-embedded"

    def _serve(self) -> None:
        target = urlsplit(self.path)
        parameters = dict(parse_qsl(target.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = self._body(headers)
            request = Request(self.command, target.path, parameters, headers, body)
            response = self.server.routes.answer(request)
        except StackError as error:
            self.close_connection = True
            response = failure(target.path, error)
        except OSError:
            raise
        except Exception as error:
            _log.exception("a request failed in a way that nobody foresaw")
            text = f"internal error: {type(error).__name__}"
            response = as_json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": text})
        self._send(response)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = _serve  # noqa: N815

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        headers = {**self.server.routes.usual_headers(), **response.headers}
        if response.content_type is not None:
            headers["Content-Type"] = response.content_type
        if response.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(response.body))
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "identity").lower() == "chunked":
            data = self._chunks()
        else:
            data = self._sized(headers.get("content-length", "0"))
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding == "gzip":
            return _unzipped(data)
        if encoding != "identity":
            raise InputError(f"unsupported content-encoding: {encoding}")
        return data

    def _sized(self, length_text: str) -> bytes:
        if not (length_text.isascii() and length_text.isdigit()):
            raise InputError(f"invalid content-length: {length_text}")
        length = int(length_text)
        if length > BODY_LIMIT_BYTES:
            for _ in range(0, min(length, _DRAIN_BYTES), _PIPE_BYTES):
                self.rfile.read(min(_PIPE_BYTES, length))
                length -= _PIPE_BYTES
            raise _too_large()
        data = self.rfile.read(length)
        if len(data) < length:
            raise InputError("the body ended early")
        return data

    def _chunks(self) -> bytes:
        data = bytearray()
        while True:
            size_text = self.rfile.readline(32).partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise InputError("the body has a malformed chunk") from None
            if size == 0:
                while self.rfile.readline(1024).strip():
                    continue
                return bytes(data)
            if size < 0 or len(data) + size > BODY_LIMIT_BYTES:
                raise _too_large()
            data += self.rfile.read(size)
            self.rfile.readline(8)


def _unzipped(data: bytes) -> bytes:
    plain = bytearray()
    while data:
        unzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            plain += unzip.decompress(data, BODY_LIMIT_BYTES + 1 - len(plain))
        except zlib.error as error:
            raise InputError(f"the body is no gzip: {error}") from None
        if len(plain) > BODY_LIMIT_BYTES:
            raise _too_large()
        if not unzip.eof:
            raise InputError("the gzip body ended early")
        data = unzip.unused_data
    return bytes(plain)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"request too large: the limit is {BODY_LIMIT_BYTES} bytes")


def _pipe(caller: socket.socket, port: int) -> None:
    """Copy bytes both ways between a caller and the Flight server until both are done."""
    with socket.create_connection(("127.0.0.1", port)) as inner:
        for end in (caller, inner):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_copy, args=(inner, caller), daemon=True)
        back.start()
        _copy(caller, inner)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    buffer = bytearray(_PIPE_BYTES)
    view = memoryview(buffer)
    try:
        while count := source.recv_into(buffer):
            target.sendall(view[:count])
        target.shutdown(socket.SHUT_WR)
    except OSError as error:
        _log.debug("a piped connection ended: %s", error)
        for end in (source, target):
            _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        _log.debug("a connection was gone already: %s", error)
