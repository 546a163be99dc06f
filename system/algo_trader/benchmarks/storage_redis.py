"""How fast ticks go through one stream of a real Valkey: a frame an entry, or a tick an entry.

Both sides write, read as a consumer group and acknowledge, over the same server, and both get the
same ticks out. The peer is redis-py with an XADD a tick, many in one pipeline.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.clock import SystemClock
from infrastructure.errors import StackError
from infrastructure.influxdb.spool import Spool
from infrastructure.redis.embedded import configuration, server_program
from infrastructure.redis.frame_bus import FrameBus, row_count
from infrastructure.redis.frames import FrameReader
from system.algo_trader.benchmarks.report import BenchRow

TICKS: Final = 200_000
TICKS_PER_S: Final = 2e5
FRAME: Final = 100
"""Ticks of one frame: a stream of 1 000 symbols brings more in one message of Schwab's."""
REPEATS: Final = 3
_STREAM: Final = "ticks"
_GROUP: Final = "bench"
_SPOOL_BYTES: Final = 10**6
_START_S: Final = 30.0


def run(count: int = TICKS) -> list[BenchRow]:
    """Measure the way of ticks from their writer to the reader that acknowledges them.

    Args:
        count: How many ticks.
    """
    frames = ticks(count)
    with tempfile.TemporaryDirectory(prefix="at-") as text, _valkey(Path(text)) as path:
        url = f"unix://{path}"
        with BaseRedisClient(url, "bench") as client:
            spool = Spool(Path(text) / "spool", _SPOOL_BYTES, count=row_count)
            with closing(spool):
                ours = _best(count, client, lambda: _by_frames(client, spool, frames))
            theirs = _best(count, client, lambda: _by_ticks(client, frames))
    return [
        BenchRow(
            f"{count:,} ticks through one stream, {FRAME} a frame, read and acknowledged",
            "ticks/s",
            ours,
            "at least",
            TICKS_PER_S,
            "redis-py, XADD a tick in pipelines",
            theirs,
        )
    ]


def ticks(count: int) -> list[pa.RecordBatch]:
    """Return made-up ticks in frames, always the same."""
    rng = np.random.default_rng(7)
    symbols = np.array([f"SYM{number:03d}" for number in range(200)])
    frames = []
    for first in range(0, count, FRAME):
        size = min(FRAME, count - first)
        frames.append(
            pa.record_batch(
                {
                    "symbol": symbols[rng.integers(0, len(symbols), size)],
                    "ts_event": 1_700_000_000_000_000_000 + np.arange(first, first + size),
                    "price": np.round(100 + rng.standard_normal(size), 2),
                    "size": rng.integers(1, 1000, size),
                }
            )
        )
    return frames


def _by_frames(client: BaseRedisClient, spool: Spool, frames: list[pa.RecordBatch]) -> int:
    with closing(FrameBus(client, _STREAM, len(frames), spool)) as bus:
        bus.write(frames)
    reader, seen = FrameReader(client, _STREAM, _GROUP, "one"), [0]

    def count(rows: pa.Table) -> None:
        seen[0] += rows.num_rows

    while reader.drain(count):
        pass
    return seen[0]


def _by_ticks(client: BaseRedisClient, frames: list[pa.RecordBatch]) -> int:
    with client.asking("bench") as server:
        key = client.key(_STREAM)
        for frame in frames:
            pipeline = server.pipeline(transaction=False)
            for tick in frame.to_pylist():
                pipeline.xadd(key, tick)
            pipeline.execute()
        server.xgroup_create(key, _GROUP, id="0")
        seen = 0
        while answer := server.xreadgroup(_GROUP, "one", {key: ">"}, count=1000):
            pairs: Any = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1]
            entries = pairs[0] if pairs and isinstance(pairs[0], list) else pairs
            rows = [
                (
                    fields[b"symbol"].decode(),
                    int(fields[b"ts_event"]),
                    float(fields[b"price"]),
                    int(fields[b"size"]),
                )
                for _, fields in entries
            ]
            server.xack(key, _GROUP, *(entry for entry, _ in entries))
            seen += len(rows)
        return seen


def _best(count: int, client: BaseRedisClient, work: Callable[[], int]) -> float:
    """Return the best rate of several runs by the wall clock: the server is another process."""
    best = float("inf")
    for _ in range(REPEATS):
        client.delete(_STREAM)
        started = time.perf_counter()
        seen = work()
        best = min(best, time.perf_counter() - started)
        if seen != count:
            raise RuntimeError(f"{seen} of {count} ticks came through the stream")
    return count / best


@contextmanager
def _valkey(folder: Path) -> Iterator[Path]:
    """Run a server for the length of a block; yield its socket."""
    path = folder / "redis.sock"
    (folder / "data").mkdir()
    text = configuration(folder, socket_path=path, port=0, password="bench")
    without = "".join(line for line in text.splitlines(True) if not line.startswith("requirepass"))
    (folder / "valkey.conf").write_text(without)
    process = subprocess.Popen(
        [server_program(), folder / "valkey.conf"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    clock, deadline = SystemClock(), time.monotonic() + _START_S
    try:
        with BaseRedisClient(f"unix://{path}", "bench") as client:
            while True:
                try:
                    client.ping()
                    break
                except StackError:
                    if time.monotonic() > deadline:
                        raise
                    clock.sleep(0.01)
        yield path
    finally:
        process.kill()
        process.wait()
