"""Fill the gaps of streams beside a run, or by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from system.algo_trader.pipeline.backfill import Backfill

if TYPE_CHECKING:
    from system.algo_trader.market.bars import Bars, Series
    from system.algo_trader.runtime import Runtime

_END_S = 30.0


def backfill_of(runtime: Runtime, told: Callable[[Bars], None]) -> Backfill:
    """Return what fills the gaps in a runtime's archive from its feed's history.

    Args:
        runtime: The parts; its feed is signed in by this.
        told: Told the bars that were stored.
    """
    from infrastructure.exchange.markets import calendar_of
    from system.algo_trader.jobs.history import OF_ONE_SYMBOL, fetch_one
    from system.algo_trader.jobs.plan import FetchRequest

    feed, archive = runtime.feed, runtime.archive

    def fetch(series: Series, first_ns: int, last_ns: int, request_id: str) -> None:
        fetch_one(
            feed,
            archive,
            FetchRequest(series.symbol, series.timeframe, first_ns, last_ns),
            calendar=calendar_of(series.symbol),
            now_ns=runtime.market_now_ns(),
            clock=runtime.clock,
            request_id=request_id,
        )

    return Backfill(
        archive,
        feed,
        fetch,
        calendar_of=calendar_of,
        market_now_ns=runtime.market_now_ns,
        clock=runtime.clock,
        told=told,
        of_one_symbol=OF_ONE_SYMBOL,
    )


@contextmanager
def filling(backfill: Backfill) -> Iterator[None]:
    """Fill gaps in a thread for the length of a block."""
    thread = threading.Thread(target=backfill.run, name="backfill", daemon=True)
    thread.start()
    try:
        yield
    finally:
        backfill.stop()
        thread.join(_END_S)
