"""The service of one realm: its parts wired, started and ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import pyarrow as pa
from starlette.types import ASGIApp

from infrastructure.logging import get_logger
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.browser_session import Sessions
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.access.origin_guard import allowed_hosts
from system.algo_trader.api.access.rate_limit import RateLimits
from system.algo_trader.api.http.application import Parts, application
from system.algo_trader.api.http.control import Control, change_server
from system.algo_trader.api.http.figures import Figures
from system.algo_trader.api.http.gate import Admission, Gate
from system.algo_trader.api.http.operation_route import Desk
from system.algo_trader.api.live.frame_tail import FrameTail
from system.algo_trader.api.live.hub import Hub
from system.algo_trader.api.live.live_ticks import LiveTicks
from system.algo_trader.api.live.rows import bar_rows, tick_rows
from system.algo_trader.api.operations.status_board import StatusBoard
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.checks import check_health
from system.algo_trader.runtime import Runtime
from system.algo_trader.storage.hot_keys import BARS, TICKS

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
        is_secure: Whether it speaks TLS.
        mounts: Further applications by path.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        host: str,
        port: int,
        names: tuple[str, ...] = (),
        is_secure: bool = False,
        mounts: Mapping[str, ASGIApp] | None = None,
    ) -> None:
        self.runtime = runtime
        clock, realm = runtime.clock, runtime.realm
        self.live = LiveTicks()
        self.stores = Stores(
            realm, runtime.archive, runtime.redis, lambda: runtime.influxdb, self.live, clock
        )
        self.desk = Desk(self.stores)
        self.figures = Figures()
        self.audit = Audit.of(realm, clock)
        self.admission = Admission(
            KeyStore.of(realm, clock),
            Sessions(clock),
            RateLimits(clock),
            self.audit,
            self.figures,
            allowed_hosts(host, port, names),
            is_secure,
        )
        self.ticks, self.bars = Hub(tick_rows), Hub(bar_rows, of="series")
        self.board = StatusBoard(
            runtime,
            self.stores,
            health=self._health,
            errors=lambda: {"open": 0, "acknowledged": 0, "recent": []},
            requests=self._requests,
        )
        control = Control(
            runtime, self.desk.work, self.board, lambda n, a: change_server(runtime, n, a)
        )
        self.parts = Parts(
            self.desk,
            self.board,
            self.admission,
            self.ticks,
            self.bars,
            control,
            lambda: self._is_ready,
            mounts or {},
        )
        self.app = Gate(application(self.parts), self.admission, clock)
        self._is_ready = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
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
        self.board.start()
        self._stack.callback(self.board.close)
        self._is_ready = True
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ready = False
        self._stack.close()

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

        is_ticks = take is not None
        return FrameTail(
            redis,
            stream,
            taken,
            away=self.live.away if is_ticks else lambda _: None,
            back=(lambda lost: self.live.back(lost=lost)) if is_ticks else lambda _: None,
            clock=self.runtime.clock,
            begin=begin,
        )

    def _health(self) -> Mapping[str, Any]:
        checks = check_health(self.runtime)
        worst = max(checks, key=lambda check: check.severity)
        return {"state": worst.state, "checks": [check.as_dict() for check in checks]}

    def _requests(self) -> Mapping[str, Any]:
        cache = self.desk.cache
        assert self._loop is not None
        return {
            **self.figures.recent(self._loop.time()),
            "cache_hits": cache.hits,
            "cache_misses": cache.misses,
        }
