"""A service that is told to end more than once ends what it started all the same."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.redis.testing import wait_until
from system.algo_trader.cli.serve import SIMULATED_PIPELINE
from system.algo_trader.testing.command_line import CommandLine
from system.algo_trader.testing.running_service import RunningService, running_service

ENDING_S = 120.0
_EVERY_S = 0.1


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    CommandLine(tmp_path).run("--sim", "services", "stop", *SIMULATED_PIPELINE)


def is_listening(service: RunningService) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", service.port), 1.0):
        return True
    return False


def states(home: Path) -> dict[str, Any]:
    """Return what runs, by name."""
    told = CommandLine(home).run("--sim", "services", "status", "--json").json()
    return {row["name"]: row["state"] for row in told}


def test_further_signals_do_not_break_off_the_ending(home: Path) -> None:
    further = itertools.cycle([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    with running_service(home, seeded=False, options=["--with-pipeline"]) as service:
        door, process = service.realm.root / "serve.json", service.process
        running = states(home)
        assert all(running[name] == "running" for name in SIMULATED_PIPELINE), running
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(service))
        deadline = time.monotonic() + ENDING_S
        while door.exists() and process.poll() is None:
            assert time.monotonic() < deadline
            process.send_signal(next(further))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_EVERY_S)
        assert not door.exists()
        process.wait(ENDING_S)
        left = states(home)
        assert "running" not in left.values(), left
