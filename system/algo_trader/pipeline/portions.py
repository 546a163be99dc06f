"""Collect what the archive gets next, with the mark of the last update that is in it."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pyarrow as pa

from system.algo_trader.market.bars import SERIES_KEY, Bars
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.market.ticks import Ticks
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.pipeline.tape_rows import quote_rows, trade_rows
from system.algo_trader.quality.tick_checks import CheckedTicks
from system.algo_trader.quality.tick_rules import REASONS, TickRule
from system.algo_trader.storage.records import (
    QUOTE_SCHEMA,
    QUOTES,
    REJECT_SCHEMA,
    TRADE_SCHEMA,
)
from system.algo_trader.storage.stream_gaps import gap_table


class PortionBuffer:
    """Hold rows until they are taken together.

    Args:
        run_id: The run's name, the first part of every mark.
        names: The shared list of symbols.
        source: The name to store rows under.
    """

    def __init__(self, run_id: str, names: pa.Array, source: Source) -> None:
        self._run_id = run_id
        self._names = names
        self._source = source
        self._trades: list[pa.Table] = []
        self._quotes: list[pa.Table] = []
        self._rejects: list[pa.Table] = []
        self._bars: list[Bars] = []
        self._gaps: list[StreamGap] = []
        self._first = 0
        self._next = 0

    def add(self, ticks: Ticks, checked: CheckedTicks) -> None:
        """Take the accepted and rejected rows of one frame."""
        if len(ticks):
            self._trades.append(trade_rows(ticks, self._names, self._source))
            self._quotes.append(quote_rows(ticks, self._names, self._source))
            self._next = max(self._next, int(ticks.order[-1]) + 1)
        if checked.rules:
            self._rejects.append(self._rejected(checked.rejected, checked.rules))
            self._next = max(self._next, int(checked.rejected.order[-1]) + 1)

    def add_bars(self, bars: Bars) -> None:
        """Take closed bars; of several states of one bar the last is stored."""
        if len(bars):
            self._bars.append(bars)

    def add_gap(self, gap: StreamGap) -> None:
        """Take a gap; it is stored with the rows around it."""
        self._gaps.append(gap)

    def take(self) -> Portion:
        """Return all that is held, and hold nothing."""
        portion = Portion(
            mark=f"stream/{self._run_id}/{self._first}-{self._next}",
            trades=_joined(self._trades, TRADE_SCHEMA),
            quotes=_joined(self._quotes, QUOTE_SCHEMA),
            rejects=_joined(self._rejects, REJECT_SCHEMA),
            bars=_newest(Bars.concat(self._bars)),
            gaps=gap_table(self._gaps),
        )
        self._first = self._next
        self._trades, self._quotes, self._rejects, self._bars = [], [], [], []
        self._gaps = []
        return portion

    def _rejected(self, ticks: Ticks, rules: tuple[TickRule, ...]) -> pa.Table:
        names = [field.name for field in fields(Ticks)]
        columns = [getattr(ticks, name).tolist() for name in names]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        symbols = self._names.take(pa.array(ticks.symbol)).to_pylist()
        for row, symbol in zip(rows, symbols, strict=True):
            row["symbol"] = symbol
        return pa.table(
            {
                "symbol": symbols,
                "dataset": [QUOTES] * len(rows),
                "content": [json.dumps(_plain(row)) for row in rows],
                "rule": [str(rule) for rule in rules],
                "reason": [REASONS[rule] for rule in rules],
                "detected_at": ticks.ts_recv,
            },
            REJECT_SCHEMA,
        )


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Return a row with null for what is unknown, since JSON has no NaN."""
    return {name: None if value != value else value for name, value in row.items()}


def _joined(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _newest(bars: Bars) -> Bars:
    columns = [bars.table.column(name).to_pylist() for name in (*SERIES_KEY, "start")]
    last = {key: place for place, key in enumerate(zip(*columns, strict=True))}
    if len(last) == len(bars):
        return bars
    return bars.take(np.array(sorted(last.values())))
