"""How the service answers a hundred clients at once, and a steady rate while ticks come in."""

from __future__ import annotations

from typing import Final

from system.algo_trader.benchmarks.api_bench import (
    CANDLES,
    PEER,
    ROWS_5_KB,
    ROWS_ARROW,
    Bench,
    quotes_path,
)
from system.algo_trader.benchmarks.api_load import LoadResult
from system.algo_trader.benchmarks.api_peer import ARROW
from system.algo_trader.benchmarks.api_processes import feeder_process
from system.algo_trader.benchmarks.processes import Usage
from system.algo_trader.benchmarks.report import BenchRow

JSON_P95_MS: Final = 20.0
JSON_PER_S: Final = 10_000
CACHED_P95_MS: Final = 10.0
ARROW_P95_MS: Final = 50.0
_WARM_S: Final = 0.5
_QUESTIONS: Final = 10


def saturated(bench: Bench) -> list[BenchRow]:
    """Measure as many requests as are answered, no ticks coming in, beside the peer."""
    who = f"API, {bench.plan.connections} clients"
    live, stored = quotes_path(), f"{CANDLES}{ROWS_5_KB}"
    as_json = _asked(bench, "5 KB JSON", live)
    json_peer = _asked_of_peer(bench, "5 KB JSON", "/json")
    cached = _asked(bench, "cached", stored)
    cached_peer = _asked_of_peer(bench, "cached", "/cached")
    arrow = _asked(bench, "Arrow", f"{CANDLES}{ROWS_ARROW}", accept=ARROW)
    arrow_peer = _asked_of_peer(bench, "Arrow", "/arrow", accept=ARROW)
    new = _asked(bench, "new questions", quotes_path(more="N{n}"))
    kb = f"{as_json.body_bytes / 1e3:.1f} KB"
    of_arrow = f"{ROWS_ARROW} rows Arrow ({arrow.body_bytes / 1e3:.0f} KB)"
    encoded, ready = f"{PEER}, JSONResponse", f"{PEER}, ready bytes"
    return [
        _p95(f"{who}, {kb} JSON of live quotes, p95", as_json, JSON_P95_MS, encoded, json_peer),
        _rate(f"{who}, {kb} JSON of live quotes", as_json, JSON_PER_S, encoded, json_peer),
        _p95(f"{who}, {kb} cached, p95", cached, CACHED_P95_MS, ready, cached_peer),
        _rate(f"{who}, {kb} cached", cached, None, ready, cached_peer),
        _p95(f"{who}, {of_arrow}, p95", arrow, ARROW_P95_MS, ready, arrow_peer),
        _rate(f"{who}, {of_arrow}", arrow, None, ready, arrow_peer),
        BenchRow(
            f"{who}, {kb} JSON, no question twice: found and encoded each time",
            *("requests/s", new.per_s, "at least", None),
        ),
    ]


def while_ticks_come(bench: Bench) -> list[BenchRow]:
    """Measure a steady rate while the service reads a busy stream along, beside the peer."""
    plan, served = bench.plan, bench.served
    paths = [quotes_path(100 * number) for number in range(_QUESTIONS)]
    lag_before = served.status()["stream"]["lost"]
    feeder = feeder_process(bench.home, bench.redis_url, plan.ticks)
    with feeder:
        bench.ask("warm-up", *paths, rate=plan.rate, seconds=_WARM_S)
        usage = Usage({"service": served.pid, "clients": bench.asking.pid, "feeder": feeder.pid})
        found = bench.ask("paced", *paths, rate=plan.rate)
        cores = usage.cores()
        bench.ask_peer("warm-up", "/json", rate=plan.rate, seconds=_WARM_S)
        peer = bench.ask_peer("paced", "/json", rate=plan.rate)
        feeder.say("end")
        fed = feeder.answer()
    stream = served.status()["stream"]
    what = f"{plan.rate:,} requests/s while {plan.ticks:,} ticks/s of {stream['symbols']:,} symbols"
    used = ", ".join(f"{name} {share:.2f}" for name, share in cores.items())
    return [
        _p95(
            f"API, {what} come in, p95 since the instant meant (cores: {used})",
            *(found, JSON_P95_MS, f"{PEER} that reads no ticks", peer),
        ),
        BenchRow(
            "API, ticks/s written beside it", "ticks/s", fed["ticks"] / fed["took_s"], "at least",
            0.98 * plan.ticks,
        ),
        BenchRow(
            "API, times that ticks left the stream unread",
            *("times", float(stream["lost"] - lag_before), "at most", 0.0),
        ),
    ]  # fmt: skip


def _asked(bench: Bench, name: str, path: str, **options: object) -> LoadResult:
    options |= {"connections": bench.plan.connections}
    bench.ask(f"{name}, warm-up", path, **{**options, "seconds": _WARM_S})
    return bench.ask(name, path, **options)


def _asked_of_peer(bench: Bench, name: str, path: str, **options: object) -> LoadResult:
    options |= {"connections": bench.plan.connections}
    bench.ask_peer(f"{name}, warm-up", path, **{**options, "seconds": _WARM_S})
    return bench.ask_peer(name, path, **options)


def _p95(name: str, found: LoadResult, budget: float, peer_name: str, peer: LoadResult) -> BenchRow:
    return BenchRow(name, "ms", found.p95_ms, "at most", budget, peer_name, peer.p95_ms)


def _rate(
    name: str, found: LoadResult, budget: float | None, peer_name: str, peer: LoadResult
) -> BenchRow:
    return BenchRow(name, "requests/s", found.per_s, "at least", budget, peer_name, peer.per_s)
