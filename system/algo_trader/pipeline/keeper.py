"""Store the pieces of a run in this process."""

from __future__ import annotations

from system.algo_trader.pipeline.last_quotes import LastQuotes
from system.algo_trader.pipeline.pieces import Committed, Kept, Piece, RunFacts, portion_of
from system.algo_trader.pipeline.sinks import ColdSink
from system.algo_trader.pipeline.worker import Worker

PORTIONS_WAIT = 20


class LocalKeeper:
    """Collect pieces until one is due, and let a thread store them together.

    Args:
        facts: Of their run.
        cold: Where portions go.
        committed: Told of each portion that is stored, in that thread.
        quotes: Where the last quotes go; None for nowhere.
        limit: Portions that may wait.
    """

    def __init__(
        self,
        facts: RunFacts,
        cold: ColdSink,
        committed: Committed,
        quotes: LastQuotes | None = None,
        limit: int = PORTIONS_WAIT,
    ) -> None:
        self._facts = facts
        self._cold = cold
        self._committed = committed
        self._quotes = quotes
        self._limit = limit
        self._pieces: list[Piece] = []
        self._worker: Worker[tuple[Piece, ...]] = Worker("to-archive", self._store, limit)

    def __len__(self) -> int:
        """Return how many portions wait to be stored."""
        return len(self._worker)

    def take(self, piece: Piece) -> bool:
        """Take a piece unless too many portions wait; say whether it was taken.

        Raises:
            BaseException: What ended the thread, if it failed.
        """
        pieces = (*self._pieces, piece)
        if piece.is_due and any(map(len, pieces)):
            if not self._worker.offer(pieces):
                return False
            self._pieces = []
        elif len(piece):
            self._pieces.append(piece)
        if self._quotes is not None:
            self._quotes.take(piece.ticks)
        return True

    def close(self, timeout_s: float) -> bool:
        """Store what is due and write the last quotes; say whether that was done in time."""
        is_stored = self._worker.close(timeout_s)
        return (self._quotes is None or self._quotes.close(timeout_s)) and is_stored

    def _store(self, batch: list[tuple[Piece, ...]]) -> None:
        for pieces in batch:
            portion = portion_of(self._facts, pieces)
            self._cold.commit([portion])
            rows = portion.trades.num_rows + portion.quotes.num_rows
            self._committed(Kept(rows, pieces[-1].closed_ns, self._cold.write_errors))
