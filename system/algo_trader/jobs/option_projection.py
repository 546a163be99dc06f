"""The archive's option chains, projected into InfluxDB snapshot by snapshot and counted back.

The archive holds what was quoted. Volatilities, Greeks, exposures and metrics are computed anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import ServiceUnavailable
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.jobs.option_archive import ArchivedChain, chain_of
from system.algo_trader.jobs.option_store import store_report
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import EVENT_TIME, OPTION_QUOTES
from system.algo_trader.storage.tables import OPTION_EXPOSURE, OPTION_METRICS
from system.algo_trader.storage.tables import OPTION_QUOTES as QUOTE_TABLE
from system.algo_trader.storage.tape_projection import ProjectedRecords

_TABLES = (QUOTE_TABLE, OPTION_EXPOSURE, OPTION_METRICS)
_NS_PER_DAY = 86_400_000_000_000


def project_option_quotes(
    archive: Archive,
    client: AlgoTraderInfluxDBClient,
    *,
    since_ns: int | None = None,
    terms: ReportTerms | None = None,
) -> list[ProjectedRecords]:
    """Write the archive's chains, their exposures and metrics to InfluxDB, and count them there.

    Without `since_ns` the three tables are removed first. With it, snapshots from the beginning of
    that UTC day on are written again: a row has one key and, for equal terms, one value.

    Args:
        archive: The truth.
        client: Of the same realm.
        since_ns: The first instant, nanoseconds UTC; None for everything.
        terms: How reports are computed; as the commands do unasked when None.

    Raises:
        ServiceUnavailable: If InfluxDB does not hold afterwards what was computed.
        CorruptStore: If a part is damaged.
        StackError: As every request to the server.
    """
    terms = terms or ReportTerms()
    for schema in _TABLES:
        if since_ns is None:
            client.drop_table(schema.name)
        client.create_table(schema)
    first_ns = None if since_ns is None else since_ns // _NS_PER_DAY * _NS_PER_DAY
    done = []
    for symbol in sorted({part.symbol for part in archive.parts(OPTION_QUOTES)}):
        expected, written, read_back = Counter[str](), Counter[str](), Counter[str]()
        for found in snapshots(archive, symbol, first_ns):
            report = terms.report(found.chain, found.chain.as_of_ns)
            stored = store_report(client, report, source=found.source)
            if stored.waiting:
                client.deliver_waiting()
            rows = {**stored.written, QUOTE_TABLE.name: len(report.surface.chain)}
            if stored.waiting:
                # What waited is not told by table; all of it is counted back all the same.
                written[QUOTE_TABLE.name] += stored.waiting
            expected.update(rows)
            written.update(stored.written)
            for name in rows:
                read_back[name] += _held(client, name, symbol, found)
        for schema in _TABLES:
            name = schema.name
            if read_back[name] < expected[name]:
                raise ServiceUnavailable(
                    f"InfluxDB holds {read_back[name]} {name} of {symbol} after writing, "
                    f"and {expected[name]} follow from the archive",
                    next_step="Run `algo-trader store rebuild influx --dataset option_quotes`.",
                )
            done.append(
                ProjectedRecords(name, symbol, expected[name], written[name], read_back[name])
            )
    return done


def snapshots(archive: Archive, symbol: str, first_ns: int | None) -> Iterator[ArchivedChain]:
    """Return the chains of a symbol by time, each source's apart, reading a day at once.

    Args:
        archive: Of the realm that is asked.
        symbol: The underlying.
        first_ns: The first instant, nanoseconds UTC; None for the oldest.

    Raises:
        CorruptStore: If a part is damaged.
    """
    spans = [
        range(part.first_ns // _NS_PER_DAY, part.last_ns // _NS_PER_DAY + 1)
        for part in archive.parts(OPTION_QUOTES, symbol)
    ]
    for day in sorted(set().union(*spans)):
        start_ns = day * _NS_PER_DAY
        if first_ns is not None and start_ns < first_ns:
            continue
        rows = archive.records(OPTION_QUOTES, symbol, start_ns, start_ns + _NS_PER_DAY)
        for at_ns in np.unique(rows.column(EVENT_TIME).to_numpy()).tolist():
            mine = rows.filter(pc.equal(rows.column(EVENT_TIME), pa.scalar(at_ns, pa.int64())))
            for source in sorted(set(mine.column("source").to_pylist())):
                yield chain_of(symbol, mine.filter(pc.equal(mine.column("source"), source)))


def _held(client: AlgoTraderInfluxDBClient, table: str, symbol: str, found: ArchivedChain) -> int:
    [row] = client.query_rows(
        f"SELECT count(*) AS n FROM {table} WHERE underlying = $symbol AND source = $source "
        'AND "time" = to_timestamp_nanos($at)',
        {"symbol": symbol, "source": found.source, "at": found.chain.as_of_ns},
    )
    return int(row["n"])
