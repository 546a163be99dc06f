"""A real Valkey on a port that stays the same, which tests kill and start again."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.errors import StackError
from infrastructure.redis.embedded import configuration, server_program


class Valkey:
    """Run a server whose data are on disk.

    Args:
        folder: Where its files go; made here.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "data").mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._file = folder / "valkey.conf"
        text = configuration(folder, socket_path=None, port=self.port, password="secret")
        self._file.write_text(text)
        self.url = f"redis://:secret@127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            [server_program(), self._file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        with BaseRedisClient(self.url, "probe", timeout_s=1.0) as client:
            try:
                return client.ping()
            except StackError:
                return False


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
