"""How fast the embedded InfluxDB server takes points in and answers, over its own wire.

The server runs as a process of its own, and so does each writer: a benchmark of one machine with
client and server on it. Peers are what else the machine has: DuckDB over the same rows for
queries, VictoriaMetrics and InfluxDB 1 for ingest where they are installed.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.flight as flight

from infrastructure.clock import Clock, SystemClock
from infrastructure.influxdb.embedded.limits import Limits
from infrastructure.influxdb.embedded.store import Store
from infrastructure.influxdb.encode import encode_lines
from infrastructure.influxdb.parse import parse_lines
from infrastructure.supervision import module_command
from system.algo_trader.benchmarks.report import BenchRow
from system.algo_trader.benchmarks.storage import CANDLES, seeded_candles

POINTS: Final = 1_000_000
BATCH: Final = 10_000
ONE_WRITER_PER_S: Final = 5e5
TWO_WRITERS_PER_S: Final = 1e6
BARS_MS: Final = 50.0
LAST_VALUE_MS: Final = 5.0
FULL_READ_MS: Final = 200.0
BYTES_PER_ROW: Final = 200.0
REPLAY_PER_S: Final = 1e6
DEADLINE_S: Final = 60.0

_MODULE = "infrastructure.influxdb.embedded"
_BARS = (
    "SELECT date_bin(INTERVAL '1 hour', time) AS hour, "
    "first_value(open ORDER BY time) AS open, max(high) AS high, min(low) AS low, "
    "last_value(close ORDER BY time) AS close, sum(volume) AS volume "
    "FROM candles WHERE symbol = 'SYM07' GROUP BY 1 ORDER BY 1"
)
_DUCK_BARS = (
    "SELECT time // 3600000000000 AS hour, arg_min(open, time) AS open, max(high) AS high, "
    "min(low) AS low, arg_max(close, time) AS close, sum(volume) AS volume "
    "FROM candles WHERE symbol = 'SYM07' GROUP BY 1 ORDER BY 1"
)
_LAST = "SELECT * FROM last_cache('candles')"
_DUCK_LAST = "SELECT symbol, arg_max(close, time) FROM candles GROUP BY symbol"


class ServerProcess:
    """The embedded server as a process on a folder.

    Args:
        folder: Its data folder.
        clock: Measures how long the start may take.

    Raises:
        RuntimeError: If it does not start.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        announced = folder.with_suffix(".json")
        announced.unlink(missing_ok=True)
        argv, env = module_command(
            _MODULE, "--data", str(folder), "--port", "0", "--endpoint-file", str(announced),
            "--log-level", "WARNING",
        )  # fmt: skip
        self.process = subprocess.Popen(argv, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_S
        while not announced.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the embedded server did not start")
            self._clock.sleep(0.005)
        self.url = str(json.loads(announced.read_text())["url"])

    def resident_bytes(self) -> int:
        """Return the memory that the process has in RAM (Linux and macOS)."""
        text = subprocess.check_output(["ps", "-o", "rss=", "-p", str(self.process.pid)])
        return int(text) * 1024

    def post(self, path: str, body: bytes) -> int:
        """Send one request and return the status."""
        return send(self.url, [(path, body)])[0]

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.wait()


def send(url: str, requests: list[tuple[str, bytes]]) -> list[int]:
    """Send POST requests one after the other over one connection and return their statuses."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=DEADLINE_S)
    statuses = []
    try:
        for path, body in requests:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    finally:
        connection.close()
    return statuses


def run(count: int = POINTS) -> list[BenchRow]:
    """Measure ingest, memory, replay and queries.

    Args:
        count: How many points a measurement takes.
    """
    candles = seeded_candles(count)
    blocks = list(encode_lines(CANDLES, candles, compiled=True, block_lines=BATCH))
    rows: list[BenchRow] = []
    with tempfile.TemporaryDirectory(prefix="algo-trader-bench-") as text:
        folder = Path(text)
        rows += _ingest(folder, blocks, count)
        rows.append(_replay(folder / "replayed", candles, blocks))
        rows += _memory_and_queries(folder / "queried", blocks, candles)
    return rows


def _ingest(folder: Path, blocks: list[bytes], count: int) -> list[BenchRow]:
    rows = []
    path = "/api/v3/write_lp?db=bench&precision=ns"
    for writers, budget in ((1, ONE_WRITER_PER_S), (2, TWO_WRITERS_PER_S)):
        server = ServerProcess(folder / f"ingest-{writers}")
        try:
            # The kernels load after the first points: a start-up cost, not a rate.
            send(server.url, [(path.replace("bench", "warm"), block) for block in blocks[:10]])
            ours = count / _written(server.url, path, blocks, writers)
        finally:
            server.kill()
        name = f"ingest {count:,} points over HTTP, {writers} writer{'s'[: writers - 1]}"
        peers = _ingest_peers(folder, blocks, writers)
        if not peers:
            rows.append(
                BenchRow(
                    name, "points/s", ours, "at least", budget,
                    "victoria-metrics, influxd (not installed)",
                )
            )  # fmt: skip
        for peer, seconds in peers:
            rows.append(BenchRow(name, "points/s", ours, "at least", budget, peer, count / seconds))
    return rows


def _ingest_peers(folder: Path, blocks: list[bytes], writers: int) -> list[tuple[str, float]]:
    """Return the peers that are installed and the seconds that each took for the same points."""
    found = []
    for name, command, path in (
        ("victoria-metrics", _victoria, "/write?precision=ns"),
        ("influxd", _influxd, "/write?db=bench&precision=ns"),
    ):
        program = shutil.which(name)
        if program is None:
            continue
        place = folder / f"{name}-{writers}"
        place.mkdir()
        port = free_port()
        process = subprocess.Popen(
            [program, *command(place, port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process)
            if name == "influxd":
                send(url, [("/query?q=CREATE%20DATABASE%20bench", b"")])
            found.append((name, _written(url, path, blocks, writers)))
        finally:
            process.kill()
            process.wait()
    return found


def _victoria(folder: Path, port: int) -> list[str]:
    address = f"-httpListenAddr=127.0.0.1:{port}"
    return [address, f"-storageDataPath={folder}", "-retentionPeriod=100y"]


def _influxd(folder: Path, port: int) -> list[str]:
    settings = folder / "influxd.conf"
    settings.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\n  dir = "{folder}/meta"\n'
        f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n'
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n'
        "  max-body-size = 0\n[monitor]\n  store-enabled = false\n"
    )
    return ["-config", str(settings)]


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server takes connections.

    Raises:
        RuntimeError: If it does not in time.
    """
    parts = urlsplit(url)
    clock = SystemClock()
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            socket.create_connection((str(parts.hostname), int(parts.port or 0))).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args!r} did not start") from None
            clock.sleep(0.02)
        else:
            return


