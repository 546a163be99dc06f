"""The services of this system: named, found, embedded or refused, never faked.

A URL that is set is used, and fails by the name of its variable. Else a server at the default
port is used if it says what it is and carries our mark or a person has confirmed it. Else the
embedded one is started, with its data below the home folder, and ended by the last command that
uses it unless it is kept. Both realms share the servers: namespaces and databases keep them apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from infrastructure.clock import Clock, SystemClock, rfc3339
from infrastructure.config import Secret
from infrastructure.errors import MissingService, StackError, UsageError
from infrastructure.logging import get_logger, register_secret
from infrastructure.redis.address import parse_redis_url
from infrastructure.redis.embedded import embedded_redis_spec, url_with_password
from infrastructure.supervision import Endpoint, Handle, ServiceSpec, Supervisor, exit_on_signals
from infrastructure.supervision.files import kept_secret, make_private_folder
from system.algo_trader import identification
from system.algo_trader.identification import Identified
from system.algo_trader.ownership import Adoption, Ownership
from system.algo_trader.realm import Realm
from system.algo_trader.settings import AppSettings

REDIS: Final = "redis"
INFLUXDB: Final = "influxdb"
NAMES: Final = (REDIS, INFLUXDB)
DEFAULT_URLS: Final = {REDIS: "redis://127.0.0.1:6379/0", INFLUXDB: "http://127.0.0.1:8181"}

Origin = Literal["named", "found", "embedded"]
_log = get_logger("services")


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service, as `services status` shows it.

    Attributes:
        name: "redis" or "influxdb".
        origin: "named" by a variable, "found" at its default port, or "embedded".
        url: Where it answers, without any password; empty when it does not run.
        state: "running", "stopped", "starting", "restarting", "gave up" or "unreachable".
        pid: The process, None unless embedded and running.
        kept: Whether it stays until `services stop`.
        since: When it was started, RFC 3339; None when that is not known.
        note: A sentence on what was left alone or went wrong, empty for none.
    """

    name: str
    origin: Origin
    url: str
    state: str
    pid: int | None = None
    kept: bool = False
    since: str | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values for JSON output."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Resolved:
    origin: Origin
    url: str
    handle: Handle | None = None


