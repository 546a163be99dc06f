"""`bench NAME`: budgets, our figures, peers' figures and ratios, measured in one run."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from system.algo_trader.benchmarks.report import BenchRow

app = typer.Typer(help="Measure budgets side by side with peers.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


CLOCK = "least processor time of several runs; the wall clock where a server or a disk is asked"


@app.command()
def analytics(context: typer.Context, as_json: JSON = False) -> None:
    """Measure options analytics and the classification of trades."""
    from system.algo_trader.benchmarks.analytics import run

    show("analytics", run(), as_json=as_json or current(context).as_json)


@app.command()
def archive(context: typer.Context, as_json: JSON = False) -> None:
    """Measure how the archive reads, scans, imports and commits."""
    from system.algo_trader.benchmarks.archive import run

    show("archive", run(), as_json=as_json or current(context).as_json)


@app.command()
def storage(context: typer.Context, as_json: JSON = False) -> None:
    """Measure line protocol, the embedded InfluxDB server, and ticks through Redis."""
    from system.algo_trader.benchmarks import storage, storage_redis, storage_server

    rows = [*storage.run(), *storage_server.run(), *storage_redis.run()]
    show("storage", rows, as_json=as_json or current(context).as_json)


@app.command()
def stream(context: typer.Context, as_json: JSON = False) -> None:
    """Measure how the stream's client receives, decodes and merges, how late, and what it loses."""
    from system.algo_trader.benchmarks import stream, stream_latency

    rows = [*stream.run(), *stream_latency.run()]
    show("stream", rows, as_json=as_json or current(context).as_json)


@app.command()
def pipeline(
    context: typer.Context,
    symbols: Annotated[int, typer.Option(min=2, help="How many symbols.")] = 1_000,
    rate: Annotated[int, typer.Option(min=2, help="Ticks a second.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60,
    as_json: JSON = False,
) -> None:
    """Carry a simulated market from the socket to Redis, archive and InfluxDB, and count."""
    from system.algo_trader.benchmarks.pipeline import run

    rows = run(symbols, rate, seconds)
    show("pipeline", rows, as_json=as_json or current(context).as_json)


@app.command()
def api(context: typer.Context, as_json: JSON = False) -> None:
    """Measure how the service answers its clients, beside FastAPI on uvicorn."""
    from system.algo_trader.benchmarks.api import run

    show("api", run(), as_json=as_json or current(context).as_json)


def show(name: str, rows: Sequence[BenchRow], *, as_json: bool) -> None:
    """Print the lines of a benchmark for people or machines."""
    from system.algo_trader import terminal

    if as_json:
        terminal.print_json(
            {
                "benchmark": name,
                "machine": machine(),
                "clock": CLOCK,
                "kept": all(row.kept for row in rows),
                "rows": [row.as_dict() for row in rows],
            }
        )
        return
    out = terminal.console()
    out.print(CLOCK)
    for row in rows:
        parts = [f"{figure(row.ours)} {row.unit}"]
        if row.budget is not None:
            parts.append(f"budget {row.direction} {figure(row.budget)}")
        if row.peer is not None and row.ratio is not None:
            promised = "" if row.ratio_budget is None else f", budget {figure(row.ratio_budget)}x"
            parts.append(f"{row.ratio:,.1f}x {row.peer_name} ({figure(row.peer)}){promised}")
        out.print(f"{'ok    ' if row.kept else 'MISSED'}  {row.name}", markup=False)
        out.print(f"        {'   '.join(parts)}", markup=False)


def machine() -> dict[str, Any]:
    """Say what ran the benchmark."""
    import os

    return {
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def figure(value: float) -> str:
    """Write a figure with three digits that count, and M or K for large ones."""
    for size, letter in ((1e6, "M"), (1e3, "K")):
        if abs(value) >= 10 * size or (size == 1e6 and abs(value) >= size):
            return f"{value / size:,.3g}{letter}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
