"""The process that stores for a run: archive, InfluxDB and last quotes, beside the run's own.

It is started by `cold_process` with the number of its end of a pipe. It ends when it is told to,
or when the run has died: then what was not stored is in Redis, and the next run stores it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Final

from infrastructure.config import Secret
from infrastructure.logging import configure, get_logger, register_secret
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.pipeline.cold_messages import (
    SETTLE_S,
    Answer,
    Commit,
    Done,
    End,
    EndRun,
    Failed,
    Places,
    Project,
    Request,
)
from system.algo_trader.pipeline.cold_store import ColdStore
from system.algo_trader.pipeline.keeper import LocalKeeper
from system.algo_trader.pipeline.last_quotes import LastQuotes
from system.algo_trader.pipeline.pieces import Piece, RunFacts
from system.algo_trader.pipeline.redis_sink import Bus
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.hot_keys import BARS

LOCK_WAIT_S: Final = 300.0
"""How long a compaction or an import of another process may hold the archive."""
NICENESS: Final = 19
"""Storing yields to what carries ticks to Redis."""
REST: Final = 3.0
"""InfluxDB gets at most a quarter of one core's time, as long as it keeps up."""
_ROOM_WAIT_S: Final = 0.05
_log = get_logger("pipeline.cold_child")


class Storing:
    """Carry out what the run asks for.

    Args:
        cold: Where portions go.
        redis: Where last quotes go.
        bars: The way into the stream `bars`.
        tell: Sends an answer.
    """

    def __init__(
        self,
        cold: ColdStore,
        redis: AlgoTraderRedisClient,
        bars: Bus,
        tell: Callable[[Answer], None],
    ) -> None:
        self._cold = cold
        self._redis = redis
        self._bars = bars
        self._tell = tell
        self._keeper: LocalKeeper | None = None

    def carry_out(self, request: Request) -> bool:
        """Do what is asked; say whether to go on."""
        if isinstance(request, Piece):
            assert self._keeper is not None
            while not self._keeper.take(request):
                time.sleep(_ROOM_WAIT_S)
        elif isinstance(request, Project):
            self._cold.project(request.bars, request.metrics)
        elif isinstance(request, RunFacts):
            quotes = self._quotes(request)
            self._keeper = LocalKeeper(request, self._cold, self._tell, quotes, self._bars)
        elif isinstance(request, Commit):
            self._cold.commit(request.portions)
            self._tell(Done())
        elif isinstance(request, EndRun):
            assert self._keeper is not None
            self._tell(Done(self._keeper.close(request.timeout_s)))
        elif isinstance(request, End):
            self._tell(Done(self._cold.close(request.timeout_s)))
            return False
        return True

    def settle(self, timeout_s: float) -> None:
        """Send to InfluxDB what the archive has already: no later run would."""
        self._cold.close(timeout_s)

    def _quotes(self, facts: RunFacts) -> LastQuotes:
        is_simulated = "true" if facts.source.is_simulated else "false"
        about = {"source": str(facts.source), "is_synthetic": is_simulated}
        return LastQuotes(self._redis.hot_quotes(), facts.names, about)


def main(descriptor: int) -> int:
    """Serve one run over a pipe.

    Args:
        descriptor: Of this process's end.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # The run decides when it ends: it has been told too, and drains first.
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    pipe = Connection(descriptor)
    sending = threading.Lock()

    def tell(answer: Answer) -> None:
        with sending, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pipe.send(answer)

    try:
        places: Places = pipe.recv()
        configure(level=places.log_level, json_lines=places.log_json)
        with ExitStack() as stack:
            storing = _opened(places, stack, tell)
            try:
                while storing.carry_out(pipe.recv()):
                    pass
            except (EOFError, ConnectionResetError):
                _log.error("the run has died; the next one stores what it left in Redis")
                storing.settle(SETTLE_S)
                # The rest is in Redis under its mark: threads that are at it are not waited for.
                os._exit(1)
    except BaseException as error:
        tell(Failed(error))
        os._exit(1)
    return 0


def _opened(places: Places, stack: ExitStack, tell: Callable[[Answer], None]) -> Storing:
    token = places.influxdb_token
    if token is not None:
        register_secret(token)
    influx = AlgoTraderInfluxDBClient(
        places.influxdb_url, places.realm, None if token is None else Secret(token)
    )
    stack.enter_context(influx)
    redis = stack.enter_context(AlgoTraderRedisClient(places.redis_url, places.realm))
    archive = Archive(places.realm.archive_root / "archive", lock_timeout_s=LOCK_WAIT_S)
    bars = stack.enter_context(redis.frame_bus(BARS, None))
    return Storing(ColdStore(archive, influx, REST), redis, bars, tell)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
