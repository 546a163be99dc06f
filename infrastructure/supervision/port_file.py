"""The port at which a server was last, so that it comes back to where its clients look for it."""

from __future__ import annotations

import socket
from pathlib import Path

from infrastructure.supervision.files import read_json, write_json


def port_of_before(path: Path, host: str = "127.0.0.1") -> int:
    """Return the port that is remembered, if it is free; else 0.

    Args:
        path: The file that remembers it.
        host: The address to listen on.
    """
    port = (read_json(path) or {}).get("port")
    if not isinstance(port, int):
        return 0
    try:
        with socket.create_server((host, port)):
            return port
    except (OSError, OverflowError):
        return 0


def remember_port(path: Path, port: int) -> None:
    """Remember where a server listens.

    Raises:
        OperatorError: If the file cannot be written.
    """
    write_json(path, {"port": port})
