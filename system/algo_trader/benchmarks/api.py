"""How fast the service answers over HTTP, beside plain FastAPI on uvicorn in the same run.

The service is the real process over a home of made-up data; who asks is another process, and each
request carries a key that is checked. At a rate, times count from the instant at which a request
was meant to be sent: what waits because an earlier one is late is late itself.
"""

from __future__ import annotations

from typing import Final

from system.algo_trader.benchmarks.api_bench import ApiPlan, Bench, opened
from system.algo_trader.benchmarks.api_stores import dashboards, through_the_stores
from system.algo_trader.benchmarks.api_under_load import saturated, while_ticks_come
from system.algo_trader.benchmarks.report import BenchRow

SHORT: Final = ApiPlan(seconds=0.5, days=10, queries=5, session_s=1.0, connections=20, rate=200,
                       ticks=2_000)  # fmt: skip
"""A look at whether everything is asked and answered; its figures say nothing."""


def run(plan: ApiPlan | None = None) -> list[BenchRow]:
    """Measure everything on a home of its own, which is removed.

    Args:
        plan: How much is asked; all of it by default.

    Raises:
        RuntimeError: If counts do not add up.
    """
    with opened(plan or ApiPlan()) as bench:
        return measured(bench)


def measured(bench: Bench) -> list[BenchRow]:
    """Measure everything and count what was asked and answered."""
    rows = [
        *saturated(bench),
        *while_ticks_come(bench),
        *through_the_stores(bench),
        *dashboards(bench),
    ]
    wrong = {name: found.errors for name, found in bench.counted if found.errors}
    failed = f": {wrong}" if wrong else ""
    return [
        *rows,
        BenchRow(
            f"requests without a full answer, of {bench.sent:,}{failed}",
            *("requests", float(bench.lost), "at most", 0.0),
        ),
    ]
