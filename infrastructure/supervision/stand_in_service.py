"""A service of a few lines for the tests of supervision: it says its pid to whoever connects.

Run as `python -m infrastructure.supervision.stand_in_service --endpoint-file FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.errors import CorruptStore, StackError
from infrastructure.supervision.announcement import announce, announce_failure
from infrastructure.supervision.endpoint import Endpoint
from infrastructure.supervision.spec import ENDPOINT_FILE, ServiceSpec, module_command


def stand_in_spec(folder: Path, *flags: str, ready_timeout_s: float = 10.0) -> ServiceSpec:
    """Return the spec of a stand-in whose folder is given; flags as in `main`."""
    argv, env = module_command(
        "infrastructure.supervision.stand_in_service", "--endpoint-file", ENDPOINT_FILE, *flags
    )
    return ServiceSpec(
        name="standin",
        argv=argv,
        env=env,
        directory=folder,
        probe=says_its_pid,
        ready_timeout_s=ready_timeout_s,
        stop_grace_s=2.0,
    )


def explained_spec(folder: Path, *flags: str) -> ServiceSpec:
    """Return the same with a reading of its log."""
    return replace(stand_in_spec(folder, *flags), explain=explain)


def explain(last_lines: str) -> StackError | None:
    """Read "rotten" in the log as a corrupt store."""
    return CorruptStore("the stand-in's store is rotten") if "rotten" in last_lines else None


def says_its_pid(endpoint: Endpoint) -> bool:
    """Whether the process of an endpoint answers there itself."""
    port = urlsplit(endpoint.url).port
    try:
        with socket.create_connection(("127.0.0.1", port or 0), timeout=1.0) as connection:
            return connection.recv(32) == str(endpoint.pid).encode()
    except OSError:
        return False


def main() -> int:
    """Serve, or fail in the way that the flags ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint-file", type=Path, required=True)
    parser.add_argument("--say", default="stand-in starts")
    parser.add_argument("--exit", type=int)
    parser.add_argument("--exit-unless", type=Path, help="exit while this file is absent")
    parser.add_argument("--refuse", action="store_true", help="announce a failure")
    parser.add_argument("--mute", action="store_true", help="never announce")
    parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--starts", type=Path, help="append the pid to this file")
    options = parser.parse_args()
    print(options.say, flush=True)
    if options.starts is not None:
        with options.starts.open("a") as file:
            file.write(f"{os.getpid()}\n")
    if options.refuse:
        announce_failure(
            options.endpoint_file, CorruptStore("page 7 is torn", next_step="Restore it.")
        )
        return 3
    if options.exit is not None:
        return int(options.exit)
    if options.exit_unless is not None and not options.exit_unless.exists():
        return 9
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0)) as server:
        if not options.mute:
            port = server.getsockname()[1]
            announce(
                options.endpoint_file,
                url=f"tcp://127.0.0.1:{port}",
                product="stand-in",
                version="1.2.3",
            )
            print(json.dumps({"port": port}), flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(str(os.getpid()).encode())


if __name__ == "__main__":
    sys.exit(main())
