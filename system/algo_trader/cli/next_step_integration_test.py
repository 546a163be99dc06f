"""What a person reads when Schwab refuses: a command for each kind, the wire's own body."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from system.algo_trader.testing.command_line import CommandLine

TOKEN: Final = "/v1/oauth/token"
GRANTED: Final = '{"access_token":"I0.fresh@","refresh_token":"r@","expires_in":1800}'
DEAD_REFRESH_TOKEN: Final = (
    '{"error":"unsupported_token_type","error_description":"400 Bad Request: \\"{\\"error_'
    'description\\":\\"Refresh token is invalid, expired or revoked\\",\\"error\\":'
    '\\"invalid_grant\\"}\\""}'
)
UNAUTHORIZED: Final = (
    '{"errors":[{"id":"x","status":401,"title":"Unauthorized","detail":"Client not authorized"}]}'
)
BAD_REQUEST: Final = (
    '{"errors":[{"id":"x","status":"400","title":"Bad Request",'
    '"detail":"strikeCount is too large","source":{"parameter":"strikeCount"}}]}'
)
NO_ROUTE: Final = (
    "404 Not Found: Requested route ('traderapi-accounts.apigx-origin.schwab.com') does not exist."
)
Reply = tuple[int, dict[str, str], str]


@contextmanager
def answering(token: Reply, request: Reply) -> Iterator[str]:
    """Answer the token endpoint and every other request with one reply each; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(request)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply(token if self.path == TOKEN else request)

        def _reply(self, reply: Reply) -> None:
            status, headers, body = reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the test's output to what the command writes."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("words", "token", "request_reply", "code", "next_step"),
    [
        pytest.param(
            ["quote", "AAPL"],
            (400, {}, DEAD_REFRESH_TOKEN),
            (500, {}, "never asked"),
            2,
            "Run `algo-trader auth login` to sign in again.",
            id="sign in again",
        ),
        pytest.param(
            ["orders", "list"],
            (200, {}, GRANTED),
            (429, {"Retry-After": "900"}, '{"fault":{"faultstring":"Rate limit"}}'),
            3,
            "Wait 900 s, and run fewer programs on this application at once.",
            id="wait",
        ),
        pytest.param(
            ["chain", "AAPL"],
            (200, {}, GRANTED),
            (400, {}, BAD_REQUEST),
            2,
            "Correct what Schwab names here, then ask again.",
            id="fix the input",
        ),
        pytest.param(
            ["accounts"],
            (200, {}, GRANTED),
            (404, {}, NO_ROUTE),
            3,
            "Try again later; maintenance is usual at weekends.",
            id="Schwab is down",
        ),
        pytest.param(
            ["positions"],
            (200, {}, GRANTED),
            (401, {}, UNAUTHORIZED),
            2,
            'Check at developer.schwab.com that the application is "Ready For Use" (a change sets '
            'it back to pending for days) and has both products, "Accounts and Trading Production" '
            'and "Market Data Production".',
            id="app not approved",
        ),
    ],
)
def test_a_refused_command_ends_with_the_next_step(
    tmp_path: Path,
    words: list[str],
    token: Reply,
    request_reply: Reply,
    code: int,
    next_step: str,
) -> None:
    keys = {"SCHWAB_API_KEY": "k" * 32, "SCHWAB_SECRET": "s" * 16, "SCHWAB_REFRESH_TOKEN": "r" * 64}
    with answering(token, request_reply) as base_url:
        line = CommandLine(tmp_path, keys | {"SCHWAB_BASE_URL": base_url})
        told = line.run("--live", *words)
        as_json = line.run("--live", *words, "--json")
    assert (told.code, told.out) == (code, "")
    assert told.err.splitlines()[-1].startswith("error: ")
    assert next_step in told.err.splitlines()[-1]
    assert (as_json.code, as_json.out) == (code, "")
    assert json.loads(as_json.err.splitlines()[-1])["next_step"] == next_step
