"""The archive's winners, projected into InfluxDB."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import BugError, NetworkError, ServiceUnavailable
from infrastructure.influxdb.spool import Waiting
from system.algo_trader.market.bars import Bars, Mask
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.archive import Archive

Pair = tuple[str, Timeframe]


class CandleStore(Protocol):
    """Hold projected candles: the part of `AlgoTraderInfluxDBClient` that projecting needs."""

    def ensure_tables(self) -> None:
        """Make the database and its tables where they are missing."""

    def deliver_waiting(self) -> Waiting:
        """Send what earlier writes left in the spool; return what could not be sent."""

    def candle_keys(self, symbol: str, timeframe: str) -> pa.Table:
        """Return time (int64 ns), session, source and revision of the stored candles."""

    def write_candles(self, bars: Bars) -> int:
        """Write bars; return how many rows were written."""

    def reset_candles(self) -> None:
        """Remove all candles."""


@dataclass(frozen=True, slots=True)
class Projected:
    """Say what projecting one symbol and timeframe did.

    Attributes:
        symbol: The instrument.
        timeframe: The span of a bar.
        expected: Winners in the archive.
        written: Rows that were written.
        read_back: Rows that InfluxDB held afterwards.
    """

    symbol: str
    timeframe: Timeframe
    expected: int
    written: int
    read_back: int


@dataclass(frozen=True, slots=True)
class Projection:
    """Say what a projection did.

    Attributes:
        series: One entry for each symbol and timeframe.
        rewritten: Whether all candles were removed and written again, because a stored one had
            been corrected: InfluxDB 3 does not promise which of two writes of a row remains.
    """

    series: tuple[Projected, ...]
    rewritten: bool

    @property
    def written(self) -> int:
        """Return how many rows were written."""
        return sum(each.written for each in self.series)

    def of(self, symbol: str, timeframe: Timeframe) -> Projected | None:
        """Return what happened to one symbol and timeframe, None when it was not projected."""
        for each in self.series:
            if (each.symbol, each.timeframe) == (symbol, timeframe):
                return each
        return None


@dataclass(frozen=True, slots=True)
class _Difference:
    pair: Pair
    since_ns: int | None
    winners: Bars
    missing: Mask
    contradicts: bool


def project(
    archive: Archive,
    store: CandleStore,
    pairs: Iterable[Pair] | None = None,
    *,
    since_ns: int | None = None,
) -> Projection:
    """Write to InfluxDB what it lacks of the archive's winners, and read the keys back.

    A projection that was cut off is completed by the next one: it compares, it remembers nothing.
    Processes wait for each other.

    Args:
        archive: The truth.
        store: Where to project to.
        pairs: Symbols and timeframes; all that the archive has when None.
        since_ns: Only bars that start from here on are compared, written and counted, nanoseconds
            UTC; None for all. If one of them contradicts the archive, all are written anew.

    Raises:
        StoreLocked: If another process has been projecting for too long.
        ServiceUnavailable: If InfluxDB does not answer; the archive has the rows.
        BugError: If InfluxDB does not hold afterwards what was written.
    """
    try:
        with archive.projecting():
            return _project(archive, store, pairs, since_ns)
    except (ServiceUnavailable, NetworkError) as error:
        raise ServiceUnavailable(
            f"InfluxDB failed while candles were written to it ({error.message}); "
            "the archive has them all",
            next_step="Run `algo-trader update` once InfluxDB is back: it sends what waits in the "
            "spool and projects the rest.",
        ) from error


def _project(
    archive: Archive, store: CandleStore, pairs: Iterable[Pair] | None, since_ns: int | None
) -> Projection:
    everything = archive.bar_series()
    wanted = everything if pairs is None else list(pairs)
    store.ensure_tables()
    # A candle that is under way would come after the comparison.
    store.deliver_waiting()
    differences = [_difference(archive, store, pair, since_ns) for pair in wanted]
    rewritten = any(each.contradicts for each in differences)
    if rewritten:
        store.reset_candles()
        store.ensure_tables()
        differences = [_difference(archive, store, pair, None) for pair in everything]
    return Projection(tuple(_complete(store, each) for each in differences), rewritten)


def _difference(
    archive: Archive, store: CandleStore, pair: Pair, since_ns: int | None
) -> _Difference:
    winners = archive.winners(*pair, start_ns=since_ns)
    stored = _keys_in(store, pair, since_ns)
    ours = _keys_of(winners)
    missing = np.array([key not in stored for key in ours], dtype=np.bool_)
    changed = any(stored.get(key, revision) != revision for key, revision in ours.items())
    contradicts = changed or any(key not in ours for key in stored)
    return _Difference(pair, since_ns, winners, missing, contradicts)


def _complete(store: CandleStore, difference: _Difference) -> Projected:
    symbol, timeframe = difference.pair
    bars = difference.winners.where(difference.missing)
    written = store.write_candles(bars) if len(bars) else 0
    expected = len(difference.winners)
    held = _keys_in(store, difference.pair, difference.since_ns) if written else {}
    read_back = len(held) if written else expected
    if read_back != expected:
        raise BugError(
            f"InfluxDB holds {read_back} {timeframe} bars of {symbol} after writing, "
            f"and the archive {expected}",
            next_step="Run `algo-trader update`, which compares again.",
        )
    return Projected(symbol, timeframe, expected, written, read_back)


def _keys_in(
    store: CandleStore, pair: Pair, since_ns: int | None
) -> dict[tuple[int, str, str], int]:
    table = store.candle_keys(*pair)
    if since_ns is not None:
        table = table.filter(pc.greater_equal(table.column("time"), since_ns))
    names = ("time", "session", "source")
    keys = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return dict(zip(keys, table.column("revision").to_pylist(), strict=True))


def _keys_of(winners: Bars) -> dict[tuple[int, str, str], int]:
    names = ("start", "session", "source")
    keys = zip(*(winners.table.column(name).to_pylist() for name in names), strict=True)
    return dict(zip(keys, winners.table.column("revision").to_pylist(), strict=True))
