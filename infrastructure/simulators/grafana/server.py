"""Serve the stand-in Grafana over HTTP: the calls that a provisioning client makes.

It is OUR reading of the documented API, made to test our own client and files where no image
of Grafana can be had. It shows no panels. `/api/health` says what it is.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from infrastructure.simulators.grafana.provisioning import load_dashboards, load_datasources
from infrastructure.simulators.grafana.queries import answer_health, answer_query
from infrastructure.simulators.grafana.state import ApiError, GrafanaState

VERSION = "12.4.0-standin"
ROLES = {"": 0, "Viewer": 1, "Editor": 2, "Admin": 3}
PAGE = (
    "<!doctype html><title>Stand-in Grafana</title><h1>This is a stand-in, not Grafana</h1>"
    "<p>It answers the HTTP API for tests and draws nothing.</p>"
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What Grafana reads from GF_ variables, as far as the stand-in knows them.

    Attributes:
        host: Address to listen on.
        port: Port, 0 for a free one.
        admin_password: Password of the user `admin`.
        anonymous_role: Role of requests without credentials, empty for none.
        provisioning: Folder of provisioning files, None for none.
    """

    host: str = "127.0.0.1"
    port: int = 0
    admin_password: str = "admin"
    anonymous_role: str = ""
    provisioning: Path | None = None

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> ServerSettings:
        """Read the settings from GF_ variables, with Grafana's defaults.

        Raises:
            ValueError: The password is given both plainly and as a file.
        """
        password = environment.get("GF_SECURITY_ADMIN_PASSWORD", "")
        secret_file = environment.get("GF_SECURITY_ADMIN_PASSWORD__FILE")
        if secret_file:
            if password:
                raise ValueError(
                    "Both GF_SECURITY_ADMIN_PASSWORD and GF_SECURITY_ADMIN_PASSWORD__FILE are set"
                    " (but are exclusive)"
                )
            password = Path(secret_file).read_text(encoding="utf-8").strip()
        anonymous = environment.get("GF_AUTH_ANONYMOUS_ENABLED") == "true"
        return ServerSettings(
            host=environment.get("GF_SERVER_HTTP_ADDR", "0.0.0.0"),
            port=int(environment.get("GF_SERVER_HTTP_PORT", "3000")),
            admin_password=password or "admin",
            anonymous_role=environment.get("GF_AUTH_ANONYMOUS_ORG_ROLE", "Viewer")
            if anonymous
            else "",
            provisioning=Path(
                environment.get("GF_PATHS_PROVISIONING", "/etc/grafana/provisioning")
            ),
        )


