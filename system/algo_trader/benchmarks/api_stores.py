"""How long the service takes where its stores are asked, and how seldom they have to be."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import pyarrow as pa

from system.algo_trader.benchmarks.api_bench import CANDLES, PEER, ROWS_5_KB, Bench
from system.algo_trader.benchmarks.api_home import OTHERS, YEAR_OF, keep_chains
from system.algo_trader.benchmarks.api_processes import get
from system.algo_trader.benchmarks.report import BenchRow

HOT_MS: Final = 10.0
YEAR_S: Final = 5.0
GEX_MS: Final = 100.0
HIT_MS: Final = 5.0
HIT_SHARE: Final = 99.5
HOT_ROWS: Final = 390
DASHBOARDS: Final = 20
"""Each polls every panel once a second."""
_PANELS: Final = 12
_CHAINS: Final = 8
_YEARS: Final = 3
_NS_PER_MINUTE: Final = 60_000_000_000
_NS_PER_S: Final = 1_000_000_000


def through_the_stores(bench: Bench) -> list[BenchRow]:
    """Measure questions that nobody has asked before, one at a time, and one that was."""
    return [_hot(bench), _year(bench), _gex(bench), _hit(bench)]


def _hot(bench: Bench) -> BenchRow:
    from infrastructure.clock import rfc3339

    plan = bench.plan
    opens, count = bench.opens_ns[:-2], plan.queries
    # A minute more each time round: no question is asked twice.
    starts = [
        opens[number % len(opens)] + number // len(opens) * _NS_PER_MINUTE
        for number in range(count)
    ]
    paths = [f"{CANDLES}{HOT_ROWS}&start_time={rfc3339(start)}" for start in starts]
    peers = [f"/bars?start={start}&limit={HOT_ROWS}" for start in starts]
    alone = {"connections": 1, "most": count, "seconds": 60.0}
    found = bench.ask("hot query", *paths, **alone)
    peer = bench.ask_peer("hot query", *peers, **alone)
    return BenchRow(
        f"hot query through the API: {HOT_ROWS} 1-minute candles of one symbol, p95 of {count} "
        "that nobody had asked",
        *("ms", found.p95_ms, "at most", HOT_MS),
        *(f"{PEER}, DuckDB over one plain Parquet file", peer.p95_ms),
    )


def _year(bench: Bench) -> BenchRow:
    rows = 0
    times: list[float] = []
    peers: list[float] = []
    for number in range(_YEARS):
        # Longer than what is stored, and another question each time.
        path = f"/api/v1/candles?symbol={YEAR_OF}&timeframe=1m&limit={200_000 + number}"
        for port, asked, took in (
            (bench.served.port, f"{path}&start_time=2000-01-01", times),
            (bench.peer_port, "/year", peers),
        ):
            began_s = time.perf_counter()
            status, content = get(port, bench.served.key, asked)
            took.append(time.perf_counter() - began_s)
            rows = pa.ipc.open_stream(content).read_all().num_rows
            if status != 200 or rows < bench.plan.days:
                raise RuntimeError(f"{asked} gave {rows} rows, status {status}")
    return BenchRow(
        f"year query through the API: {rows:,} 1-minute candles streamed as Arrow",
        *("s", float(np.median(times)), "at most", YEAR_S),
        *(f"{PEER}, DuckDB over one plain Parquet file", float(np.median(peers))),
    )


def _gex(bench: Bench) -> BenchRow:
    names = [f"GEX{number}" for number in range(_CHAINS)]
    contracts = keep_chains(bench.redis, names)
    paths = [f"/api/v1/gex/{name}" for name in names]
    alone = {"connections": 1, "seconds": 60.0}
    bench.ask("GEX, warm-up", paths[0], **alone, most=1)
    found = bench.ask("GEX", *paths[1:], **alone, most=_CHAINS - 1)
    return BenchRow(
        f"GEX through the API, computed from the chain in Redis, {contracts:,} contracts, median",
        *("ms", found.p50_ms, "at most", GEX_MS),
    )


def _hit(bench: Bench) -> BenchRow:
    path = f"{CANDLES}{ROWS_5_KB}"
    bench.served.get(path)
    found = bench.ask("cache hit", path, connections=1, seconds=min(bench.plan.seconds, 2.0))
    return BenchRow("cache hit through the API, p95", "ms", found.p95_ms, "at most", HIT_MS)


def dashboards(bench: Bench) -> list[BenchRow]:
    """Let dashboards look at stored data for a while, and count who was answered by the cache.

    There are 20, and each asks 12 questions a second, evenly spread: ten panels of candles, the
    levels of a symbol, and the coverage of all.
    """
    symbols = (YEAR_OF, *OTHERS)
    panels = [
        f"/api/v1/candles?symbol={symbol}&timeframe=1m&limit={limit}"
        for symbol in symbols
        for limit in (60, HOT_ROWS)
    ]
    panels += [f"/api/v1/levels/{YEAR_OF}", "/api/v1/quality"]
    before = bench.served.status()["requests"]
    found = bench.ask(
        *("dashboards", *panels),
        connections=DASHBOARDS,
        rate=DASHBOARDS * _PANELS,
        seconds=bench.plan.session_s,
    )
    after = bench.served.status()["requests"]
    hits, misses = (after[name] - before[name] for name in ("cache_hits", "cache_misses"))
    if hits + misses != found.answered:
        raise RuntimeError(f"{hits + misses} judged by the cache, {found.answered} answered")
    who = f"{DASHBOARDS} dashboards, {_PANELS} panels each a second, {bench.plan.session_s:g} s"
    return [
        BenchRow(
            f"answers out of the cache, {who}: ten of candles, levels, coverage",
            *("%", 100.0 * hits / (hits + misses), "at least", HIT_SHARE),
        ),
        BenchRow(f"{who}, p95", "ms", found.p95_ms, "at most", None),
    ]
