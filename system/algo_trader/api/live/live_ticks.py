"""The ticks of this moment: the last rows of the stream, and the newest of each symbol."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from system.algo_trader.market.ticks import KINDS, Ticks

SOURCE: Final = b"source"
"""The key of a frame's metadata that names its source."""
CAPACITY: Final = 1 << 18
"""Rows that are kept: about 26 seconds of 10,000 updates a second, 35 MB."""

_LAG_ROWS: Final = 4096


@dataclass(frozen=True, slots=True)
class Standing:
    """Say how well the live side follows the stream.

    Attributes:
        entry: Id of the newest entry that was read; "0" before the first.
        rows: Rows that were read in all.
        newest_recv_ns: When the newest row reached us, nanoseconds UTC; None before the first. A
            simulated market lives in its own time.
        newest_came_ns: When it came into Redis, by Redis's clock; None before the first.
        away_since_ns: Since when Redis gives no answer; None while it does.
        lost: How often entries had left the stream before they were read.
    """

    entry: str
    rows: int
    newest_recv_ns: int | None
    newest_came_ns: int | None
    away_since_ns: int | None
    lost: int


class LiveTicks:
    """Keep the last rows of a stream of ticks. One thread adds, any may read.

    Args:
        capacity: Rows that are kept, a power of two.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._columns: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(capacity, kind) for name, kind in KINDS.items()
        }
        self._source = np.zeros(capacity, np.int8)
        self._sources: list[str] = []
        self._codes: dict[str, int] = {}
        self._symbols: list[str] = []
        self._newest = np.full(1024, -1, dtype=np.int64)
        self._count = 0
        self._entry = "0"
        self._newest_recv_ns: int | None = None
        self._away_since_ns: int | None = None
        self._lost = 0
        self._lock = threading.Lock()

    def standing(self) -> Standing:
        """Return how well the stream is followed."""
        with self._lock:
            came_ns = None if self._entry == "0" else int(self._entry.partition("-")[0]) * 10**6
            return Standing(
                self._entry,
                self._count,
                self._newest_recv_ns,
                came_ns,
                self._away_since_ns,
                self._lost,
            )

    def lag_ms(self) -> tuple[float, float] | None:
        """Return median and 99th percentile of the last trades' way to us, milliseconds.

        That is from the exchange's clock to ours; None where no trade is kept.
        """
        with self._lock:
            numbers = np.arange(max(0, self._count - _LAG_ROWS), self._count)
            places = numbers & (self._capacity - 1)
            lags = self._columns["ts_recv"][places] - self._columns["ts_trade"][places]
            lags = lags[self._columns["is_trade"][places]]
        if not len(lags):
            return None
        low, high = np.percentile(lags / 1e6, [50, 99])
        return float(low), float(high)

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of which a row was read, in the order of their first."""
        with self._lock:
            return tuple(self._symbols)

    def add(self, frame: pa.Table, entry: str) -> None:
        """Take the rows of an entry of the stream.

        Args:
            frame: With the columns of `market.ticks.FRAME_SCHEMA`.
            entry: Its id.
        """
        names = frame.column("symbol").combine_chunks().dictionary_encode()
        codes = np.array([self._code(each) for each in names.dictionary.to_pylist()], np.int64)
        rows = Ticks.of_batch(frame, names.dictionary)
        symbol = codes[rows.symbol]
        count = len(symbol)
        source = (frame.schema.metadata or {}).get(SOURCE, b"").decode()
        with self._lock:
            places = (self._count + np.arange(count)) & (self._capacity - 1)
            for name, column in self._columns.items():
                column[places] = symbol if name == "symbol" else getattr(rows, name)
            self._source[places] = self._source_code(source)
            # Of several rows of one symbol the last assignment stays: NumPy keeps their order.
            self._newest[symbol] = self._count + np.arange(count)
            self._count += count
            self._entry = entry
            if count:
                newest = int(rows.ts_recv.max())
                self._newest_recv_ns = max(newest, self._newest_recv_ns or 0)

    def away(self, since_ns: int) -> None:
        """Note that Redis gives no answer; the first such moment counts."""
        with self._lock:
            self._away_since_ns = self._away_since_ns or since_ns

    def back(self, *, lost: bool) -> None:
        """Note that Redis answers again, and whether entries were lost meanwhile."""
        with self._lock:
            self._away_since_ns = None
            self._lost += lost

    def last(self, symbols: Sequence[str], limit: int) -> pa.Table:
        """Return the last rows of some symbols, in the order in which they came.

        The rows have the columns of `market.ticks.FRAME_SCHEMA`, and `source`.

        Args:
            symbols: Whose; one that is not known has no rows.
            limit: The most rows in all.
        """
        with self._lock:
            wanted = np.array(
                [self._codes[each] for each in symbols if each in self._codes], np.int64
            )
            kept = min(self._count, self._capacity)
            codes = self._columns["symbol"]
            if len(wanted) == 1:
                found = np.flatnonzero(codes[:kept] == wanted[0])
            else:
                found = np.flatnonzero(np.isin(codes[:kept], wanted))
            # Places hold rows in a ring: their running numbers are their order.
            newest = self._count - 1
            numbers = newest - ((newest - found) & (self._capacity - 1))
            chosen = np.sort(numbers)[max(0, len(numbers) - limit) :]
            return self._rows(chosen)

    def newest(self, symbols: Sequence[str]) -> pa.Table:
        """Return the newest row of each symbol of which one is kept, in the order asked for."""
        with self._lock:
            codes = [self._codes[each] for each in symbols if each in self._codes]
            numbers = self._newest[np.array(codes, np.int64)]
            return self._rows(numbers[numbers >= max(0, self._count - self._capacity)])

    def _rows(self, numbers: npt.NDArray[np.int64]) -> pa.Table:
        places = numbers & (self._capacity - 1)
        found = Ticks(**{name: column[places] for name, column in self._columns.items()})
        names = pa.array(self._symbols, pa.string())
        rows = pa.Table.from_batches([found.batch(names)])
        sources = pa.array(self._sources, pa.string()).take(pa.array(self._source[places]))
        return rows.append_column("source", sources)

    def _source_code(self, source: str) -> int:
        if source not in self._sources:
            self._sources.append(source)
        return self._sources.index(source)

    def _code(self, symbol: str) -> int:
        found = self._codes.get(symbol)
        if found is not None:
            return found
        with self._lock:
            code = len(self._symbols)
            if code == len(self._newest):
                self._newest = np.concatenate([self._newest, np.full(code, -1, np.int64)])
            self._symbols.append(symbol)
            self._codes[symbol] = code
            return code