class StandInGrafana:
    """Run the stand-in on a thread.

    Args:
        settings: Address, password, anonymous role, provisioning folder.
        environment: Values for `${NAME}` in provisioning files.
    """

    def __init__(
        self,
        settings: ServerSettings | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings or ServerSettings()
        self.environment = dict(environment or {})
        self.state = GrafanaState()
        self.log: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.failures: list[int] = []
        self.reload("datasources")
        self.reload("dashboards")
        self._server = ThreadingHTTPServer((self.settings.host, self.settings.port), _Handler)
        self._server.daemon_threads = True
        self._server.grafana = self  # type: ignore[attr-defined]
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the address that a client on this machine uses."""
        port = self._server.server_address[1]
        return f"http://127.0.0.1:{port}"

    def start(self) -> str:
        """Serve on a thread and return the URL."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self.url

    def serve(self) -> None:
        """Serve on the calling thread until `stop` is called from another."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> StandInGrafana:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reload(self, kind: str) -> None:
        """Read the provisioning files of a kind again."""
        root = self.settings.provisioning
        if root is None:
            return
        load = load_datasources if kind == "datasources" else load_dashboards
        with self.state.lock:
            load(self.state, root, self.environment, self.log)

    def role_of(self, header: str) -> tuple[str, bool]:
        """Return the role behind an Authorization header, and whether it is a server admin.

        Raises:
            ApiError: The credentials are wrong, or there are none and none are not enough.
        """
        scheme, _, value = header.partition(" ")
        if scheme == "Bearer":
            role = self.state.tokens.get(value)
            if role is None:
                raise ApiError(401, "Invalid API key")
            return role, False
        if scheme == "Basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
            if user != "admin" or not secrets.compare_digest(
                password.encode(), self.settings.admin_password.encode()
            ):
                raise ApiError(401, "Invalid username or password")
            return "Admin", True
        if self.settings.anonymous_role:
            return self.settings.anonymous_role, False
        raise ApiError(401, "Unauthorized")

    def answer(
        self, method: str, target: str, header: str, body: dict[str, Any]
    ) -> tuple[int, Any]:
        """Answer one request with a status and a JSON value.

        Raises:
            ApiError: The request is answered with an error.
        """
        url = urlsplit(target)
        path = tuple(unquote(part) for part in url.path.strip("/").split("/"))
        self.requests.append((method, url.path))
        if self.failures:
            raise ApiError(self.failures.pop(0), "planted failure")
        if path == ("api", "health"):
            about = "a stand-in for tests, not Grafana"
            return 200, {"database": "ok", "version": VERSION, "commit": "none", "product": about}
        role, server_admin = self.role_of(header)
        needed = _needed_role(method, path)
        if ROLES[role] < ROLES[needed]:
            raise ApiError(403, "You'll need additional permissions to perform this action.")
        if path[1:2] == ("ds",) or path[-1] == "health":
            return self._query(method, path, body)
        with self.state.lock:
            return self._change(method, path, parse_qs(url.query), body, server_admin)

    def _query(self, method: str, path: tuple[str, ...], body: dict[str, Any]) -> tuple[int, Any]:
        match (method, path):
            case ("POST", ("api", "ds", "query")):
                return answer_query(dict(self.state.datasources), body)
            case ("GET", ("api", "datasources", "uid", uid, "health")):
                return answer_health(_found(self.state.datasources, uid, "Data source not found"))
        raise ApiError(404, "Not found")

    def _change(
        self,
        method: str,
        path: tuple[str, ...],
        query: dict[str, list[str]],
        body: dict[str, Any],
        server_admin: bool,
    ) -> tuple[int, Any]:
        state = self.state
        match (method, path):
            case ("GET", ("api", "org")):
                return 200, {"id": 1, "name": "Main Org."}
            case ("GET", ("api", "folders")):
                return 200, list(state.folders.values())
            case ("POST", ("api", "folders")):
                return 200, state.save_folder(body)
            case ("GET", ("api", "folders", uid)):
                return 200, _found(state.folders, uid, "folder not found")
            case ("GET", ("api", "datasources")):
                return 200, [_public(source) for source in state.datasources.values()]
            case ("POST", ("api", "datasources")):
                saved = state.save_datasource(body)
                return 200, _saved(saved, "Datasource added")
            case ("GET", ("api", "datasources", "uid", uid)):
                return 200, _public(_found(state.datasources, uid, "Data source not found"))
            case ("PUT", ("api", "datasources", "uid", uid)):
                return 200, _saved(state.save_datasource(body, uid), "Datasource updated")
            case ("DELETE", ("api", "datasources", "uid", uid)):
                del state.datasources[
                    _found(state.datasources, uid, "Data source not found")["uid"]
                ]
                return 200, {"message": "Data source deleted"}
            case ("POST", ("api", "dashboards", "db")):
                return 200, state.save_dashboard(body)
            case ("GET", ("api", "dashboards", "uid", uid)):
                return 200, state.dashboard(uid)
            case ("DELETE", ("api", "dashboards", "uid", uid)):
                return 200, state.delete_dashboard(uid)
            case ("GET", ("api", "search")):
                return 200, state.search(query)
            case ("POST", ("api", "annotations")):
                state.annotations.append({"id": state.next_id(), **body})
                return 200, {"message": "Annotation added", "id": state.annotations[-1]["id"]}
            case ("GET", ("api", "annotations")):
                return 200, state.annotations
            case ("POST", ("api", "serviceaccounts")):
                account = {"id": state.next_id(), "role": "Viewer", **body}
                state.accounts[account["id"]] = account
                return 201, account
            case ("POST", ("api", "serviceaccounts", number, "tokens")):
                account = _found(state.accounts, int(number), "service account not found")
                key = f"glsa_{secrets.token_hex(16)}"
                state.tokens[key] = account["role"]
                return 200, {"id": state.next_id(), "name": body.get("name"), "key": key}
            case ("POST", ("api", "admin", "provisioning", kind, "reload")):
                if not server_admin:
                    raise ApiError(403, "You'll need additional permissions: server admin")
                self.reload(kind)
                return 200, {"message": f"{kind.capitalize()} config reloaded"}
        raise ApiError(404, "Not found")


def _needed_role(method: str, path: tuple[str, ...]) -> str:
    if path[1:2] == ("ds",) or path[-1] == "health" or path[1:2] == ("search",):
        return "Viewer"
    if path[1:2] in {("datasources",), ("serviceaccounts",), ("admin",)}:
        return "Admin"
    return "Viewer" if method == "GET" else "Editor"


def _found(known: Mapping[Any, dict[str, Any]], key: Any, message: str) -> dict[str, Any]:
    if key not in known:
        raise ApiError(404, message)
    return known[key]


def _public(source: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in source.items() if key != "secureJsonData"}
    secure = source.get("secureJsonData") or {}
    return {**shown, "secureJsonFields": {key: True for key, value in secure.items() if value}}


def _saved(source: dict[str, Any], message: str) -> dict[str, Any]:
    return {
        "datasource": _public(source), "id": source["id"], "message": message,
        "name": source["name"],
    }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        grafana = cast(StandInGrafana, self.server.grafana)  # type: ignore[attr-defined]
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if not self.path.startswith("/api/"):
            return self._send(200, "text/html; charset=utf-8", PAGE.encode())
        try:
            body = json.loads(raw) if raw else {}
            status, value = grafana.answer(
                self.command, self.path, self.headers.get("Authorization", ""), body
            )
        except ApiError as error:
            status, value = error.status, error.body
        except json.JSONDecodeError:
            status, value = 400, {"message": "bad request data"}
        return self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        grafana = cast(StandInGrafana, self.server.grafana)  # type: ignore[attr-defined]
        grafana.log.append(format % args)
