"""Portions into the archive, closed bars and figures into InfluxDB's spool."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import ServiceUnavailable, StackError
from infrastructure.influxdb.schema import TableSchema
from infrastructure.logging import get_logger
from system.algo_trader.market.bars import Bars
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.pipeline.slots import SlotCounter
from system.algo_trader.pipeline.worker import Worker
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import QUOTES, REJECTS, STREAM_GAPS, TRADES
from system.algo_trader.storage.tables import table_named

_log = get_logger("pipeline.cold_store")
_LIMIT: Final = 100_000
_BLOCK: Final = 10_000
_SPREAD_S: Final = 20.0
"""How long one portion's trades or quotes may be spread over: the next one comes in a minute."""
_MANY: Final = 16
"""From so many symbols on, rows share files: each file has to reach the disk by itself."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """Rows of `pipeline_metrics`."""

    rows: Sequence[dict[str, object]]


@dataclass(frozen=True, slots=True)
class _Records:
    """Rows of a table."""

    schema: TableSchema
    table: pa.Table


_Item = Bars | _Figures


class LiveSeries(Protocol):
    """Hold what is live in InfluxDB: the part of `AlgoTraderInfluxDBClient` that is needed."""

    def write_candles(self, bars: Bars) -> int:
        """Write bars; those that the server does not take now wait in the spool."""

    def write_pipeline_metrics(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows of `pipeline_metrics`."""

    def write_columns(self, schema: TableSchema, table: pa.Table) -> object:
        """Write columns of a table."""


class ColdStore:
    """Keep what is final; a server that is away delays nothing but its own rows.

    Args:
        archive: The truth.
        influx: The projection.
        rest: How many times as long as a block of trades or quotes took the next one waits; bars
            and figures wait for neither. It spreads a minute's work over the next one, where a
            burst would take both cores of a small machine from what is live.

    Attributes:
        write_errors: Writes that InfluxDB has refused or missed so far.
    """

    def __init__(self, archive: Archive, influx: LiveSeries, rest: float = 0.0) -> None:
        self._archive = archive
        self._influx = influx
        self._slots: dict[str, SlotCounter] = {}
        self.write_errors = 0
        self._rest = rest
        self._hurry = threading.Event()
        self._worker: Worker[_Item] = Worker("to-influxdb", self._write, _LIMIT)
        self._tapes: Worker[_Records] = Worker("tape-to-influxdb", self._write_tapes, _LIMIT)

    def commit(self, portions: list[Portion]) -> None:
        """Store portions, each in one transaction that carries its mark."""
        for portion in portions:
            self._count_earlier(portion)
            with self._archive.transaction(portion.mark) as transaction:
                for dataset, rows in _tapes(portion):
                    if rows.num_rows:
                        transaction.append_records(dataset, rows, together=_are_many(rows))
                if portion.rejects.num_rows:
                    if _are_many(portion.rejects):
                        transaction.append_records(REJECTS, portion.rejects, together=True)
                    else:
                        transaction.reject(portion.rejects)
                if len(portion.bars):
                    transaction.append(portion.bars, together=_are_many(portion.bars.table))
                if portion.gaps.num_rows:
                    transaction.append_records(STREAM_GAPS, portion.gaps)
            # In the archive first: what InfluxDB shows is never more than the truth.
            for dataset, rows in _tapes(portion):
                if rows.num_rows:
                    numbered = self._slots[dataset].numbered(rows)
                    self._tapes.offer(_Records(table_named(dataset), numbered))

    def project(self, bars: Bars, metrics: Sequence[dict[str, object]]) -> None:
        """Hand bars and figures to the thread that writes them.

        Raises:
            BaseException: What ended that thread, such as a full spool.
        """
        if len(bars):
            self._worker.offer(bars)
        if metrics:
            self._worker.offer(_Figures(metrics))

    def close(self, timeout_s: float) -> bool:
        """Write what waits; say whether that was done in time."""
        self._hurry.set()
        is_done = self._tapes.close(timeout_s)
        return self._worker.close(timeout_s) and is_done

    def _count_earlier(self, portion: Portion) -> None:
        """Let rows of an earlier run keep their places in InfluxDB."""
        for dataset, rows in _tapes(portion):
            if rows.num_rows and dataset not in self._slots:
                self._slots[dataset] = SlotCounter()
                self._slots[dataset].begin_after(self._archive.around(dataset, rows))

    def _write(self, batch: list[_Item]) -> None:
        bars = [each for each in batch if isinstance(each, Bars)]
        self._attempt(lambda: self._influx.write_candles(Bars.concat(bars)), bool(bars))
        for each in batch:
            if isinstance(each, _Figures):
                self._attempt(partial(self._influx.write_pipeline_metrics, each.rows))

    def _write_tapes(self, batch: list[_Records]) -> None:
        for each in batch:
            begun = time.monotonic()
            for first in range(0, each.table.num_rows, _BLOCK):
                start = time.monotonic()
                rows = each.table.slice(first, _BLOCK)
                self._attempt(partial(self._influx.write_columns, each.schema, rows))
                now = time.monotonic()
                if self._rest and now - begun < _SPREAD_S:
                    self._hurry.wait(self._rest * (now - start))

    def _attempt(self, write: Callable[[], object], is_wanted: bool = True) -> None:
        if not is_wanted:
            return
        try:
            write()
        except ServiceUnavailable as error:
            self.write_errors += 1
            _log.warning("InfluxDB takes nothing now, what is written waits: %s", error)
        except StackError as error:
            self.write_errors += 1
            _log.error("rows of the archive are not in InfluxDB: %s", error)


def _are_many(rows: pa.Table) -> bool:
    return len(pc.unique(rows.column("symbol"))) > _MANY


def _tapes(portion: Portion) -> tuple[tuple[str, pa.Table], ...]:
    return (TRADES, portion.trades), (QUOTES, portion.quotes)
