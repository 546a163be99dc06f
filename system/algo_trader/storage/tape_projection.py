"""The archive's trades and quotes, projected into InfluxDB day by day and counted back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from infrastructure.errors import ServiceUnavailable
from infrastructure.influxdb.schema import TIME, TableSchema
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import EVENT_TIME
from system.algo_trader.storage.tables import table_named

_NS_PER_DAY: Final = 86_400_000_000_000


class Written(Protocol):
    """Say how many rows the server acknowledged."""

    @property
    def rows(self) -> int:
        """Rows that the server has."""


class RecordStore(Protocol):
    """Hold projected records: the part of `AlgoTraderInfluxDBClient` that this needs."""

    def create_table(self, schema: TableSchema) -> bool:
        """Make a table where it is missing."""

    def drop_table(self, table: str) -> bool:
        """Remove a table with its rows."""

    def write_columns(self, schema: TableSchema, table: pa.Table) -> Written:
        """Write columns of a table."""

    def query_rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return what a query answers."""


@dataclass(frozen=True, slots=True)
class ProjectedRecords:
    """Say what projecting the records of one symbol did.

    Attributes:
        dataset: trades or quotes.
        symbol: The instrument.
        expected: Rows that the archive has in the days that were projected.
        written: Rows that the server acknowledged.
        read_back: Rows that it held of those days afterwards.
    """

    dataset: str
    symbol: str
    expected: int
    written: int
    read_back: int


def project_records(
    archive: Archive, store: RecordStore, dataset: str, *, since_ns: int | None = None
) -> list[ProjectedRecords]:
    """Write trades or quotes to InfluxDB, and count them there.

    Without `since_ns` the table is removed first. With it, rows from the beginning of that UTC day
    on are written again: a row has one key and one value for ever, so nothing changes but what is
    missing.

    Args:
        archive: The truth.
        store: Where to project to.
        dataset: `trades` or `quotes`.
        since_ns: The first instant, nanoseconds UTC; None for everything.

    Raises:
        ServiceUnavailable: If InfluxDB does not hold afterwards what the archive has.
        CorruptStore: If a part is damaged.
        StackError: As every request to the server.
    """
    schema = table_named(dataset)
    if since_ns is None:
        store.drop_table(dataset)
    store.create_table(schema)
    first_day = None if since_ns is None else since_ns // _NS_PER_DAY
    done = []
    for symbol in sorted({part.symbol for part in archive.parts(dataset)}):
        days = sorted(
            day
            for part in archive.parts(dataset, symbol)
            for day in range(part.first_ns // _NS_PER_DAY, part.last_ns // _NS_PER_DAY + 1)
            if first_day is None or day >= first_day
        )
        counts = np.zeros(3, dtype=np.int64)
        for day in dict.fromkeys(days):
            counts += _project_day(archive, store, schema, symbol, day * _NS_PER_DAY)
        expected, written, read_back = counts.tolist()
        if read_back != expected:
            raise ServiceUnavailable(
                f"InfluxDB holds {read_back} {dataset} of {symbol} after writing, "
                f"and the archive {expected}",
                next_step=f"Run `algo-trader store rebuild influx --dataset {dataset}`.",
            )
        done.append(ProjectedRecords(dataset, symbol, expected, written, read_back))
    return done


def rows_of(records: pa.Table, schema: TableSchema) -> pa.Table:
    """Return records as rows of their table: equal keys are set apart by their number, the slot.

    Args:
        records: Rows of the dataset, by rising time, equal times in their order.
        schema: The table's declaration.
    """
    times = records.column(EVENT_TIME).to_numpy()
    source = records.column("source").combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.lexsort((np.arange(len(times)), times, source))
    begins = np.ones(len(times), dtype=np.bool_)
    begins[1:] = (np.diff(times[order]) != 0) | (np.diff(source[order]) != 0)
    first = np.flatnonzero(begins)[np.cumsum(begins) - 1]
    slot = np.empty(len(times), dtype=np.int64)
    slot[order] = np.arange(len(times)) - first
    names = [column.name for column in schema.columns if column.name != "slot"]
    return (
        records.select(names)
        .append_column("slot", pa.array(slot).cast(pa.string()))
        .append_column(TIME, records.column(EVENT_TIME))
    )


def _project_day(
    archive: Archive, store: RecordStore, schema: TableSchema, symbol: str, start_ns: int
) -> tuple[int, int, int]:
    end_ns = start_ns + _NS_PER_DAY
    records = archive.records(schema.name, symbol, start_ns, end_ns)
    if not records.num_rows:
        return 0, 0, 0
    written = store.write_columns(schema, rows_of(records, schema)).rows
    [row] = store.query_rows(
        f"SELECT count(*) AS n FROM {schema.name} WHERE symbol = $symbol "
        'AND "time" >= to_timestamp_nanos($start) AND "time" < to_timestamp_nanos($end)',
        {"symbol": symbol, "start": start_ns, "end": end_ns},
    )
    return records.num_rows, written, int(row["n"])
