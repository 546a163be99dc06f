"""The protocol over standard input and output, for a model's program on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from mcp.server.stdio import stdio_server

from system.algo_trader.api.http.work import Work
from system.algo_trader.api.live.frame_tail import FrameTail
from system.algo_trader.api.live.live_ticks import LiveTicks
from system.algo_trader.api.model_tools.server import ModelServer
from system.algo_trader.api.model_tools.status import status_in_short
from system.algo_trader.api.model_tools.tool import model_tools
from system.algo_trader.api.operations.ready_influxdb import ReadyInfluxDB
from system.algo_trader.api.operations.sql_sandbox import SqlSandbox
from system.algo_trader.api.operations.status_board import StatusBoard
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.checks import check_health
from system.algo_trader.health.error_registry import ErrorRegistry
from system.algo_trader.runtime import Runtime
from system.algo_trader.storage.hot_keys import TICKS

_FIRST_ENTRIES: Final = 2000
_LOOK_S: Final = 15.0


async def serve_stdio(runtime: Runtime) -> None:
    """Answer until standard input ends.

    Whoever started this program may read all that it can: there are no keys.

    Args:
        runtime: Of this process.

    Raises:
        StackError: If its stores cannot be opened.
    """
    with ExitStack() as stack:
        server = _server(runtime, stack)
        async with stdio_server() as (reading, writing):
            await server.protocol.run(
                reading, writing, server.protocol.create_initialization_options()
            )


def _server(runtime: Runtime, stack: ExitStack) -> ModelServer:
    clock, live, work = runtime.clock, LiveTicks(), Work()
    stack.callback(work.close)
    stores = Stores(
        runtime.realm, runtime.archive, runtime.redis, ReadyInfluxDB(runtime), live, clock
    )
    # A client of its own: its answers are waited for.
    redis = stack.enter_context(
        AlgoTraderRedisClient(runtime.services.redis_url(), runtime.realm, clock=clock)
    )
    tail = FrameTail(
        redis,
        TICKS.of(),
        live.add,
        away=live.away,
        back=lambda lost: live.back(lost=lost),
        lost=lambda after, before: None,
        clock=clock,
        begin=_FIRST_ENTRIES,
    )
    tail.start()
    stack.callback(tail.close)
    errors = ErrorRegistry(runtime.redis, clock)

    def counted() -> Mapping[str, Any]:
        return {str(name): count for name, count in errors.counts().items()}

    board = StatusBoard(
        runtime,
        stores,
        health=lambda: check_health(runtime).as_dict(),
        errors=counted,
        requests=dict,
    )
    board.start()
    stack.callback(board.close)

    def status() -> Mapping[str, Any]:
        board.wait(_LOOK_S)
        return status_in_short(board.document())

    tools = model_tools(stores, SqlSandbox(runtime.archive, clock), status)
    return ModelServer(tools, work, clock, may=lambda _: True)
