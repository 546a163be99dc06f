"""How much of a live market the pipeline carries, and whether anything is lost on the way.

A local Schwab in another process streams invented ticks over a real socket; the pipeline checks
them and puts them into a real Valkey, the archive and the embedded InfluxDB. What each place
holds at the end is counted there, and compared with what the source says it has sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from system.algo_trader.benchmarks.pipeline_counts import Plan
from system.algo_trader.benchmarks.pipeline_run import BURST, BURST_S, QUIET, measure
from system.algo_trader.benchmarks.report import BenchRow

BURSTS: Final = 3
LADDER: Final = (20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000)
TO_REDIS_MS: Final = 5.0


def run(symbols: int = 1_000, rate: int = 10_000, seconds: float = 60.0) -> Sequence[BenchRow]:
    """Measure one run: the steady rate, bursts of twenty times it, and the highest rate.

    Args:
        symbols: How many symbols.
        rate: Updates a second.
        seconds: How long.
    """
    counted = measure(Plan(symbols, rate, seconds, bursts=BURSTS, ladder=LADDER))
    what = f"{symbols:,} symbols, {rate:,} updates/s, {seconds:g} s"
    rows = [
        BenchRow(f"updates carried, {what}", "updates/s", counted.carried, "at least", 0.99 * rate),
        BenchRow(
            "updates lost between source, Redis, archive and InfluxDB, all of the run",
            *("updates", counted.lost, "at most", 0.0),
        ),
        BenchRow(f"socket to Redis, p50, {what}", "ms", counted.p50_ms, "at most"),
        BenchRow(f"socket to Redis, p99, {what}", "ms", counted.p99_ms, "at most", TO_REDIS_MS),
        BenchRow(
            f"growth of memory, {what}", "%", max(100 * counted.rss_growth, 0.0), "at most", 5.0
        ),
    ]
    if counted.bursts:
        quiet = rate // QUIET
        rows += [
            BenchRow(
                f"least of {BURSTS} bursts of {BURST} times {quiet:,} updates/s, {BURST_S:g} s",
                *("updates/s", min(counted.bursts), "at least", 0.9 * BURST * quiet),
            ),
            BenchRow(
                "socket to Redis within bursts, p99",
                *("ms", counted.burst_p99_ms or 0.0, "at most"),
            ),
        ]  # fmt: skip
    carried = [rung for rung in counted.rungs if rung.is_carried]
    broke = next((rung.broke for rung in counted.rungs if rung.broke), "nothing yet")
    if carried:
        best = max(carried, key=lambda rung: rung.received)
        used = ", ".join(f"{name} {cores:.2f}" for name, cores in best.cores.items())
        rows.append(
            BenchRow(
                f"highest rate without loss (cores: {used}; gives in first: {broke})",
                *("updates/s", best.received, "at least"),
            )
        )
    return rows