class Services:
    """Find or start the services that a command needs, and end what it started.

    Args:
        settings: Names servers, and the home folder.
        realm: Whose data are meant; the servers are the same for all.
        clock: Measures deadlines.
        default_urls: Where to look for servers by default, by service.
    """

    def __init__(
        self,
        settings: AppSettings,
        realm: Realm | None = None,
        *,
        clock: Clock | None = None,
        default_urls: Mapping[str, str] = DEFAULT_URLS,
    ) -> None:
        self.settings = settings
        self.realm = realm
        self.directory = settings.home / "services"
        self.ownership = Ownership(self.directory)
        self.supervisor = Supervisor(self.directory, SystemClock() if clock is None else clock)
        self.notices: list[str] = []
        self._default_urls = default_urls
        self._resolved: dict[str, _Resolved] = {}
        self._block = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._block.enter_context(exit_on_signals())
        return self

    def __exit__(self, *_: object) -> None:
        with self._block:
            self.close()

    def close(self) -> None:
        """Leave every service; what nobody else uses and nobody keeps ends."""
        resolved, self._resolved = self._resolved, {}
        with contextlib.ExitStack() as stack:
            for one in resolved.values():
                if one.handle is not None:
                    stack.callback(one.handle.close)

    def redis_url(self) -> str:
        """Return the URL of Redis, with its password: for a client, not for an eye.

        Raises:
            StackError: If the named Redis does not answer, or no embedded one can be started.
        """
        return self._resolve(REDIS).url

    def influxdb_url(self) -> str:
        """Return the base URL of InfluxDB.

        Raises:
            StackError: If the named InfluxDB does not answer, or no embedded one can be started.
        """
        return self._resolve(INFLUXDB).url

    def influxdb_token(self) -> Secret | None:
        """Return the token for the server of `influxdb_url`, None when it needs none."""
        resolved = self._resolve(INFLUXDB)
        if resolved.handle is None:
            return self.settings.influxdb3_auth_token
        text = resolved.handle.endpoint.secret()
        if text is None:
            return None
        register_secret(text)
        return Secret(text)

    def origin(self, name: str) -> Origin:
        """Return where a service comes from, which starts it if need be."""
        return self._resolve(name).origin

    def start(
        self, names: Collection[str] = NAMES, *, adopt: Collection[str] = ()
    ) -> list[ServiceRow]:
        """Start services and keep them until `stop`.

        Args:
            names: Which.
            adopt: Those whose server at the default port a person confirms as ours.

        Raises:
            UsageError: If a name is not known.
            MissingService: If a server is to be adopted that is not there.
            ForeignService: If what is there is something else.
            StackError: If one cannot be started.
        """
        for name in (*names, *adopt):
            _check(name)
        for name in adopt:
            self.adopt(name)
        for name in names:
            self._resolve(name, keep=True)
        return [self._row(name) for name in names]

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Let embedded servers that die come back, for the length of a block.

        Behind it they end with their last user again, unless somebody else keeps them.

        Raises:
            StackError: If one cannot be started.
        """
        rows = self.status()
        mine = [row.name for row in rows if row.origin == "embedded" and not row.kept]
        self.start(mine)
        try:
            yield
        finally:
            for name in mine:
                self.supervisor.unkeep(name)

    def stop(self, names: Collection[str] = NAMES) -> list[ServiceRow]:
        """Stop the embedded services, whoever uses them; servers of others are left alone.

        Raises:
            UsageError: If a name is not known.
            OperatorError: If a process cannot be ended.
        """
        rows = []
        for name in names:
            _check(name)
            stopped = self.supervisor.stop(name)
            self._leave(name)
            note = "" if stopped else "it was not running"
            if self._named_url(name) is not None:
                note = "the server that is named by its variable is left alone"
            rows.append(ServiceRow(name, "embedded", "", "stopped", note=note))
        return rows

    def status(self, names: Collection[str] = NAMES) -> list[ServiceRow]:
        """Say of each service where it comes from and how it is; nothing is started.

        Raises:
            UsageError: If a name is not known.
        """
        for name in names:
            _check(name)
        return [self._row(name) for name in names]

    def running_url(self, row: ServiceRow) -> str | None:
        """Return where a service answers, with its password: for a client, not for an eye.

        Args:
            row: As `status` returned it; None is the answer unless it is running.
        """
        if row.state != "running":
            return None
        if row.origin != "embedded":
            return self._named_url(row.name) or row.url
        endpoint = self.supervisor.status(row.name).endpoint
        if endpoint is None:
            return None
        if row.name != REDIS:
            return endpoint.url
        secret = endpoint.secret()
        if secret is not None:
            register_secret(secret)
        return url_with_password(endpoint)

    def adopt(self, name: str) -> Identified:
        """Write down that a person confirms the server at a default port as ours.

        Raises:
            UsageError: If the name is not known.
            MissingService: If nothing listens there.
            ForeignService: If what listens there is something else.
            CredentialsRejected: If it asks for a password: such a server is named by its URL.
        """
        _check(name)
        url = self._default_urls[name]
        if not identification.is_listening(url):
            raise MissingService(
                f"there is no {name} at {url} to adopt", next_step="Start it, or name another URL."
            )
        found = self._identify(name)
        mark = found.mark
        if name == REDIS:
            mark = identification.mark_redis(url, self.ownership.owner_id())
        elif not mark:
            mark = found.product
        self.ownership.adopt(name, Adoption(url, mark))
        self._leave(name)
        return found

    def _leave(self, name: str) -> None:
        resolved = self._resolved.pop(name, None)
        if resolved is not None and resolved.handle is not None:
            resolved.handle.close()

    def _resolve(self, name: str, keep: bool = False) -> _Resolved:
        resolved = self._resolved.get(name)
        if resolved is not None and not (keep and resolved.handle is not None):
            return resolved
        fresh = self._named(name) or self._found(name) or self._embedded(name, keep)
        self._leave(name)
        self._resolved[name] = fresh
        return fresh

    def _named(self, name: str) -> _Resolved | None:
        url = self._named_url(name)
        if url is None:
            return None
        if name == REDIS:
            identification.check_named_redis(url)
        else:
            identification.check_named_influxdb(url, self.settings.influxdb3_auth_token)
        return _Resolved("named", url)

    def _named_url(self, name: str) -> str | None:
        return self.settings.redis_url if name == REDIS else self.settings.influxdb3_host_url

    def _found(self, name: str) -> _Resolved | None:
        url = self._default_urls[name]
        if not self.settings.probe_default_ports or not identification.is_listening(url):
            return None
        try:
            found = self._identify(name)
        except StackError as error:
            self._notice(
                f"something at {url} is left alone, an embedded {name} is used: {error.message}"
            )
            return None
        if self._is_ours(name, url, found):
            return _Resolved("found", url)
        self._notice(
            f"a {found.product} at {url} is left alone, since it is not known to be ours: an"
            f" embedded one is used; `services start --adopt {name}` takes it"
        )
        return None

    def _identify(self, name: str) -> Identified:
        url = self._default_urls[name]
        if name == REDIS:
            return identification.identify_redis(url)
        return identification.identify_influxdb(url)

    def _is_ours(self, name: str, url: str, found: Identified) -> bool:
        adoption = self.ownership.adoption(name)
        if adoption is not None and adoption.url == url:
            return adoption.mark in (found.mark, found.product if name == INFLUXDB else None)
        if not found.mark:
            return False
        if name == REDIS:
            return found.mark == self.ownership.owner_id()
        return found.mark == _influxdb_key(self.directory / INFLUXDB)

    def _embedded(self, name: str, keep: bool) -> _Resolved:
        handle = self.supervisor.ensure(self._spec(name), keep)
        url = handle.endpoint.url
        if name == REDIS:
            url = url_with_password(handle.endpoint)
            secret = handle.endpoint.secret()
            if secret is not None:
                register_secret(secret)
        return _Resolved("embedded", url, handle)

    def _spec(self, name: str) -> ServiceSpec:
        directory = self.directory / name
        if name == REDIS:
            return embedded_redis_spec(directory)
        from infrastructure.influxdb.embedded.spec import TOKEN_FILE, embedded_influxdb_spec

        return embedded_influxdb_spec(directory, token=self._embedded_token(directory / TOKEN_FILE))

    def _embedded_token(self, path: Path) -> Secret:
        """Return the token of our own InfluxDB, made when it is first asked for."""
        make_private_folder(path.parent)
        text = kept_secret(path)
        register_secret(text)
        return Secret(text)

    def _row(self, name: str) -> ServiceRow:
        named = self._named_url(name)
        if named is not None:
            shown = str(parse_redis_url(named)) if name == REDIS else named
            try:
                self._named(name)
            except StackError as error:
                return ServiceRow(name, "named", shown, "unreachable", note=str(error))
            return ServiceRow(name, "named", shown, "running")
        before = len(self.notices)
        found = self._found(name)
        note = "; ".join(self.notices[before:])
        if found is not None:
            return ServiceRow(name, "found", found.url, "running")
        status = self.supervisor.status(name)
        if status.endpoint is None:
            return ServiceRow(name, "embedded", "", status.state, note=status.reason or note)
        return _running(name, status.endpoint, note)

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)
            _log.info("%s", sentence)


def _running(name: str, endpoint: Endpoint, note: str) -> ServiceRow:
    since = rfc3339(endpoint.started_at_ns) if endpoint.started_at_ns else None
    return ServiceRow(
        name, "embedded", endpoint.url, "running", endpoint.pid, endpoint.kept, since, note
    )


def _check(name: str) -> None:
    if name not in NAMES:
        raise UsageError(f"there is no service {name!r}, expected {' or '.join(NAMES)}")


def _influxdb_key(folder: Path) -> str | None:
    """Return the key that our embedded InfluxDB's data carry, None when there are none."""
    from infrastructure.influxdb.embedded.identity import KEY_FILE, ownership_key

    for place in (folder, folder / "data"):
        if (place / KEY_FILE).exists():
            return ownership_key(place)
    return None
