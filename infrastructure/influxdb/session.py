"""HTTP to one InfluxDB 3 server: health, identity, databases and tables, with bounded retries."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.errors import (
    ConfigError,
    ForeignService,
    RateLimited,
    RetryableError,
    ServiceUnavailable,
)
from infrastructure.influxdb.failures import http_failure, no_answer
from infrastructure.influxdb.schema import ColumnKind, TableSchema
from infrastructure.logging import get_logger, register_secret

TIMEOUT_S = 30.0
ATTEMPTS = 5
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0

_FIELD_TYPES: dict[ColumnKind, str] = {
    "float": "float64",
    "integer": "int64",
    "string": "utf8",
    "boolean": "bool",
}
_T = TypeVar("_T")
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says about itself at `/ping`.

    Attributes:
        product_name: "InfluxDB 3 Core", or the name of our embedded server.
        version: The API version that it follows.
        process_id: Changes at each of its starts.
        ownership_key: Tells our embedded servers apart; empty at a real InfluxDB.
    """

    product_name: str
    version: str
    process_id: str
    ownership_key: str = ""


class InfluxSession:
    """Ask one server over HTTP: what it is, its databases and tables; tries again what may pass.

    Args:
        url: `http://host:port` or `https://host:port`.
        database: The database that is meant where none is named.
        token: The server's token; None where it asks for none.
        timeout_s: Seconds that one request may take.
        clock: Measures the waits between attempts.
        attempts: How often a request is sent at most.

    Raises:
        ConfigError: If the URL is not one of a server.
    """

    def __init__(
        self,
        url: str,
        database: str,
        *,
        token: Secret | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.url = _checked_url(url)
        self.database = database
        self.token = token
        self.timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._attempts = attempts
        self.is_local = _is_loopback(self.url)
        self._session = requests.Session()
        self._session.trust_env = not self.is_local
        if token is not None:
            register_secret(token.reveal())
            self._session.headers["Authorization"] = f"Bearer {token.reveal()}"

    def ping(self) -> ServerInfo:
        """Return what the server is.

        Raises:
            ServiceUnavailable: If it does not answer.
            ForeignService: If it is no InfluxDB 3.
        """
        answer = self._request("GET", "/ping")
        try:
            value = answer.json()
            return ServerInfo(
                str(value["product_name"]),
                str(value["version"]),
                str(value["process_id"]),
                str(value.get("ownership_key", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ForeignService(
                f"the server at {self.url} is no InfluxDB 3: its /ping says {answer.text[:80]!r}",
                next_step="Check the URL: something else may listen there.",
            ) from error

    def health(self) -> bool:
        """Return whether the server answers and says that it is well; asks once."""
        try:
            return self._send("GET", "/health").status_code == HTTPStatus.OK
        except ServiceUnavailable as error:
            _log.debug("%s", error)
            return False

    def list_databases(self) -> list[str]:
        """Return the names of the databases, sorted."""
        answer = self._request("GET", "/api/v3/configure/database", params={"format": "json"})
        try:
            return sorted(str(row["iox::database"]) for row in answer.json())
        except (ValueError, KeyError, TypeError) as error:
            raise ForeignService(
                f"the server at {self.url} lists its databases in a form that is not InfluxDB 3's"
            ) from error

    def create_database(self, name: str | None = None) -> bool:
        """Make a database (this client's own if None) and return whether it is new."""
        answer = self._request(
            "POST",
            "/api/v3/configure/database",
            json={"db": name or self.database},
            accept=(HTTPStatus.CONFLICT,),
        )
        return answer.status_code != HTTPStatus.CONFLICT

    def drop_database(self, name: str) -> bool:
        """Delete a database and all its rows, and return whether there was one."""
        answer = self._request(
            "DELETE",
            "/api/v3/configure/database",
            params={"db": name},
            accept=(HTTPStatus.NOT_FOUND,),
        )
        return answer.status_code != HTTPStatus.NOT_FOUND

    def create_table(self, schema: TableSchema) -> bool:
        """Make a table with all its columns and return whether it is new."""
        body = {
            "db": self.database,
            "table": schema.name,
            "tags": [column.name for column in schema.tags],
            "fields": [
                {"name": column.name, "type": _FIELD_TYPES[column.kind]} for column in schema.fields
            ],
        }
        answer = self._request(
            "POST", "/api/v3/configure/table", json=body, accept=(HTTPStatus.CONFLICT,)
        )
        return answer.status_code != HTTPStatus.CONFLICT

    def drop_table(self, table: str) -> bool:
        """Delete a table and all its rows, and return whether there was one."""
        answer = self._request(
            "DELETE",
            "/api/v3/configure/table",
            params={"db": self.database, "table": table},
            accept=(HTTPStatus.NOT_FOUND,),
        )
        return answer.status_code != HTTPStatus.NOT_FOUND

    def _request(
        self, method: str, path: str, *, accept: tuple[int, ...] = (), **arguments: Any
    ) -> requests.Response:
        """Send a request, again if it failed for the moment, and return its success."""

        def ask() -> requests.Response:
            answer = self._send(method, path, **arguments)
            if answer.ok or answer.status_code in accept:
                return answer
            raise http_failure(
                self.url, answer.status_code, answer.text, answer.headers.get("Retry-After")
            )

        return self.retried(ask)

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            return self._session.request(
                method, self.url + path, timeout=self.timeout_s, **arguments
            )
        except requests.RequestException as error:
            raise no_answer(self.url, error) from error

    def retried(self, work: Callable[[], _T]) -> _T:
        """Do the work, again after growing waits while it raises a RetryableError."""
        pause_s = FIRST_WAIT_S
        for _ in range(self._attempts - 1):
            try:
                return work()
            except RetryableError as error:
                asked = error.retry_after_s if isinstance(error, RateLimited) else None
                _log.debug("again in %.1f s: %s", asked or pause_s, error)
                self._clock.sleep(min(asked or pause_s, LONGEST_WAIT_S))
                pause_s *= 2
        return work()


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"the InfluxDB URL {url!r} is malformed: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ConfigError(f"the InfluxDB URL is {url!r}, expected http://host:port")
    if parts.username or parts.password:
        raise ConfigError(
            "the InfluxDB URL holds a name or password", next_step="Pass the token by itself."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
