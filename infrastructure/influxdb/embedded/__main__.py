"""Run the embedded server: `python -m infrastructure.influxdb.embedded --data DIR`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

from infrastructure.errors import OperatorError, StackError
from infrastructure.influxdb.embedded.access import load_token
from infrastructure.influxdb.embedded.identity import PRODUCT, VERSION
from infrastructure.influxdb.embedded.limits import MEMORY_BYTES, Limits, StrictCore
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.logging import configure, register_secret
from infrastructure.supervision import announce_failure
from infrastructure.supervision.files import write_json
from infrastructure.supervision.port_file import port_of_before, remember_port

DEFAULT_PORT = 8181
NICENESS = 19


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit code."""
    options = _parser().parse_args(arguments)
    configure(level=options.log_level)
    with contextlib.suppress(OSError):
        # Where cores are few, what serves the market goes first: what is written here can wait.
        os.nice(NICENESS)
    sys.tracebacklimit = 0  # gRPC errors carry Python's traceback to the caller, with our paths
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        token = load_token(options.token_file)
        if token is not None:
            register_secret(token.reveal())
        with EmbeddedInfluxDB(
            options.data,
            host=options.host,
            port=options.port or port_of_before(_port_file(options.data), options.host),
            token=token,
            limits=_limits(options),
        ) as server:
            remember_port(_port_file(options.data), server.port)
            if options.endpoint_file is not None:
                _announce(options.endpoint_file, server, options.token_file)
            print(f"{PRODUCT} {VERSION} on {server.url}", flush=True)
            stop.wait()
    except StackError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        if options.endpoint_file is not None:
            with contextlib.suppress(OperatorError):
                announce_failure(options.endpoint_file, error)
        return error.exit_code
    return 0


def _port_file(data: Path) -> Path:
    return data.with_name(f"{data.name}-port.json")


def _announce(path: Path, server: EmbeddedInfluxDB, token_file: Path | None) -> None:
    endpoint = {
        "url": server.url,
        "pid": os.getpid(),
        "product": PRODUCT,
        "version": VERSION,
        "process_id": server.identity.process_id,
        "ownership_key": server.identity.ownership_key,
        "secret_file": "" if token_file is None else str(token_file.absolute()),
    }
    write_json(path, endpoint)


def _limits(options: argparse.Namespace) -> Limits:
    strict = StrictCore(options.seed) if options.strict_core else None
    return Limits(memory_bytes=options.memory_mib * 1024 * 1024, strict=strict)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infrastructure.influxdb.embedded", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one")
    parser.add_argument("--endpoint-file", type=Path, help="where to announce the URL, as JSON")
    parser.add_argument("--token-file", type=Path, help="file with the token that callers show")
    parser.add_argument(
        "--memory-mib",
        type=int,
        default=MEMORY_BYTES // 1024 // 1024,
        help="memory for rows, results and the work of queries",
    )
    parser.add_argument(
        "--strict-core",
        action="store_true",
        help="keep InfluxDB 3 Core's limits, and promise no order of overwrites either",
    )
    parser.add_argument("--seed", type=int, default=0, help="of --strict-core's overwrite order")
    parser.add_argument("--log-level", default="INFO", help="DEBUG, INFO, WARNING or ERROR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
