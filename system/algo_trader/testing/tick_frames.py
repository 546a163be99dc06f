"""Frames of ticks in the stream of a home, as a live feed writes them: for tests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from infrastructure.redis.frames import FrameWriter
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.market.ticks import KINDS, Ticks
from system.algo_trader.pipeline.run_notes import named_frame
from system.algo_trader.realm import Realm
from system.algo_trader.services import Services
from system.algo_trader.settings import load
from system.algo_trader.storage.hot_keys import TICKS


class TickFrames:
    """Write rows whose sequence and price are running numbers.

    Args:
        redis: Of the home's realm.
    """

    def __init__(self, redis: AlgoTraderRedisClient) -> None:
        self.redis = redis
        self.count = 0
        self._writer = FrameWriter(redis, TICKS.of(), TICKS.max_length or 1)

    def write(self, symbols: Sequence[str], frames: int = 1) -> list[int]:
        """Write frames with one row a symbol; return the sequence numbers."""
        first = self.count
        self._writer.write(self._frame(symbols) for _ in range(frames))
        return list(range(first, self.count))

    def _frame(self, symbols: Sequence[str]) -> pa.RecordBatch:
        order = np.arange(self.count, self.count + len(symbols))
        self.count += len(symbols)
        now_ns = time.time_ns()
        columns: dict[str, Any] = {}
        for name, kind in KINDS.items():
            columns[name] = np.full(len(order), now_ns) if name.startswith("ts_") else order
            columns[name] = columns[name].astype(kind)
        columns["symbol"] = np.arange(len(symbols))
        rows = Ticks(**columns).batch(pa.array(symbols, pa.string()))
        return named_frame(rows, "run", "LEVELONE_EQUITIES", "schwab-sim")


@contextlib.contextmanager
def tick_frames(home: Path) -> Iterator[TickFrames]:
    """Give out a writer for the Redis of a simulated home."""
    settings = load({}, environment={"ALGO_TRADER_HOME": str(home)}, workspace=home)
    realm = Realm.sim(home)
    with (
        Services(settings, realm) as services,
        AlgoTraderRedisClient(services.redis_url(), realm) as redis,
    ):
        yield TickFrames(redis)
