"""Put the parts of the embedded server together, start them and stop them."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

from infrastructure.config import Secret
from infrastructure.errors import OperatorError, PortTaken
from infrastructure.influxdb.embedded.access import Access
from infrastructure.influxdb.embedded.flight import FlightService
from infrastructure.influxdb.embedded.front import Front
from infrastructure.influxdb.embedded.identity import Identity, ownership_key
from infrastructure.influxdb.embedded.limits import Limits
from infrastructure.influxdb.embedded.query import QueryEngine
from infrastructure.influxdb.embedded.routes import Routes
from infrastructure.influxdb.embedded.store import Store


class EmbeddedInfluxDB:
    """A running server.

    Args:
        folder: The data folder; made if missing.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        token: The token that callers must show; None lets everyone in.
        limits: What the store takes.

    Raises:
        StoreLocked: If another process has the folder open.
        StoreNewer: If a newer version wrote it.
        CorruptStore: If it does not match its checksums.
        PortTaken: If another program listens on the port.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: Secret | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._store = Store(folder, limits=limits)
        try:
            self.identity = Identity(ownership_key(folder))
            access = Access(token)
            engine = QueryEngine(self._store)
            self._flight = FlightService(self._store, engine, access)
            routes = Routes(self._store, engine, access, self.identity)
            try:
                self._front = Front((host, port), routes, self._flight.port)
            except OSError as error:
                self._flight.shutdown()
                raise _no_port(error, host, port) from error
        except BaseException:
            self._store.close()
            raise
        shown = f"[{host}]" if ":" in host else host
        self.port: int = self._front.server_address[1]
        self.url = f"http://{shown}:{self.port}"
        self._thread = threading.Thread(target=self._front.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, move all rows into parts and release the folder."""
        self._front.shutdown()
        self._front.server_close()
        self._thread.join()
        self._store.close()
        self._front.hang_up()
        self._flight.shutdown()

    def __enter__(self) -> EmbeddedInfluxDB:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _no_port(error: OSError, host: str, port: int) -> OperatorError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"another program listens on {host}:{port}",
            next_step="Stop it, or name another port (0 takes a free one).",
        )
    return OperatorError(f"cannot listen on {host}:{port}: {error.strerror or error}")
