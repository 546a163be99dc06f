"""What a run collects between two beats, and the rows that the archive gets of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import pyarrow as pa

from system.algo_trader.feeds.live import Instrument
from system.algo_trader.market.bars import SERIES_KEY, Bars
from system.algo_trader.market.session_spans import SessionSpans
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.market.ticks import Ticks
from system.algo_trader.market.trade_columns import TradeColumns
from system.algo_trader.pipeline.chart_check import Compared
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.pipeline.tape_rows import quote_rows, trade_rows
from system.algo_trader.quality.tick_checks import CheckedTicks
from system.algo_trader.quality.tick_rules import REASONS, TickRule
from system.algo_trader.storage.records import QUOTES, REJECT_SCHEMA
from system.algo_trader.storage.stream_gaps import gap_table


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Say what all pieces of a run have in common.

    Attributes:
        run_id: The run's name, the first part of every mark.
        instruments: What is streamed; rows name them by position.
        source: The name to store rows under.
        hours: The hours of each calendar of the instruments.
        closed_ns: Bars that were over by then are not this run's.
        earlier: Trades of bars that are not over yet, from runs before it.
    """

    run_id: str
    instruments: tuple[Instrument, ...]
    source: Source
    hours: Mapping[str, SessionSpans]
    closed_ns: int
    earlier: TradeColumns | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the symbols in their order."""
        return tuple(each.symbol for each in self.instruments)


@dataclass(frozen=True, slots=True)
class Refused:
    """Hold updates that may not be stored.

    Attributes:
        ticks: The updates.
        rules: The rule that refused each of them.
    """

    ticks: Ticks
    rules: tuple[TickRule, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold what came between two beats, as it came: the rest is another process's work.

    Attributes:
        first: Number of the first update that may be in it.
        after: Number of the first update that is not.
        ticks: Accepted updates, in their order.
        refused: Frames' refused updates.
        streamed: Bars that the feed gave.
        gaps: What the stream missed.
        closed_ns: Bars that are over by then may be given out: no trade of theirs is expected.
        now_ns: When it was taken, by the market's time, nanoseconds UTC.
        is_due: Whether it is stored now, with those before it, in one transaction.
    """

    first: int
    after: int
    ticks: Ticks
    refused: tuple[Refused, ...]
    streamed: tuple[Bars, ...]
    gaps: tuple[StreamGap, ...]
    closed_ns: int
    now_ns: int
    is_due: bool

    def __len__(self) -> int:
        """Return how much there is; 0 when there is nothing to store."""
        return len(self.ticks) + len(self.refused) + len(self.streamed) + len(self.gaps)


@dataclass(frozen=True, slots=True)
class Kept:
    """Say what the archive has got.

    Attributes:
        rows: Trades and quotes.
        closed_ns: Every bar that was over by then is stored.
        write_errors: Writes that InfluxDB has refused or missed so far.
    """

    rows: int
    closed_ns: int
    write_errors: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """Say what bars there have been so far.

    Attributes:
        bars: Bars given out, by timeframe.
        late: Trades that changed a minute bar which had been given out.
        beyond: Bars for which a trade was too late.
        outside: Trades outside of every session.
        charts: How built bars compare with streamed ones.
    """

    bars: Mapping[str, int]
    late: int
    beyond: int
    outside: int
    charts: Compared


class Keeper(Protocol):
    """Collect pieces and store them when they are due."""

    def take(self, piece: Piece) -> bool:
        """Take a piece unless too much waits; say whether it was taken.

        Raises:
            BaseException: What keeps pieces from being stored for good.
        """

    def __len__(self) -> int:
        """Return how many portions wait to be stored."""

    def close(self, timeout_s: float) -> bool:
        """Store what is due; say whether that was done in time. Errors as `take`."""


Told = Callable[[Kept | Built], None]
"""Told what was stored and built, in any thread."""


class PieceBuffer:
    """Hold what comes until it is taken together."""

    def __init__(self) -> None:
        self._ticks: list[Ticks] = []
        self._refused: list[Refused] = []
        self._streamed: list[Bars] = []
        self._gaps: list[StreamGap] = []
        self._first = 0
        self._after = 0

    def add(self, checked: CheckedTicks) -> None:
        """Take the accepted and rejected rows of one frame."""
        if len(checked.accepted):
            self._ticks.append(checked.accepted)
            self._after = max(self._after, int(checked.accepted.order[-1]) + 1)
        if checked.rules:
            self._refused.append(Refused(checked.rejected, checked.rules))
            self._after = max(self._after, int(checked.rejected.order[-1]) + 1)

    def add_streamed(self, bars: Bars) -> None:
        """Take bars that the feed gave."""
        if len(bars):
            self._streamed.append(bars)

    def add_gap(self, gap: StreamGap) -> None:
        """Take a gap; it is stored with the rows around it."""
        self._gaps.append(gap)

    def take(self, closed_ns: int, now_ns: int, *, is_due: bool) -> Piece:
        """Return all that is held, and hold nothing; the arguments are those of `Piece`."""
        piece = Piece(
            first=self._first,
            after=self._after,
            ticks=Ticks.concat(self._ticks),
            refused=tuple(self._refused),
            streamed=tuple(self._streamed),
            gaps=tuple(self._gaps),
            closed_ns=closed_ns,
            now_ns=now_ns,
            is_due=is_due,
        )
        self._first = self._after
        self._ticks, self._refused, self._streamed, self._gaps = [], [], [], []
        return piece


def portion_of(facts: RunFacts, pieces: Sequence[Piece], bars: Sequence[Bars]) -> Portion:
    """Return pieces as rows; of several states of one bar the last is stored.

    Args:
        facts: Of their run.
        pieces: In their order, at least one.
        bars: What was built and streamed meanwhile.
    """
    names = pa.array(facts.names, pa.string())
    ticks = Ticks.concat(piece.ticks for piece in pieces)
    refused = [_rejected(each, names) for piece in pieces for each in piece.refused]
    return Portion(
        mark=f"stream/{facts.run_id}/{pieces[0].first}-{pieces[-1].after}",
        trades=trade_rows(ticks, names, facts.source),
        quotes=quote_rows(ticks, names, facts.source),
        rejects=pa.concat_tables([REJECT_SCHEMA.empty_table(), *refused]),
        bars=_newest(Bars.concat(bars)),
        gaps=gap_table([gap for piece in pieces for gap in piece.gaps]),
        closed_ns=pieces[-1].closed_ns,
    )


def _rejected(refused: Refused, names: pa.Array) -> pa.Table:
    ticks, rules = refused.ticks, refused.rules
    columns = [field.name for field in fields(Ticks)]
    values = [getattr(ticks, name).tolist() for name in columns]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    symbols = names.take(pa.array(ticks.symbol)).to_pylist()
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


def _newest(bars: Bars) -> Bars:
    if not len(bars):
        return bars
    names = (*SERIES_KEY, "start")
    keys = bars.table.select(names).append_column("place", pa.array(np.arange(len(bars))))
    last = keys.group_by(list(names)).aggregate([("place", "max")]).column("place_max")
    if len(last) == len(bars):
        return bars
    return bars.take(np.sort(last.to_numpy()))
