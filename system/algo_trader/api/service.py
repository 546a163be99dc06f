"""The service of one realm: its parts wired, started and ended."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa

from infrastructure.errors import PortTaken
from infrastructure.logging import get_logger
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.browser_session import Sessions
from system.algo_trader.api.access.doorkeeper import Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.access.origin_guard import allowed_hosts
from system.algo_trader.api.flight.admission import FlightAdmission
from system.algo_trader.api.flight.server import FlightService
from system.algo_trader.api.http.application import Parts, application
from system.algo_trader.api.http.control import Control, change_server
from system.algo_trader.api.http.error_routes import error_routes
from system.algo_trader.api.http.figures import Figures
from system.algo_trader.api.http.gate import Admission, Gate
from system.algo_trader.api.http.hot_routes import HotRoutes
from system.algo_trader.api.http.operation_route import Desk
from system.algo_trader.api.http.sql_route import sql_routes
from system.algo_trader.api.live.frame_tail import FrameTail
from system.algo_trader.api.live.hub import Hub
from system.algo_trader.api.live.live_ticks import LiveTicks
from system.algo_trader.api.live.rows import bar_rows, tick_rows
from system.algo_trader.api.model_tools.http_app import ModelApp
from system.algo_trader.api.model_tools.server import PATH, ModelServer
from system.algo_trader.api.model_tools.status import status_in_short
from system.algo_trader.api.model_tools.tool import model_tools
from system.algo_trader.api.operations.ready_influxdb import ReadyInfluxDB
from system.algo_trader.api.operations.sql_sandbox import SqlSandbox
from system.algo_trader.api.operations.status_board import StatusBoard
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.checks import check_health
from system.algo_trader.health.error_registry import ErrorRegistry
from system.algo_trader.health.escalation import escalate_due, webhook_of
from system.algo_trader.options.synthetic import synthetic_chain
from system.algo_trader.pipeline.turns import short_turns
from system.algo_trader.runtime import Runtime
from system.algo_trader.storage.hot_keys import BARS, TICKS

_ERRORS_SHOWN: Final = 20
_ESCALATE_S: Final = 5.0
FIRST_ENTRIES: Final = 2000
"""How much of the stream is read at the start: the last ticks are there at once."""
_log = get_logger("api.service")


class Service:
    """Serve one realm; used as a context, inside a running event loop.

    Args:
        runtime: Of this process.
        host: Where the service will listen.
        port: Its port.
        names: Further names under which it answers.
        tls: PEM files of its certificate and of the certificate's key; None without TLS.
        owner_secret: What the owner's programs on this machine show; "" for nothing.
        flight_port: For Flight; 0 for none.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        host: str,
        port: int,
        names: tuple[str, ...] = (),
        tls: tuple[Path, Path] | None = None,
        owner_secret: str = "",
        flight_port: int = 0,
    ) -> None:
        self.runtime = runtime
        clock, realm = runtime.clock, runtime.realm
        self.live = LiveTicks()
        self.stores = Stores(
            realm, runtime.archive, runtime.redis, ReadyInfluxDB(runtime), self.live, clock
        )
        self.desk = Desk(self.stores)
        self.figures = Figures()
        self.audit = Audit.of(realm, clock)
        self.doorkeeper = Doorkeeper(KeyStore.of(realm, clock), owner_secret, clock)
        self.admission = Admission(
            self.doorkeeper,
            Sessions(clock),
            self.audit,
            self.figures,
            allowed_hosts(host, port, names),
            tls is not None,
        )
        self.errors = ErrorRegistry(runtime.redis, clock)
        self._ending = threading.Event()
        self.ticks, self.bars = Hub(tick_rows), Hub(bar_rows, of="series")
        self.board = StatusBoard(
            runtime,
            self.stores,
            health=lambda: check_health(runtime).as_dict(),
            errors=self._errors,
            requests=self._requests,
        )
        control = Control(
            runtime, self.desk.work, self.board, lambda n, a: change_server(runtime, n, a)
        )
        sandbox = SqlSandbox(runtime.archive, clock)
        tools = model_tools(self.stores, sandbox, lambda: status_in_short(self.board.document()))
        self.models = ModelApp(ModelServer(tools, self.desk.work, clock))
        self.parts = Parts(
            self.desk,
            self.board,
            self.admission,
            self.ticks,
            self.bars,
            control,
            lambda: self._is_ready,
            {},
            (
                error_routes(self.errors, self.desk.work, self.board),
                sql_routes(sandbox, self.desk),
            ),
            {PATH: self.models},
        )
        self.app = Gate(HotRoutes.of(application(self.parts)), self.admission, clock)
        self._is_ready = False
        self._host, self._flight_port, self._tls = host, flight_port, tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        # Ticks are read and answers are made by threads: a request waits for one turn of each.
        self._stack.enter_context(short_turns())
        self._stack.callback(self.desk.work.close)
        self.audit.start()
        self._stack.callback(self.audit.close)
        for stream, hub, take, begin in (
            (TICKS.of(), self.ticks, self.live.add, FIRST_ENTRIES),
            (BARS.of(), self.bars, None, 0),
        ):
            tail = self._tail(stream, hub, take, begin)
            tail.start()
            self._stack.callback(tail.close)
        escalating = threading.Thread(target=self._escalate, name="escalation", daemon=True)
        escalating.start()
        self._stack.callback(self._end_escalation, escalating)
        self.board.start()
        self._stack.callback(self.board.close)
        await self.models.start()
        self._loop.run_in_executor(None, self._warm)
        if self._flight_port:
            self._stack.callback(self._start_flight().close)
        self._is_ready = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_ready = False
        await self.models.close()
        await asyncio.to_thread(self._stack.close)

    def _warm(self) -> None:
        """Load what is compiled before somebody asks for it."""
        chain = synthetic_chain(expiries=1, strikes=5)
        self.stores.terms.report(chain, chain.as_of_ns)

    def _start_flight(self) -> FlightService:
        admission = FlightAdmission(self.doorkeeper, self.audit)
        certificate, key = self._tls if self._tls is not None else (None, None)
        try:
            return FlightService(
                self.stores,
                admission,
                self._host,
                self._flight_port,
                certificate=certificate,
                key=key,
            )
        except (pa.ArrowException, OSError) as error:
            raise PortTaken(
                f"Flight cannot listen at {self._host}:{self._flight_port}",
                next_step="Choose another one with --flight-port, or 0 for none.",
            ) from error

    def _tail(
        self, stream: str, hub: Hub, take: Callable[[pa.Table, str], None] | None, begin: int
    ) -> FrameTail:
        loop = self._loop
        assert loop is not None
        # A client of its own: its answers are waited for.
        redis = self._stack.enter_context(
            AlgoTraderRedisClient(
                self.runtime.services.redis_url(), self.runtime.realm, clock=self.runtime.clock
            )
        )

        def taken(frame: pa.Table, entry: str) -> None:
            if take is not None:
                take(frame, entry)
            if len(hub):
                loop.call_soon_threadsafe(hub.publish, frame, entry)

        def lost(after: str, before: str) -> None:
            loop.call_soon_threadsafe(hub.lose, after, before)

        is_ticks = take is not None
        return FrameTail(
            redis,
            stream,
            taken,
            away=self.live.away if is_ticks else lambda _: None,
            back=(lambda lost: self.live.back(lost=lost)) if is_ticks else lambda _: None,
            lost=lost,
            clock=self.runtime.clock,
            begin=begin,
        )

    def _errors(self) -> Mapping[str, Any]:
        """Return what is registered."""
        counts = self.errors.counts()
        recent = [each.as_dict() for each in self.errors.entries(limit=_ERRORS_SHOWN)]
        return {**{str(name): count for name, count in counts.items()}, "recent": recent}

    def _escalate(self) -> None:
        """Tell the webhook of what has been open for too long, again and again."""
        settings, runtime = self.runtime.settings, self.runtime
        webhook = webhook_of(settings)
        while not self._ending.wait(_ESCALATE_S):
            escalate_due(
                self.errors,
                webhook,
                after_s=settings.error_escalation_s,
                realm=runtime.realm,
                clock=runtime.clock,
            )

    def _end_escalation(self, thread: threading.Thread) -> None:
        self._ending.set()
        thread.join(2.0)

    def _requests(self) -> Mapping[str, Any]:
        cache = self.desk.cache
        assert self._loop is not None
        return {
            **self.figures.recent(self._loop.time()),
            "cache_hits": cache.hits,
            "cache_misses": cache.misses,
        }