def _written(url: str, path: str, blocks: list[bytes], writers: int) -> float:
    """Return the seconds in which writer processes got all blocks acknowledged."""
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(writers + 1)
    failed = context.Value("i", 0)

    def write(mine: list[bytes]) -> None:
        gate.wait()
        statuses = send(url, [(path, block) for block in mine])
        if any(status != http.client.NO_CONTENT for status in statuses):
            failed.value = 1

    processes = [
        context.Process(target=write, args=(blocks[start::writers],)) for start in range(writers)
    ]
    for process in processes:
        process.start()
    gate.wait()
    started = time.perf_counter()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - started
    if failed.value or any(process.exitcode for process in processes):
        raise RuntimeError(f"{url} refused a part of the points")
    return seconds


def _memory_and_queries(folder: Path, blocks: list[bytes], candles: pa.Table) -> list[BenchRow]:
    count = candles.num_rows
    server = ServerProcess(folder)
    cache = {"db": "bench", "table": "candles", "key_columns": ["symbol"]}
    try:
        send(server.url, [("/api/v3/write_lp?db=warm", block) for block in blocks[:10]])
        empty = server.resident_bytes()
        _written(server.url, "/api/v3/write_lp?db=bench", blocks[:1], 1)
        server.post("/api/v3/configure/last_cache", json.dumps(cache).encode())
        _written(server.url, "/api/v3/write_lp?db=bench", blocks[1:], 2)
        peak = (server.resident_bytes() - empty) / count
        with _asker(server.url) as ask:
            rows = _queries(ask, candles)
        settled = (server.resident_bytes() - empty) / count
        text = sum(map(len, blocks)) / count
        for name, ours, budget in (
            (f"memory a row, {count:,} rows written and queried", settled, BYTES_PER_ROW),
            (f"memory a row at the last of {count:,} acknowledgements", peak, BYTES_PER_ROW),
        ):
            peer = "a line's length"
            rows.append(BenchRow(name, "bytes", ours, "at most", budget, peer, text))
    finally:
        server.kill()
    return rows


def _replay(folder: Path, candles: pa.Table, blocks: list[bytes]) -> BenchRow:
    """Measure how fast the log is read back: what a start after kill -9 adds to one without."""
    unflushed = Limits(flush_rows=2**62, flush_log_bytes=2**62)
    store = Store(folder, limits=unflushed)
    for block in blocks:
        store.write("bench", parse_lines(block, precision="ns", now_ns=0, compiled=True))
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    store.close()
    started = time.perf_counter()
    with_rows = Store(copy, limits=unflushed)
    seconds = time.perf_counter() - started
    (table,) = with_rows.tables("bench").values()
    if table.hot_rows != candles.num_rows:
        raise RuntimeError(f"{table.hot_rows} of {candles.num_rows} rows came back")
    with_rows.close()
    return BenchRow(
        f"replay {candles.num_rows:,} rows of the log", "rows/s", candles.num_rows / seconds,
        "at least", REPLAY_PER_S,
    )  # fmt: skip


@contextmanager
def _asker(url: str) -> Iterator[Callable[[str], pa.Table]]:
    with flight.connect(url.replace("http", "grpc", 1)) as connection:

        def ask(sql: str) -> pa.Table:
            ticket = {"database": "bench", "sql_query": sql, "query_type": "sql"}
            found: pa.Table = connection.do_get(flight.Ticket(json.dumps(ticket))).read_all()
            return found

        yield ask


def _queries(ask: Callable[[str], pa.Table], candles: pa.Table) -> list[BenchRow]:
    import duckdb

    with duckdb.connect() as peer:
        peer.execute("SET threads = 2")
        peer.register("candles", candles)

        def duck(sql: str) -> Any:
            return peer.sql(sql).to_arrow_table()

        count = f"{candles.num_rows:,}"
        table = (
            (f"1 h bars of one symbol out of {count} rows, Flight", BARS_MS, _BARS, _DUCK_BARS),
            ("last row a symbol (last_cache), Flight", LAST_VALUE_MS, _LAST, _DUCK_LAST),
            (
                f"full read of {count} rows, Flight", FULL_READ_MS,
                "SELECT * FROM candles", "SELECT * FROM candles",
            ),
        )  # fmt: skip
        return [
            BenchRow(
                name, "ms", _median_ms(partial(ask, ours)), "at most", budget,
                "duckdb in process, over Arrow", _median_ms(partial(duck, theirs)),
            )
            for name, budget, ours, theirs in table
        ]  # fmt: skip


def _median_ms(work: Callable[[], object], repeats: int = 9) -> float:
    """Return the median wall-clock time; the other side is another process."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[repeats // 2] * 1000
