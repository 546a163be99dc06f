"""Draw a live run's figures on a terminal, and its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from infrastructure.clock import Clock
    from system.algo_trader.pipeline.live import LiveRun

_VIEW_S = 1.0


async def watch(running: asyncio.Task[None], view: Any) -> None:
    """Wait for a run, drawing its figures where a person looks on."""
    from rich.live import Live

    from system.algo_trader import terminal

    console = terminal.console(stderr=True)
    if view is None or not console.is_terminal:
        await running
        return
    with Live(view(), console=console, refresh_per_second=4, transient=True) as live:
        while not running.done():
            await asyncio.wait([running], timeout=_VIEW_S)
            live.update(view())
    await running


def view(run: LiveRun, clock: Clock, symbols: int) -> Any:
    """Return what draws a run's figures as they are at that moment."""
    from rich.table import Table

    from infrastructure.clock import rfc3339

    before = {"at": clock.monotonic_ns(), "count": 0}

    def draw() -> RenderableType:
        now, count = clock.monotonic_ns(), run.counts.received.total()
        rate = (count - before["count"]) / max((now - before["at"]) / 1e9, 1e-3)
        before.update(at=now, count=count)
        grid = Table.grid(padding=(0, 2))
        for name, value in (
            ("market", f"{rfc3339(clock.now_ns())}  {run.market}"),
            ("feed", run.status),
            ("updates", f"{count:,}  {rate:,.0f}/s  rejected {run.counts.rejected.total():,}"),
            ("symbols", f"{symbols:,}  not delivered {len(run.counts.unknown):,}"),
            ("lag", _quantiles(run.counts.lag)),
            ("to Redis", _quantiles(run.counts.to_redis)),
            ("bars", "  ".join(f"{k} {v:,}" for k, v in sorted(run.counts.bars.items()))),
            ("gaps", f"{len(run.gaps):,}  reconnections {run.counts.reconnects:,}"),
            ("waiting", f"Redis {run.waiting[0]:,}  archive {run.waiting[1]:,}"),
        ):
            grid.add_row(name, value)
        return grid

    return draw


def _quantiles(latencies: Any) -> str:
    p50, p99 = latencies.quantile_ms(0.5), latencies.quantile_ms(0.99)
    return "not measured yet" if p50 is None else f"p50 {p50:,.2f} ms  p99 {p99:,.2f} ms"


def show_end(run: LiveRun) -> None:
    """Print what a run has done."""
    from system.algo_trader import terminal

    counts, charts = run.counts, run.charts
    compared = charts.equal + charts.prices_differ + charts.volume_differs
    rows: dict[str, Any] = {
        "updates": f"{counts.received.total():,} received, {counts.accepted.total():,} accepted, "
        f"{counts.rejected.total():,} refused by the checks",
        "Redis": f"{counts.published:,} updates, {_quantiles(counts.to_redis)}",
        "archive": f"{counts.stored:,} trades and quotes",
        "bars": ", ".join(f"{count:,} of {name}" for name, count in sorted(counts.bars.items()))
        or "none is over yet",
        "charts": f"{charts.equal:,} of {compared:,} minutes equal the streamed bars"
        if compared
        else "no minute to compare",
        "gaps": f"{len(run.gaps):,}, {counts.reconnects:,} reconnections",
    }
    terminal.console().print(terminal.pairs(rows))
    for complaint in run.complaints:
        terminal.console().print(complaint)


def first(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return the first failure inside nested groups."""
    inner = group.exceptions[0]
    return first(inner) if isinstance(inner, BaseExceptionGroup) else inner
