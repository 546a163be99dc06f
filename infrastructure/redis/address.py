"""Redis URLs: one server by TCP, TLS or socket, a Sentinel's master, or a Cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from infrastructure.config import Secret
from infrastructure.errors import ConfigError

REDIS_PORT = 6379
SENTINEL_PORT = 26379
SCHEMES = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
VERIFY = ("required", "optional", "none")
EXAMPLES = (
    "Use redis://HOST:6379/0, rediss://, unix:///PATH, "
    "redis+sentinel://HOST:26379/SERVICE/0 or redis+cluster://HOST:6379."
)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed Redis URL.

    Attributes:
        kind: "single", "unix", "sentinel" or "cluster".
        hosts: Host and port pairs; empty for a socket.
        path: The socket's path, empty for TCP.
        service: The Sentinel's name of the master, empty otherwise.
        database: The database's number.
        username: The ACL user, None for the default one.
        password: Its password.
        sentinel_username: The user at the Sentinels.
        sentinel_password: Its password.
        tls: Whether the connection is encrypted.
        tls_options: Arguments of redis-py's ssl connection.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    username: str | None = None
    password: Secret | None = None
    sentinel_username: str | None = None
    sentinel_password: Secret | None = None
    tls: bool = False
    tls_options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the URL without any password."""
        scheme = next(
            name for name, (kind, tls) in SCHEMES.items() if (kind, tls) == (self.kind, self.tls)
        )
        user = "" if self.username is None else quote(self.username, safe="")
        login = f"{user}:***@" if self.password is not None else (f"{user}@" if user else "")
        if self.kind == "unix":
            return f"unix://{login}{quote(self.path)}?db={self.database}"
        hosts = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        tail = f"/{self.service}" if self.kind == "sentinel" else ""
        number = "" if self.kind == "cluster" else f"/{self.database}"
        return f"{scheme}://{login}{hosts}{tail}{number}"


def parse_redis_url(url: str) -> RedisAddress:
    """Take a Redis URL apart.

    Args:
        url: With one of the schemes of `SCHEMES`; several hosts are separated by commas. In
            the query: db, ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs (required,
            optional, none), ssl_check_hostname (true, false), and for Sentinels
            sentinel_username and sentinel_password.

    Raises:
        ConfigError: If a part is missing or wrong. The message never has the password.
    """
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme not in SCHEMES:
        shown = scheme or "no scheme at all"
        raise ConfigError(f"a Redis URL has {shown}, which is not known", next_step=EXAMPLES)
    kind, tls = SCHEMES[scheme]
    try:
        # not by urlsplit: since CPython 3.14 it refuses a list of hosts that holds an IPv6 one
        before_query, _, query_text = url.partition("://")[2].partition("#")[0].partition("?")
        netloc, slash, path_text = before_query.partition("/")
        if netloc.count("[") != netloc.count("]"):
            raise ValueError("an IPv6 address has one bracket only")
        query = dict(parse_qsl(query_text, keep_blank_values=True, strict_parsing=True))
    except ValueError as error:
        raise ConfigError(f"the {scheme} URL cannot be taken apart", next_step=EXAMPLES) from error
    login, _, places = netloc.rpartition("@")
    user, _, password = login.partition(":")
    options = _Query(scheme, query)
    common: dict[str, Any] = {
        "username": unquote(user) or None,
        "password": Secret(unquote(password)) if password else None,
    }
    if kind == "unix":
        path = unquote(places + slash + path_text)
        if not path.startswith("/"):
            raise ConfigError(
                f"the unix URL names the path {path!r}, which is not absolute", next_step=EXAMPLES
            )
        return options.used(
            RedisAddress(kind, path=path, database=options.number("db", ""), **common)
        )
    hosts = _hosts(scheme, places, SENTINEL_PORT if kind == "sentinel" else REDIS_PORT)
    segments = [unquote(segment) for segment in path_text.split("/") if segment]
    if kind == "sentinel":
        if not segments:
            raise ConfigError(
                f"the {scheme} URL names no service",
                next_step="Write it as redis+sentinel://HOST:26379/SERVICE/0.",
            )
        common["service"] = segments.pop(0)
        common["sentinel_username"] = options.text("sentinel_username")
        secret = options.text("sentinel_password")
        common["sentinel_password"] = None if secret is None else Secret(secret)
    elif kind == "single" and len(hosts) > 1:
        raise ConfigError(
            f"the {scheme} URL names {len(hosts)} hosts",
            next_step="Use redis+sentinel:// or redis+cluster:// for several.",
        )
    if len(segments) > 1:
        raise ConfigError(f"the {scheme} URL has too many path segments", next_step=EXAMPLES)
    database = options.number("db", segments[0] if segments else "")
    if kind == "cluster" and database:
        raise ConfigError(f"a Redis Cluster has database 0 only, but the URL asks for {database}")
    tls_options = options.tls() if tls else {}
    return options.used(
        RedisAddress(
            kind, hosts=hosts, database=database, tls=tls, tls_options=tls_options, **common
        )
    )


def _hosts(scheme: str, places: str, default_port: int) -> tuple[tuple[str, int], ...]:
    hosts = []
    for place in places.split(",") if places else [""]:
        parts = urlsplit(f"//{place}")
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigError(
                f"the {scheme} URL has a port that is no number from 0 to 65535",
                next_step=EXAMPLES,
            ) from error
        if not parts.hostname:
            raise ConfigError(f"the {scheme} URL names no host", next_step=EXAMPLES)
        hosts.append((parts.hostname, default_port if port is None else port))
    return tuple(hosts)


class _Query:
    """The part after the question mark, each name of which has to be used."""

    def __init__(self, scheme: str, values: dict[str, str]) -> None:
        self._scheme = scheme
        self._left = dict(values)

    def text(self, name: str) -> str | None:
        return self._left.pop(name, None)

    def number(self, name: str, default: str) -> int:
        text = self._left.pop(name, default) or "0"
        if not (text.isascii() and text.isdigit()):
            raise ConfigError(
                f"the {self._scheme} URL asks for the database {text!r}, which is no number",
                next_step=EXAMPLES,
            )
        return int(text)

    def tls(self) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for name in TLS_FILES:
            path = self.text(name)
            if path is not None:
                if not Path(path).is_file():
                    raise ConfigError(f"{name} names {path}, which is no file")
                options[name] = path
        verify = self.text("ssl_cert_reqs") or "required"
        if verify not in VERIFY:
            raise ConfigError(f"ssl_cert_reqs is {verify!r}, expected one of {', '.join(VERIFY)}")
        check = self.text("ssl_check_hostname") or str(verify == "required").lower()
        if check not in ("true", "false"):
            raise ConfigError(f"ssl_check_hostname is {check!r}, expected true or false")
        return {**options, "ssl_cert_reqs": verify, "ssl_check_hostname": check == "true"}

    def used(self, address: RedisAddress) -> RedisAddress:
        if self._left:
            names = ", ".join(sorted(self._left))
            raise ConfigError(f"the {self._scheme} URL has the unknown parameter {names}")
        return address
