"""Candles out of the archive: one page, or all of a long range window by window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from infrastructure.errors import NoDataError
from infrastructure.exchange.continuous import parse_continuous
from system.algo_trader.api.operations.answer import Answer, Missing, Page, facts_of
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.api.operations.windows import Series
from system.algo_trader.jobs.stored_levels import calendar_for
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.quality.gaps import find_gaps
from system.algo_trader.storage.continuous_bars import ContinuousBars, RollAdjust
from system.algo_trader.storage.records import bars_dataset

_DAY_NS: Final = 86_400_000_000_000
_WINDOW_BARS: Final = 20_000
_LONGEST_NS: Final = 60 * 365 * _DAY_NS
SAMPLED: Final = tuple(str(source) for source in Source if source.is_sampled)


@dataclass(frozen=True, slots=True)
class CandleQuestion:
    """Say which bars are asked for.

    Attributes:
        symbol: The instrument, or a continuous future as `ES.c.0`.
        timeframe: The span of a bar.
        session: The hours that count.
        adjustment: What prices are adjusted for.
        rolls: What is done about the rolls of a continuous future.
        page: Which rows.
    """

    symbol: str
    timeframe: Timeframe
    session: Session
    adjustment: Adjustment
    rolls: RollAdjust
    page: Page

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> CandleQuestion:
        """Return what parsed parameters ask for."""
        return cls(
            values["symbol"],
            Timeframe(values["timeframe"]),
            Session(values["session"]),
            Adjustment(values["adjustment"]),
            RollAdjust(values["rolls"]),
            Page.of(values),
        )


def candles(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return one page of bars; see `operations.CANDLES` for the parameters."""
    question = CandleQuestion.of(values)
    series, symbols = _series(stores, question)
    rows, following = series.page(question.page)
    return _answer(stores, question, rows, symbols, following)


def candle_pages(stores: Stores, values: Mapping[str, Any]) -> Iterator[Answer]:
    """Yield all bars of a range, window by window."""
    question = CandleQuestion.of(values)
    series, symbols = _series(stores, question)
    left, is_first = question.page.limit, True
    for rows in series.windows(question.page.start_ns, question.page.end_ns):
        if left <= 0:
            return
        yield _answer(stores, question, rows.slice(0, left), symbols, None)
        left -= rows.num_rows
        is_first = False
    if is_first:
        yield _answer(stores, question, series.empty, symbols, None)


def version(stores: Stores, values: Mapping[str, Any]) -> str:
    """Return what changes whenever these bars may have changed."""
    symbol, timeframe = values["symbol"], Timeframe(values["timeframe"])
    future = parse_continuous(symbol)
    if future is not None:
        return f"all-{stores.archive.commit_count()}"
    return stores.version(bars_dataset(timeframe), [symbol])


def _series(stores: Stores, question: CandleQuestion) -> tuple[Series, list[str]]:
    """Return how the bars are read, and whose bars those are."""
    duration = question.timeframe.duration_ns
    step = _LONGEST_NS if duration is None else max(duration * _WINDOW_BARS, _DAY_NS)
    empty = _columns(Bars.empty())
    future = parse_continuous(question.symbol)
    if future is not None:
        reader = ContinuousBars(stores.archive, question.session)
        found = reader.bars(
            future,
            question.timeframe,
            question.rolls,
            start_ns=question.page.start_ns,
            end_ns=question.page.end_ns,
        )
        rows = _columns(found.bars)
        rows = rows.append_column("contract", pa.array(found.contracts, pa.string()))
        starts = found.bars.start
        spans = [(int(starts[0]), int(starts[-1]))] if len(starts) else []

        def stitched(start_ns: int, end_ns: int) -> pa.Table:
            low, high = np.searchsorted(starts, [start_ns, end_ns])
            return rows.slice(int(low), int(high - low))

        empty = empty.append_column("contract", pa.array([], pa.string()))
        return Series(stitched, spans, step, "time", empty), list(dict.fromkeys(found.contracts))

    def read(start_ns: int, end_ns: int) -> pa.Table:
        bars = stores.archive.winners(
            question.symbol,
            question.timeframe,
            session=question.session,
            adjustment=question.adjustment,
            start_ns=start_ns,
            end_ns=end_ns,
        )
        return _columns(bars)

    parts = stores.archive.parts(bars_dataset(question.timeframe), question.symbol)
    if not parts:
        raise NoDataError(
            f"no {question.timeframe} bars of {question.symbol} are stored",
            next_step=f"Run `algo-trader candles fetch {question.symbol}`.",
        )
    spans = [(part.first_ns, part.last_ns) for part in parts]
    first = max((duration or _DAY_NS) * question.page.limit, _DAY_NS)
    return Series(read, spans, step, "time", empty, first), [question.symbol]


def _columns(bars: Bars) -> pa.Table:
    table = bars.table
    names = ("open", "high", "low", "close", "volume", "source", "revision", "is_synthetic")
    return pa.table(
        {
            "time": table.column("start"),
            **{name: table.column(name) for name in names},
        }
    )


def _answer(
    stores: Stores,
    question: CandleQuestion,
    rows: pa.Table,
    symbols: list[str],
    following: Any,
) -> Answer:
    starts = rows.column("time").to_numpy()
    duration = question.timeframe.duration_ns or _DAY_NS
    as_of_ns = int(starts[-1]) + duration if len(starts) else None
    gaps = _gaps(stores, question, starts, symbols)
    return Answer(
        with_instants(rows, "time"),
        facts_of(rows, as_of_ns=as_of_ns, gaps=gaps, sampled=SAMPLED),
        next=following,
    )


def _gaps(
    stores: Stores, question: CandleQuestion, starts: Any, symbols: list[str]
) -> list[Missing]:
    """Return the bars that the calendar has between the first and the last row, and nobody else."""
    if len(starts) < 2:
        return []
    calendar = calendar_for(question.symbol)
    duration = question.timeframe.duration_ns or _DAY_NS
    found = [
        Missing(gap.first_ns, gap.last_ns + duration, "bars", gap.count, "no bar is stored")
        for gap in find_gaps(starts, question.timeframe, question.session, calendar)
    ]
    updates = stores.missing_updates(symbols, int(starts[0]), int(starts[-1]) + duration)
    return sorted([*found, *updates], key=lambda each: each.start_ns)


def with_instants(rows: pa.Table, *names: str) -> pa.Table:
    """Return rows with columns of int64 nanoseconds as timestamps."""
    for name in names:
        place = rows.column_names.index(name)
        column = rows.column(name).cast(pa.timestamp("ns", "UTC"))
        rows = rows.set_column(place, name, column)
    return rows
