"""Collect what the archive gets next, with the mark of the last update that is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from system.algo_trader.market.bars import SERIES_KEY, Bars
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.market.ticks import Ticks
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.pipeline.tape_rows import quote_rows, trade_rows
from system.algo_trader.quality.tick_checks import CheckedTicks
from system.algo_trader.quality.tick_rules import REASONS
from system.algo_trader.storage.records import QUOTES, REJECT_SCHEMA
from system.algo_trader.storage.stream_gaps import gap_table


@dataclass(frozen=True, slots=True)
class Collected:
    """Hold what came, as it came: making rows of it is work for another thread.

    Attributes:
        mark: Names the last update that is in it.
        names: The shared list of symbols.
        source: The name to store rows under.
        ticks: Accepted updates, frame by frame.
        checked: Frames of which updates were refused.
        bars: Closed bars.
        gaps: What the stream missed.
        closed_ns: As in `Portion`.
    """

    mark: str
    names: pa.Array
    source: Source
    ticks: tuple[Ticks, ...]
    checked: tuple[CheckedTicks, ...]
    bars: tuple[Bars, ...]
    gaps: tuple[StreamGap, ...]
    closed_ns: int | None

    def __len__(self) -> int:
        """Return how many pieces there are; 0 when there is nothing to store."""
        return sum(map(len, (self.ticks, self.checked, self.bars, self.gaps)))

    def portion(self) -> Portion:
        """Return it as rows; of several states of one bar the last is stored."""
        ticks = Ticks.concat(self.ticks)
        return Portion(
            mark=self.mark,
            trades=trade_rows(ticks, self.names, self.source),
            quotes=quote_rows(ticks, self.names, self.source),
            rejects=pa.concat_tables(
                [REJECT_SCHEMA.empty_table(), *(self._rejected(each) for each in self.checked)]
            ),
            bars=_newest(Bars.concat(self.bars)),
            gaps=gap_table(list(self.gaps)),
            closed_ns=self.closed_ns,
        )

    def _rejected(self, checked: CheckedTicks) -> pa.Table:
        ticks, rules = checked.rejected, checked.rules
        names = [field.name for field in fields(Ticks)]
        columns = [getattr(ticks, name).tolist() for name in names]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        symbols = self.names.take(pa.array(ticks.symbol)).to_pylist()
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


class PortionBuffer:
    """Hold what comes until it is taken together.

    Args:
        run_id: The run's name, the first part of every mark.
        names: The shared list of symbols.
        source: The name to store rows under.
    """

    def __init__(self, run_id: str, names: pa.Array, source: Source) -> None:
        self._run_id = run_id
        self._names = names
        self._source = source
        self._ticks: list[Ticks] = []
        self._checked: list[CheckedTicks] = []
        self._bars: list[Bars] = []
        self._gaps: list[StreamGap] = []
        self._first = 0
        self._next = 0

    def add(self, ticks: Ticks, checked: CheckedTicks) -> None:
        """Take the accepted and rejected rows of one frame."""
        if len(ticks):
            self._ticks.append(ticks)
            self._next = max(self._next, int(ticks.order[-1]) + 1)
        if checked.rules:
            self._checked.append(checked)
            self._next = max(self._next, int(checked.rejected.order[-1]) + 1)

    def add_bars(self, bars: Bars) -> None:
        """Take closed bars."""
        if len(bars):
            self._bars.append(bars)

    def add_gap(self, gap: StreamGap) -> None:
        """Take a gap; it is stored with the rows around it."""
        self._gaps.append(gap)

    def take(self, closed_ns: int | None = None) -> Collected:
        """Return all that is held, and hold nothing.

        Args:
            closed_ns: Every bar that was over by then is in it or in one before it.
        """
        collected = Collected(
            mark=f"stream/{self._run_id}/{self._first}-{self._next}",
            names=self._names,
            source=self._source,
            ticks=tuple(self._ticks),
            checked=tuple(self._checked),
            bars=tuple(self._bars),
            gaps=tuple(self._gaps),
            closed_ns=closed_ns,
        )
        self._first = self._next
        self._ticks, self._checked, self._bars, self._gaps = [], [], [], []
        return collected


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Return a row with null for what is unknown, since JSON has no NaN."""
    return {name: None if value != value else value for name, value in row.items()}


def _newest(bars: Bars) -> Bars:
    columns = [bars.table.column(name).to_pylist() for name in (*SERIES_KEY, "start")]
    last = {key: place for place, key in enumerate(zip(*columns, strict=True))}
    if len(last) == len(bars):
        return bars
    return bars.take(np.array(sorted(last.values())))
