"""How complete what is stored is, and what is known to be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError
from system.algo_trader.api.operations.answer import Answer, Missing, facts_of
from system.algo_trader.api.operations.candles import SAMPLED
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.jobs.stored_coverage import stored_coverage
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.stream_gap import GapState, StreamGap
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.quality.coverage import Coverage
from system.algo_trader.quality.known_gaps import words_of
from system.algo_trader.storage.records import bars_dataset

RECENT: Final = 20


def quality(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return the coverage of each symbol's trading days, and the gaps that streams left.

    Raises:
        NoDataError: If no such bars are stored.
    """
    timeframe = Timeframe(values["timeframe"])
    stored = [symbol for symbol, each in stores.archive.bar_series() if each is timeframe]
    wanted = values["symbols"]
    symbols = stored if wanted is None else [each for each in stored if each in set(wanted)]
    if not symbols:
        raise NoDataError(
            f"no {timeframe} bars are stored", next_step="Fetch some: `algo-trader update`."
        )
    now_ns = stores.clock.now_ns()
    # Days of many symbols take seconds to count: without names, the first ones stand for all.
    chosen = symbols[: values["limit"]]
    found = [
        stored_coverage(stores.archive, symbol, timeframe, values["days"], now_ns)
        for symbol in chosen
    ]
    table = _table(found)
    gaps = _gaps(stores, None if wanted is None else set(chosen))
    summary = {
        "timeframe": str(timeframe),
        "symbols": len(symbols),
        "symbols_shown": len(chosen),
        "coverage": [coverage_row(each) for each in found],
        "gaps": gap_summary(gaps),
    }
    newest = max((commit.committed_at_ns for commit in stores.archive.commits()), default=None)
    facts = facts_of(
        _newest_rows(stores, timeframe, chosen),
        as_of_ns=newest,
        gaps=[
            Missing(gap.start_ns, gap.end_ns, "updates", gap.missing, words_of(gap))
            for gap in sorted(gaps, key=lambda gap: gap.start_ns, reverse=True)
        ],
        sampled=SAMPLED,
    )
    return Answer(table, facts, summary)


def quality_version(stores: Stores, values: Mapping[str, Any]) -> str:
    """Return what changes with every commit of the archive."""
    return str(stores.archive.commit_count())


def coverage_row(each: Coverage) -> dict[str, Any]:
    """Return one symbol's coverage as plain values."""
    return {
        "symbol": each.symbol,
        "timeframe": str(each.timeframe),
        "session": str(each.session),
        "expected": each.expected,
        "present": each.present,
        "share": each.share,
    }


def gap_summary(gaps: list[StreamGap]) -> dict[str, Any]:
    """Return how many gaps there are in which state, and the newest ones."""
    by_state = {str(state): 0 for state in GapState}
    for gap in gaps:
        by_state[str(gap.state)] += 1
    newest = sorted(gaps, key=lambda gap: gap.start_ns)[-RECENT:]
    return {"by_state": by_state, "recent": [gap_row(gap) for gap in reversed(newest)]}


def gap_row(gap: StreamGap) -> dict[str, Any]:
    """Return a gap as plain values."""
    return {
        "service": gap.service,
        "symbols": list(gap.symbols[:20]),
        "instruments": gap.instruments,
        "start": rfc3339(gap.start_ns),
        "end": rfc3339(gap.end_ns),
        "reason": gap.reason,
        "state": str(gap.state),
        "missing": gap.missing,
        "filled": gap.filled,
    }


def _gaps(stores: Stores, symbols: set[str] | None) -> list[StreamGap]:
    """Return gaps that touch some symbols; those that name none are of a whole service."""
    return [
        gap for gap in stores.stream_gaps()
        if symbols is None or not gap.symbols or symbols & set(gap.symbols)
    ]  # fmt: skip


def _newest_rows(stores: Stores, timeframe: Timeframe, symbols: list[str]) -> pa.Table:
    """Return source and making of the newest bars of each symbol: they stand for the others."""
    names = ["source", "is_synthetic"]
    found = [Bars.empty().table.select(names)]
    for symbol in symbols:
        last = max(part.last_ns for part in stores.archive.parts(bars_dataset(timeframe), symbol))
        bars = stores.archive.winners(symbol, timeframe, start_ns=last)
        found.append(bars.table.select(names))
    return pa.concat_tables(found).combine_chunks()


def _table(found: list[Coverage]) -> pa.Table:
    rows = [(each, day) for each in found for day in each.days]
    return pa.table(
        {
            "symbol": pa.array([each.symbol for each, _ in rows], pa.string()),
            "date": pa.array([day.date.isoformat() for _, day in rows], pa.string()),
            "expected": pa.array([day.expected for _, day in rows], pa.int64()),
            "present": pa.array([day.present for _, day in rows], pa.int64()),
            "share": pa.array([day.share for _, day in rows], pa.float64()),
            "longest_gap": pa.array([day.longest_gap for _, day in rows], pa.int64()),
            "is_early_close": pa.array([day.is_early_close for _, day in rows], pa.bool_()),
        }
    )
