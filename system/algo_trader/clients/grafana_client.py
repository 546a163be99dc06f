"""This system's Grafana: its datasources, its dashboards, and where to look at what is stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from infrastructure.clients.grafana_client import BaseGrafanaClient
from infrastructure.clock import utc_from_ns
from infrastructure.config import Secret
from infrastructure.errors import QueryError, ServiceUnavailable
from infrastructure.grafana.engine import EngineInfo
from system.algo_trader.grafana.dashboards import load_dashboards
from system.algo_trader.realm import LIVE, SIM, Realm, RealmName

BRIDGE_SERVICE: Final = "grafana"
HOST_SERVICE: Final = "grafana-host"
DESKTOP_SERVICE: Final = "grafana-desktop"
INFLUXDB_SERVICE: Final = "influxdb3"
SERVICES: Final = (BRIDGE_SERVICE, HOST_SERVICE, DESKTOP_SERVICE)
COMPOSE_URL: Final = "http://influxdb3:8181"
DESKTOP_HOST: Final = "host.docker.internal"
PASSWORD_FILE: Final = "/var/lib/grafana/admin-password"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
QUERY_TIMEOUT_S: Final = 60
MARKET_ZONE: Final = ZoneInfo("America/New_York")
NS_PER_MS: Final = 1_000_000

DATASOURCE_NAMES: Final[dict[RealmName, str]] = {
    LIVE: "Algo Trader",
    SIM: "Algo Trader (simulated)",
}
# Old names of dashboards that links may still carry.
ALIASES: Final = {"market-data-candles": "algo-symbol"}

STORED_SQL: Final = (
    "SELECT symbol, timeframe, session, source, count(*) AS bars,"
    " min(time) AS first, max(time) AS last FROM candles"
    " GROUP BY symbol, timeframe, session, source"
    " ORDER BY symbol, timeframe, session, source LIMIT 10000"
)


@dataclass(frozen=True, slots=True)
class Store:
    """The InfluxDB that Grafana is to show.

    Attributes:
        url: Its address as this machine reaches it.
        token: Its token, None when it asks for none.
        in_compose: Whether it is the compose file's own, reached by its service name.
    """

    url: str
    token: Secret | None = None
    in_compose: bool = False

    @property
    def is_local(self) -> bool:
        """Return whether only this machine reaches it."""
        return not self.in_compose and urlsplit(self.url).hostname in LOOPBACK


@dataclass(frozen=True, slots=True)
class Placement:
    """How Grafana is run so that it reaches a store.

    Attributes:
        service: The service of the compose file.
        store_url: The store's address as that service reaches it.
        dependencies: Whether compose starts the store, too.
    """

    service: str
    store_url: str
    dependencies: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One stored series of bars, as Grafana sees it.

    Attributes:
        symbol: The instrument.
        timeframe: Span of a bar.
        session: Hours that a bar covers.
        source: Where the bars are from.
        bars: How many there are.
        first_ns: Start of the first one, ns UTC.
        last_ns: Start of the last one, ns UTC.
    """

    symbol: str
    timeframe: str
    session: str
    source: str
    bars: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What one realm's database holds, as Grafana sees it.

    Attributes:
        realm: The realm's name.
        series: Its series, ordered by symbol and timeframe.
    """

    realm: RealmName
    series: tuple[Series, ...]

    @property
    def bars(self) -> int:
        """Return the number of all bars."""
        return sum(series.bars for series in self.series)

    @property
    def first_ns(self) -> int:
        """Return the start of the first bar, ns UTC."""
        return min(series.first_ns for series in self.series)

    @property
    def last_ns(self) -> int:
        """Return the start of the last bar, ns UTC."""
        return max(series.last_ns for series in self.series)

    @property
    def shown(self) -> Series | None:
        """Return the series to open first: daily bars before others, None without any."""
        daily = [series for series in self.series if series.timeframe == "1d"]
        return next(iter(daily or self.series), None)


def place(store: Store, engine: EngineInfo, platform: str = sys.platform) -> Placement:
    """Return how Grafana is run so that it reaches a store.

    A store on this machine's loopback is reached over the host's network on Linux, and by the
    host's name from the machine that Docker Desktop runs containers in.
    """
    if store.in_compose:
        return Placement(BRIDGE_SERVICE, COMPOSE_URL, True)
    if not store.is_local:
        return Placement(BRIDGE_SERVICE, store.url, False)
    if engine.desktop or platform != "linux":
        parts = urlsplit(store.url)
        there = parts._replace(netloc=f"{DESKTOP_HOST}:{parts.port or 8181}")
        return Placement(DESKTOP_SERVICE, urlunsplit(there), False)
    return Placement(HOST_SERVICE, store.url, False)


class AlgoTraderGrafanaClient(BaseGrafanaClient):
    """Keep this system's datasources and dashboards in Grafana, and start it over the store.

    Args:
        url: Address of Grafana.
        store: The InfluxDB behind the datasources; needed to provision by the API.
        **rest: As in `BaseGrafanaClient`.
    """

    folder_uid = "algo"
    folder_title = "Algo Trader"

    def __init__(self, url: str, *, store: Store | None = None, **rest: Any) -> None:
        rest.setdefault("services", SERVICES)
        super().__init__(url, **rest)
        self.store = store

    def get_datasources(self) -> list[dict[str, Any]]:
        """Return one InfluxDB SQL datasource a realm; the provisioning file says the same."""
        store = self.store or Store(COMPOSE_URL, in_compose=True)
        return [_datasource(name, store) for name in (LIVE, SIM)]

    def get_dashboards(self) -> list[dict[str, Any]]:
        """Return every dashboard of the folder `grafana`."""
        return load_dashboards()

    def compose_store(self) -> Store | None:
        """Return the compose file's InfluxDB if it is up, else None."""
        for state in self.compose.services():
            if state.service == INFLUXDB_SERVICE and state.state == "running":
                return Store(COMPOSE_URL, in_compose=True)
        return None

    def start(self, find_store: Callable[[], Store], *, named: bool = False) -> Placement:
        """Start Grafana over the store, and wait until it is ready.

        Args:
            find_store: Returns the store, and starts it where it is not up; called after Docker
                has answered, and not at all when compose's own InfluxDB is used.
            named: Whether a setting names the store, which then goes before compose's own.

        Raises:
            MissingService: There is no Docker.
            PortTaken: Another program listens on Grafana's port.
            ServiceUnavailable: Grafana or its store is not ready.
        """
        engine = self.engine.info()
        own = None if named else self.compose_store()
        self.store = self.store or own or find_store()
        placement = place(self.store, engine)
        environment = {
            "GRAFANA_PORT": str(urlsplit(self.url).port or 80),
            "ALGO_TRADER_INFLUXDB_URL": placement.store_url,
            "ALGO_TRADER_INFLUXDB_TOKEN": self.store.token.reveal() if self.store.token else "",
        }
        self.start_via_compose(placement.service, environment, dependencies=placement.dependencies)
        return placement

    def admin_password(self, environment: Mapping[str, str]) -> Secret | None:
        """Return the admin's password: the one set, else the one that the container made."""
        known = environment.get("GRAFANA_ADMIN_PASSWORD")
        if known:
            return Secret(known)
        made = self.engine.read_file(self._present(), PASSWORD_FILE)
        return Secret(made.strip()) if made else None

    def check_datasources(self) -> dict[str, str]:
        """Let Grafana check each datasource; return what it says by uid, problems included."""
        said = {}
        for name in (LIVE, SIM):
            uid = _uid(name)
            try:
                said[uid] = self.datasource_health(uid)
            except ServiceUnavailable as error:
                said[uid] = error.message
        return said

    def stored(self, name: RealmName) -> Stored:
        """Return what a realm's database holds, read through Grafana.

        Raises:
            QueryError: The database refuses the query for another reason than being empty.
        """
        try:
            rows = self.query_rows(STORED_SQL, _uid(name))
        except QueryError as error:
            if _is_empty(error.message):
                rows = []
            else:
                raise
        series = tuple(
            Series(
                row["symbol"],
                row["timeframe"],
                row["session"],
                row["source"],
                row["bars"],
                row["first"],
                row["last"],
            )
            for row in rows
        )
        return Stored(name, series)

    def get_dashboard_url(self, uid: str = "algo-symbol", stored: Stored | None = None) -> str:
        """Return a dashboard's address, over the range of what is stored if that is given."""
        uid = ALIASES.get(uid, uid)
        if stored is None:
            return f"{self.url}/d/{uid}"
        query: dict[str, str] = {"var-ds": _uid(stored.realm)}
        shown = stored.shown
        if shown is not None:
            query |= {
                "var-symbol": shown.symbol,
                "var-timeframe": shown.timeframe,
                "var-session": shown.session,
                "var-source": shown.source,
                "from": str(shown.first_ns // NS_PER_MS),
                "to": str(shown.last_ns // NS_PER_MS),
            }
        return f"{self.url}/d/{uid}?{urlencode(query)}"

    def access_info(self) -> dict[str, str]:
        """Return where to look and what is there, as `name: value` lines for a person."""
        everything = [self.stored(name) for name in (LIVE, SIM)]
        lines = {"grafana": self.url}
        for stored in everything:
            lines[DATASOURCE_NAMES[stored.realm]] = describe(stored)
        best = next((stored for stored in everything if stored.bars), everything[0])
        lines["overview"] = self.get_dashboard_url("algo-overview", Stored(best.realm, ()))
        lines["candles"] = self.get_dashboard_url("algo-symbol", best)
        return lines


def describe(stored: Stored) -> str:
    """Return one sentence about what a realm's database holds."""
    if not stored.series:
        return "no bars yet: run `scripts/bazel run //system/algo_trader:main`"
    symbols = len({series.symbol for series in stored.series})
    first, last = (_market_date(ns) for ns in (stored.first_ns, stored.last_ns))
    replay = f" (replay of {last})" if stored.realm == SIM else ""
    return f"{stored.bars:,} bars of {symbols} symbols, {first} to {last}{replay}"


def _market_date(ns: int) -> str:
    moment: datetime = utc_from_ns(ns).astimezone(MARKET_ZONE)
    return moment.date().isoformat()


def _uid(name: RealmName) -> str:
    return Realm(name, Path()).datasource_uid


def _datasource(name: RealmName, store: Store) -> dict[str, Any]:
    source: dict[str, Any] = {
        "name": DATASOURCE_NAMES[name],
        "uid": _uid(name),
        "type": "influxdb",
        "access": "proxy",
        "url": store.url,
        "isDefault": name == LIVE,
        "jsonData": {
            "version": "SQL",
            "dbName": Realm(name, Path()).database,
            "httpMode": "POST",
            # Grafana speaks TLS to the Flight port unless told otherwise.
            "insecureGrpc": store.url.startswith("http://"),
            "maxSeries": 1000,
            "timeout": QUERY_TIMEOUT_S,
        },
    }
    if store.token is not None:
        source["secureJsonData"] = {"token": store.token.reveal()}
    return source


def _is_empty(message: str) -> bool:
    lower = message.lower()
    return "not found" in lower and ("table" in lower or "database" in lower)
