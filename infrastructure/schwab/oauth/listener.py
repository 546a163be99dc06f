"""Catch the redirect of a sign-in on a TLS loopback listener with a self-signed certificate.

The browser warns about the certificate once; it is made for this one sign-in, its key never
leaves this process's memory except for a private temporary file that is gone before listening.
"""

from __future__ import annotations

import http.server
import ipaddress
import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infrastructure.clock import Clock, SystemClock, utc_from_ns
from infrastructure.config import Secret
from infrastructure.errors import ConfigError, PortTaken, SignInFailed
from infrastructure.logging import get_logger
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.authorization import (
    SIGN_IN_AGAIN,
    query_parameters,
    same_endpoint,
)

CERTIFICATE_DAYS = 1
CONNECTION_TIMEOUT_S = 10.0
LONGEST_REQUEST_LINE = 8192
_log = get_logger("schwab.listener")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<body style="font-family:system-ui;max-width:34em;margin:4em auto"><h1>{title}</h1><p>{text}</p>
"""


class RedirectListener:
    """Listen at the registered callback until the browser comes back with our state.

    Args:
        application: Its callback must be a loopback address with a port.
        state: The waiting sign-in's state; a request with another one is turned away.
        clock: Dates the certificate.

    Raises:
        ConfigError: If the callback names no loopback port.
        PortTaken: If another program listens there.
    """

    def __init__(
        self, application: SchwabApplication, state: str, *, clock: Clock | None = None
    ) -> None:
        address = application.listen_address
        if address is None:
            raise ConfigError(
                f"The callback {application.callback_url} names no port on this machine, so its "
                "redirect cannot be caught",
                next_step="Paste the redirect URL instead, or register a callback such as "
                "https://127.0.0.1:8182.",
            )
        self._callback_url = application.callback_url
        self._state = state
        self._received: Secret | None = None
        self._arrived = threading.Event()
        context = self_signed_context(address[0], clock if clock is not None else SystemClock())
        try:
            self._server = _TlsServer(address, context, self._judge, self._answered)
        except OSError as error:
            raise PortTaken(
                f"Port {address[1]} of the callback {self._callback_url} is not free: "
                f"{error.strerror}",
                next_step="End the program that listens there, or sign in without --listen.",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="redirect-listener",
            daemon=True,
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self, timeout_s: float) -> Secret:
        """Return the redirect URL once the browser has brought it.

        Args:
            timeout_s: Longest wait, seconds.

        Raises:
            SignInFailed: If nobody came in that time.
        """
        if not self._arrived.wait(timeout_s) or self._received is None:
            raise SignInFailed(
                f"No redirect arrived at {self._callback_url} within {timeout_s:.0f} s",
                next_step=f"{SIGN_IN_AGAIN} Without --listen the URL can be pasted.",
            )
        return self._received

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _judge(self, target: str) -> tuple[int, str, str]:
        """Return status, title and text for a request; remember the redirect if it is ours."""
        authority = self._callback_url.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0]
        url = f"https://{authority}{target}"
        try:
            ours = same_endpoint(url, self._callback_url)
            parameters = query_parameters(target.partition("?")[2])
        except ValueError:
            return 400, "Not understood", "This address cannot be read."
        if not ours:
            return 404, "Not found", "Nothing is here."
        if not parameters.keys() & {"code", "error"}:
            return 400, "Not a sign-in", "This address carries no sign-in."
        # Schwab may leave the state out of a refusal; to end the sign-in on it harms nobody.
        stateless_refusal = "error" in parameters and "state" not in parameters
        if parameters.get("state") != self._state and not stateless_refusal:
            _log.warning("turned away a redirect whose state belongs to no waiting sign-in")
            return 400, "Another sign-in", "This redirect does not belong to the waiting sign-in."
        if self._received is None:
            self._received = Secret(url)
        return 200, "Back to the terminal", "The sign-in goes on there. You can close this page."

    def _answered(self) -> None:
        """Wake the waiting sign-in, now that the browser has its page."""
        if self._received is not None:
            self._arrived.set()


class _TlsServer(socketserver.ThreadingTCPServer):
    """Serve each connection in a thread of its own; the TLS handshake happens there too.

    No `HTTPServer`: that asks the name service for the address's name when it binds.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        judge: Callable[[str], tuple[int, str, str]],
        answered: Callable[[], None],
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.context = context
        self.judge = judge
        self.answered = answered
        super().__init__(address, _RedirectHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Wrap the connection in TLS, then handle it; a client that breaks off is no event."""
        request.settimeout(CONNECTION_TIMEOUT_S)
        try:
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                _RedirectHandler(wrapped, client_address, self)
        except OSError as error:
            _log.debug("a connection broke off: %s", error.strerror or type(error).__name__)
        finally:
            self.answered()


class _RedirectHandler(http.server.BaseHTTPRequestHandler):
    server: _TlsServer
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        """Answer a browser."""
        if len(self.path) > LONGEST_REQUEST_LINE:
            self.send_error(414)
            return
        status, title, text = self.server.judge(self.path)
        body = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the request line carries the code."""


def self_signed_context(host: str, clock: Clock) -> ssl.SSLContext:
    """Return a server context with a new self-signed certificate for a loopback host.

    Args:
        host: A loopback address, or a name.
        clock: Dates the certificate, valid for one day.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = utc_from_ns(clock.now_ns())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="redirect-") as folder:
        chain = Path(folder, "chain.pem")
        chain.touch(mode=0o600)
        chain.write_bytes(pem)
        context.load_cert_chain(chain)
    return context


def _alternative_name(host: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
