"""Store what a chain says: its rows in InfluxDB, its 30-day volatility in the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.jobs.option_rows import exposure_rows, metric_rows, quote_rows
from system.algo_trader.options.gex import GexReport
from system.algo_trader.options.iv_rank import IvStanding, Volatility, thirty_day_volatility
from system.algo_trader.storage.iv_history import iv_standing_of, record_iv
from system.algo_trader.storage.tables import OPTION_EXPOSURE, OPTION_METRICS, OPTION_QUOTES


@dataclass(frozen=True, slots=True)
class StoredReport:
    """Say what was stored.

    Attributes:
        written: Rows that the server acknowledged, by table.
        waiting: Rows that wait in the spool: this process or the next command sends them.
        volatility: At the money over 30 days, or why there is none.
        standing: Of the volatility among the sessions before its own.
    """

    written: dict[str, int]
    volatility: Volatility
    standing: IvStanding
    waiting: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; null has a reason beside it."""
        return {
            "written": self.written,
            "waiting": self.waiting,
            "iv30": self.volatility.value,
            "iv_rank": self.standing.rank,
            "iv_percentile": self.standing.percentile,
            "sessions": self.standing.samples,
            "reason": self.volatility.reason or self.standing.reason,
        }


def store_report(
    client: AlgoTraderInfluxDBClient, report: GexReport, *, source: str
) -> StoredReport:
    """Write a report's rows; the history is written first and needs no server.

    Rows that the server does not take now are acknowledged all the same: they wait in the spool.

    Args:
        client: Of the realm whose tables and history are written; they say that they are made up
            exactly when the realm is simulated.
        report: What the chain says.
        source: Where the quotes came from.

    Raises:
        CorruptStore: If the history cannot be read.
        StackError: As `write_columns`.
    """
    chain, root = report.surface.chain, client.realm.root
    volatility = thirty_day_volatility(report.terms)
    standing = iv_standing_of(root, chain.underlying, volatility.value, chain.as_of_ns)
    if volatility.value is not None:
        record_iv(
            root,
            chain.underlying,
            volatility.value,
            chain.as_of_ns,
            source,
            put_call=report.volume_ratio.value,
        )
    made_up = client.realm.is_simulated
    tables = {
        OPTION_QUOTES: quote_rows(report, source=source, is_synthetic=made_up),
        OPTION_EXPOSURE: exposure_rows(report, source=source, is_synthetic=made_up),
        OPTION_METRICS: metric_rows(report, source=source, is_synthetic=made_up, standing=standing),
    }
    sent = {
        schema.name: client.write_columns(schema, table)
        for schema, table in tables.items()
        if table.num_rows
    }
    written = {
        schema.name: sent[schema.name].rows if schema.name in sent else 0 for schema in tables
    }
    waiting = sum(each.waiting for each in sent.values())
    return StoredReport(written, volatility, standing, waiting)
