"""What a long-running process shows on this machine: its health, and its figures for Prometheus."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from infrastructure.errors import PortTaken
from infrastructure.logging import get_logger
from system.algo_trader.processes.health import HealthCheck, State

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

HOST: Final = "127.0.0.1"
_NAMES: Final = (HOST, "localhost")
_log = get_logger("processes.face")


class Face:
    """Answer GET /health and GET /metrics on the loopback interface.

    Args:
        health: Tells how the process is.
        collectors: Give its figures when they are asked for.
        port: Where; 0 for any free one.
        facts: Labels of `algo_trader_info`: what the process is.

    Raises:
        PortTaken: If another process listens there.
    """

    def __init__(
        self,
        health: HealthCheck,
        collectors: Sequence[Collector] = (),
        *,
        port: int = 0,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        from prometheus_client import CollectorRegistry, Info, ProcessCollector

        self._health = health
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Info("algo_trader", "What this process is.", registry=self._registry).info(
            dict(facts or {})
        )
        for collector in collectors:
            self._registry.register(collector)
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise PortTaken(
                f"port {port} of {HOST} cannot be taken for metrics: {error.strerror}",
                next_step="Name another by --metrics-port, or 0 for any free one.",
            ) from error
        self._server.face = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="face", daemon=True)

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    @contextmanager
    def shown(self) -> Iterator[Face]:
        """Answer for the length of a block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path == "/health":
            health = self._health()
            body = json.dumps(health.as_dict()).encode()
            return (503 if health.state is State.DOWN else 200), "application/json", body
        if path == "/metrics":
            from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

            return 200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
        return 404, "text/plain", b"/health and /metrics are here\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    face: Face


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in _NAMES:
            # A page of another site that calls this one by a name of its own.
            self._send(421, "text/plain", b"this is a service of this machine\n")
            return
        self._send(*self.server.face.answer(self.path.partition("?")[0]))

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
