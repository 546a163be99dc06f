"""A stand-in for the program `influxdb3` inside a container: `serve` and `create`, for tests.

`serve` runs our embedded server, since InfluxDB's own image may not be reachable; `create` sends
what the real command sends to the server at INFLUXDB3_HOST_URL.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

PORT = "8181"
TIMEOUT_S = 30


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(argv)
    if options.command == "serve":
        words = ["--data", options.data_dir, "--host", "0.0.0.0", "--port", PORT]
        module = "infrastructure.influxdb.embedded"
        os.execv(sys.executable, [sys.executable, "-P", "-B", "-m", module, *words])
    if options.what == "database":
        return _post("database", {"db": options.name})
    fields = [dict(zip(("name", "type"), part.split(":"), strict=True)) for part in options.fields]
    return _post(
        "table",
        {"db": options.database, "table": options.name, "tags": options.tags, "fields": fields},
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="influxdb3")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--data-dir", required=True)
    for accepted in ("--node-id", "--object-store", "--query-file-limit"):
        serve.add_argument(accepted, required=True)
    serve.add_argument("--without-auth", action="store_true", required=True)
    kinds = commands.add_parser("create").add_subparsers(dest="what", required=True)
    database = kinds.add_parser("database")
    database.add_argument("name")
    table = kinds.add_parser("table")
    table.add_argument("--database", required=True)
    table.add_argument("--tags", required=True, type=lambda text: text.split(","))
    table.add_argument("--fields", default=[], type=lambda text: text.split(","))
    table.add_argument("name")
    return parser


def _post(kind: str, body: dict[str, object]) -> int:
    url = os.environ.get("INFLUXDB3_HOST_URL", f"http://127.0.0.1:{PORT}")
    request = Request(
        f"{url}/api/v3/configure/{kind}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        # A service of the same network: no proxy of the environment.
        build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S).close()
    except HTTPError as error:
        print(f"Create command failed: {error.code} {error.read().decode()}", file=sys.stderr)
        return 1
    print(f"{kind} created")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
