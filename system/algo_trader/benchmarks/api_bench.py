"""One run of `bench api`: a home, the service over it, its peer, and what was counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from system.algo_trader.api.access.api_key import KeyScope
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.benchmarks.api_home import YEAR_OF, seed_bars, symbol_name
from system.algo_trader.benchmarks.api_load import LoadPlan, LoadResult
from system.algo_trader.benchmarks.api_peer import ARROW, ARROW_FILE, JSON_FILE
from system.algo_trader.benchmarks.api_processes import (
    Child,
    Served,
    feeder_process,
    load,
    load_process,
    peer_process,
)
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.realm import Realm
from system.algo_trader.services import Services
from system.algo_trader.settings import load as load_settings
from system.algo_trader.storage.archive import Archive

PEER: Final = "FastAPI on uvicorn"
CANDLES: Final = f"/api/v1/candles?symbol={YEAR_OF}&timeframe=1m&limit="
ROWS_5_KB: Final = 54
ROWS_ARROW: Final = 1_000
QUOTES_5_KB: Final = 23
"""So many rows make 5,000 bytes of JSON."""
_UNLIMITED: Final = 1_000_000
_FIRST_FRAMES: Final = 50


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """Say how much is asked.

    Attributes:
        seconds: How long each question is asked at saturation, and at a rate.
        days: Trading days of the year that is stored.
        queries: Questions to the stores, one after the other, each asked for the first time.
        session_s: Seconds that the dashboards look.
        connections: Clients at saturation.
        rate: Requests a second while ticks come in.
        ticks: A second.
    """

    seconds: float = 10.0
    days: int = 252
    queries: int = 100
    session_s: float = 60.0
    connections: int = 100
    rate: int = 1_000
    ticks: int = 10_000


@dataclass(slots=True)
class Bench:
    """Hold what a run is made of.

    Attributes:
        plan: How much is asked.
        home: Of the service.
        redis_url: Of its realm.
        redis: A client of it.
        served: The service.
        peer_port: Of the peer.
        asking: The process that asks.
        opens_ns: When each stored trading day opened, nanoseconds UTC.
        counted: Every load so far, by what was asked.
    """

    plan: ApiPlan
    home: Path
    redis_url: str
    redis: AlgoTraderRedisClient
    served: Served
    peer_port: int
    asking: Child
    opens_ns: list[int]
    counted: list[tuple[str, LoadResult]] = field(default_factory=list)

    def ask(self, name: str, *paths: str, **options: object) -> LoadResult:
        """Ask the service.

        Args:
            name: For the count.
            paths: Asked in turn.
            options: As `LoadPlan` takes them.
        """
        return self._ask(name, self.served.port, paths, options)

    def ask_peer(self, name: str, *paths: str, **options: object) -> LoadResult:
        """Ask the peer, as `ask`."""
        return self._ask(f"{name}, peer", self.peer_port, paths, options)

    def _ask(
        self, name: str, port: int, paths: tuple[str, ...], options: dict[str, object]
    ) -> LoadResult:
        plan = LoadPlan(port, self.served.key, paths, seconds=self.plan.seconds)
        result = load(self.asking, replace(plan, **options))  # type: ignore[arg-type]
        self.counted.append((name, result))
        return result

    @property
    def lost(self) -> int:
        """How many requests had no full answer of status 200."""
        return sum(each.sent - each.answered for _, each in self.counted)

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(each.sent for _, each in self.counted)


def quotes_path(first: int = 0, more: str = "") -> str:
    """Return the question for 5 KB of newest quotes.

    Args:
        first: Number of the first symbol.
        more: A further symbol.
    """
    names = [symbol_name(first + number) for number in range(QUOTES_5_KB)]
    return f"/api/v1/quotes?symbols={','.join([*names, *([more] if more else [])])}"


@contextmanager
def opened(plan: ApiPlan) -> Iterator[Bench]:
    """Seed a home of its own, serve it and the peer for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="at-") as text, ExitStack() as stack:
        home, folder = Path(text) / "home", Path(text) / "peer"
        folder.mkdir()
        realm = Realm.sim(home)
        opens_ns = seed_bars(Archive(realm.archive), folder, plan.days)
        settings = replace(
            load_settings({}, environment={"ALGO_TRADER_HOME": str(home)}, workspace=home),
            probe_default_ports=False,
        )
        scopes = frozenset({KeyScope.READ_TICKS, KeyScope.READ_OPTIONS})
        _, key = KeyStore.of(realm).create("bench", scopes, rate_per_minute=_UNLIMITED)
        services = stack.enter_context(Services(settings, realm))
        url = services.redis_url()
        redis = stack.enter_context(AlgoTraderRedisClient(url, realm))
        with feeder_process(home, url, 100 * plan.ticks, _FIRST_FRAMES) as first:
            first.answer()
        served = stack.enter_context(Served(home, key))
        (folder / JSON_FILE).write_bytes(served.get(f"{CANDLES}{ROWS_5_KB}")[1])
        (folder / ARROW_FILE).write_bytes(served.get(f"{CANDLES}{ROWS_ARROW}", ARROW)[1])
        peer, peer_port = peer_process(folder, key)
        stack.enter_context(peer)
        asking = stack.enter_context(load_process())
        yield Bench(plan, home, url, redis, served, peer_port, asking, opens_ns)
