"""Granian in this process's event loop, from the first connection to the last."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infrastructure.errors import ConfigError, PortTaken
from infrastructure.logging import get_logger

READY_S: Final = 10.0
_HEADER_MS: Final = 10_000
_HEAD_BYTES: Final = 64 * 1024
"""What the head of a request may have; beyond it the server answers 431."""
_BACKLOG: Final = 4096
_AT_ONCE: Final = 16_384
_STOP_S: Final = 5
_log = get_logger("api.server")


@dataclass(frozen=True, slots=True)
class Listening:
    """Say where a service listens.

    Attributes:
        host: Its address.
        port: Its port.
        certificate: PEM file; None for plain HTTP.
        key: PEM file of the certificate's key.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def url(self) -> str:
        """Return where a client on this machine finds it."""
        return f"{'http' if self.certificate is None else 'https'}://{self._shown}:{self.port}"

    def flight_url(self, port: int) -> str | None:
        """Return where a client on this machine finds Flight; None for port 0."""
        scheme = "grpc" if self.certificate is None else "grpc+tls"
        return f"{scheme}://{self._shown}:{port}" if port else None

    @property
    def files(self) -> tuple[Path, Path] | None:
        """Return certificate and key; None for plain HTTP."""
        if self.certificate is None or self.key is None:
            return None
        return self.certificate, self.key

    @property
    def _shown(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        return f"[{host}]" if ":" in host else host

    def check(self) -> None:
        """Refuse what cannot be listened at.

        Raises:
            PortTaken: If another program listens there.
            ConfigError: If the address is none of this machine's, or a file is missing.
        """
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise ConfigError(f"there is no file {str(path)!r}")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("TLS takes a certificate and its key", next_step="Give both files.")
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except PermissionError:
                raise ConfigError(
                    f"port {self.port} needs more rights than this user has"
                ) from None
            except OSError as error:
                if error.errno in _TAKEN:
                    raise PortTaken(
                        f"another program listens at {self.host}:{self.port}",
                        next_step="Choose another one with --port.",
                    ) from None
                raise ConfigError(
                    f"{self.host}:{self.port} cannot be listened at: {error.strerror or error}"
                ) from None


_TAKEN: Final = frozenset({48, 98})
"""EADDRINUSE of macOS and of Linux."""


def raise_descriptor_limit() -> int:
    """Let this process hold as many sockets as its hard limit allows; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if wanted > soft:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def serve(
    app: Any,
    listening: Listening,
    *,
    ready: Callable[[], None] = lambda: None,
    beside: Awaitable[None] | None = None,
    ending: asyncio.Event | None = None,
) -> None:
    """Serve an application until SIGINT or SIGTERM.

    Args:
        app: An ASGI application.
        listening: Where.
        ready: Called once connections are answered.
        beside: Runs as long as the server; the server ends with it, if it fails.
        ending: Ends the server when it is set.

    Raises:
        StackError: As `Listening.check`.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    listening.check()
    raise_descriptor_limit()
    server = Server(
        app,
        address=listening.host,
        port=listening.port,
        interface=Interfaces.ASGINL,
        # HTTP/2 brings its own ways to exhaust a server, past the limits set here.
        http=HTTPModes.http1,
        backlog=_BACKLOG,
        backpressure=_AT_ONCE,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MS, max_buffer_size=_HEAD_BYTES),
        log_enabled=False,
        ssl_cert=listening.certificate,
        ssl_key=listening.key,
    )
    server.workers_kill_timeout = _STOP_S
    loop, over = asyncio.get_running_loop(), ending or asyncio.Event()
    handled = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        with contextlib.suppress(ValueError, RuntimeError):
            loop.add_signal_handler(number, over.set)
            handled[number] = before
    serving = asyncio.ensure_future(server.serve())
    tasks: set[asyncio.Future[Any]] = {serving, asyncio.ensure_future(over.wait())}
    if beside is not None:
        tasks.add(asyncio.ensure_future(beside))
    try:
        await _answers(listening, serving)
        ready()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        for task in tasks - {serving}:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(serving), 2 * _STOP_S)
        for number, before in handled.items():
            # It leaves the system's default, by which a further signal would end us on the spot.
            loop.remove_signal_handler(number)
            if before is not None:
                signal.signal(number, before)


async def _answers(listening: Listening, serving: asyncio.Future[Any]) -> None:
    """Wait until somebody takes connections."""
    host = "127.0.0.1" if listening.host in ("0.0.0.0", "") else listening.host
    deadline = asyncio.get_running_loop().time() + READY_S
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, listening.port)
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError(f"nothing answers at {listening.url}") from None
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
