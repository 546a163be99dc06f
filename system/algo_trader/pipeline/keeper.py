"""Store the pieces of a run in this process."""

from __future__ import annotations

import pyarrow as pa

from system.algo_trader.market.bars import Bars
from system.algo_trader.pipeline.bar_book import BarBook
from system.algo_trader.pipeline.last_quotes import LastQuotes
from system.algo_trader.pipeline.pieces import Kept, Piece, RunFacts, Told, portion_of
from system.algo_trader.pipeline.redis_sink import Bus
from system.algo_trader.pipeline.sinks import ColdSink
from system.algo_trader.pipeline.worker import Worker

PORTIONS_WAIT = 20


class LocalKeeper:
    """Build bars, collect pieces until one is due, and let a thread store them together.

    Args:
        facts: Of their run.
        cold: Where portions go.
        told: Told what was built and stored.
        quotes: Where the last quotes go; None for nowhere.
        bars: Where closed bars go for those who read along; None for nowhere.
        limit: Portions that may wait.
    """

    def __init__(
        self,
        facts: RunFacts,
        cold: ColdSink,
        told: Told,
        quotes: LastQuotes | None = None,
        bars: Bus | None = None,
        limit: int = PORTIONS_WAIT,
    ) -> None:
        self._facts = facts
        self._cold = cold
        self._told = told
        self._quotes = quotes
        self._bus = bars
        self._limit = limit
        self._book = BarBook(facts)
        self._pieces: list[Piece] = []
        self._bars: list[Bars] = []
        self._worker: Worker[tuple[list[Piece], list[Bars]]] = Worker(
            "to-archive", self._store, limit
        )

    def __len__(self) -> int:
        """Return how many portions wait to be stored."""
        return len(self._worker)

    def take(self, piece: Piece) -> bool:
        """Take a piece unless too many portions wait; say whether it was taken.

        Raises:
            BaseException: What ended the thread, if it failed.
        """
        if piece.is_due and len(self._worker) >= self._limit:
            return False
        bars = self._book.take(piece)
        if len(bars):
            self._bars.append(bars)
            self._cold.project(bars, ())
            if self._bus is not None:
                self._bus.write(bars.table.combine_chunks().to_batches())
        if len(piece):
            self._pieces.append(piece)
        if self._quotes is not None:
            self._quotes.take(piece.ticks)
        self._told(self._book.figures)
        if piece.is_due and (self._pieces or self._bars):
            self._worker.offer((self._pieces or [piece], self._bars))
            self._pieces, self._bars = [], []
        return True

    def close(self, timeout_s: float) -> bool:
        """Store what is due and write the last quotes; say whether that was done in time."""
        is_stored = self._worker.close(timeout_s)
        return (self._quotes is None or self._quotes.close(timeout_s)) and is_stored

    def _store(self, batch: list[tuple[list[Piece], list[Bars]]]) -> None:
        for pieces, bars in batch:
            portion = portion_of(self._facts, pieces, bars)
            self._cold.commit([portion])
            rows = portion.trades.num_rows + portion.quotes.num_rows
            self._told(Kept(rows, pieces[-1].closed_ns, self._cold.write_errors))
            del portion
            # A portion is large and the next one a minute away: its memory goes back meanwhile.
            pa.default_memory_pool().release_unused()
