"""The bars of a run: built from its ticks, compared with those that the feed streams."""

from __future__ import annotations

from collections import Counter

from system.algo_trader.market.bars import Bars
from system.algo_trader.pipeline.bar_desk import BarDesk
from system.algo_trader.pipeline.chart_check import ChartCheck
from system.algo_trader.pipeline.pieces import Built, Piece, RunFacts


class BarBook:
    """Build and compare bars, piece by piece.

    Args:
        facts: Of the run.
    """

    def __init__(self, facts: RunFacts) -> None:
        self._desk = BarDesk(facts.instruments, facts.hours, facts.source)
        self._charts = ChartCheck()
        self._given: Counter[str] = Counter()
        self._beyond = 0
        if facts.earlier is not None:
            # What was over by then was given out by the run before, or has been rebuilt.
            self._desk.add(facts.earlier)
            self._desk.closed(facts.closed_ns, facts.closed_ns)

    @property
    def figures(self) -> Built:
        """Return what there has been so far."""
        desk = self._desk
        return Built(dict(self._given), desk.late, self._beyond, desk.outside, self._charts.result)

    def take(self, piece: Piece) -> Bars:
        """Take a piece in; return the bars that the feed gave in it, and those that are over."""
        self._beyond += self._desk.add(piece.ticks.trades())
        for bars in piece.streamed:
            self._charts.streamed(bars)
        built = self._desk.closed(piece.closed_ns, piece.now_ns)
        for series in built.table.column("timeframe").value_counts().to_pylist():
            self._given[series["values"]] += series["counts"]
        self._charts.built(built)
        return Bars.concat([*piece.streamed, built])
