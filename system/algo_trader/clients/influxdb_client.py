"""This system's InfluxDB client: candles and the metrics of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import pyarrow as pa

from infrastructure.clients.influxdb_client import Parameter
from infrastructure.clients.influxdb_client_durable import DurableInfluxDBClient
from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import RetryableError, ServiceUnavailable, WriteRejected
from infrastructure.influxdb.schema import TIME
from infrastructure.influxdb.session import TIMEOUT_S
from system.algo_trader.market.bars import BAR_SCHEMA, Bars
from system.algo_trader.market.timeframe import Adjustment, Session
from system.algo_trader.realm import Realm
from system.algo_trader.storage.tables import CANDLES, PIPELINE_METRICS, TABLES

_EMPTY_KEYS = pa.schema(
    [
        pa.field(TIME, pa.int64()),
        pa.field("session", pa.string()),
        pa.field("source", pa.string()),
        pa.field("revision", pa.int64()),
    ]
)


class AlgoTraderInfluxDBClient(DurableInfluxDBClient):
    """Write and read the tables of one realm; what it writes goes through the realm's spool.

    Args:
        url: `http://host:port` or `https://host:port`.
        realm: Whose database is written and queried.
        token: The server's token; None where it asks for none.
        timeout_s: Seconds that one request may take.
        clock: Measures the waits between attempts.

    Raises:
        ConfigError: If the URL is not one of a server.
    """

    def __init__(
        self,
        url: str,
        realm: Realm,
        token: Secret | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            url, realm.database, realm.spool, token=token, timeout_s=timeout_s, clock=clock
        )
        self.realm = realm

    def __enter__(self) -> Self:
        return self

    def ensure_tables(self) -> None:
        """Make the realm's database and its tables where they are missing.

        Raises:
            StackError: As every request to the server.
        """
        self.create_database()
        for schema in TABLES:
            self.create_table(schema)

    def write_candles(self, bars: Bars) -> int:
        """Write split-adjusted bars; return how many rows the server acknowledged.

        Args:
            bars: Winners of the archive, each key once.

        Raises:
            ValueError: If a bar is not split-adjusted: the table has no place to say so.
            ServiceUnavailable: If the server does not take them now; they wait in the spool.
            WriteRejected: If it refuses some; they are in quarantine.
            StackError: As `write_columns`.
        """
        if not bars.equals("adjustment", Adjustment.SPLIT).all():
            raise ValueError("only split-adjusted bars go to InfluxDB; the archive keeps raw ones")
        if not len(bars):
            return 0
        names = [column.name for column in CANDLES.columns]
        table = bars.table.select(names).append_column(TIME, bars.table.column("start"))
        report = self.write_columns(CANDLES, table)
        if report.refused:
            raise WriteRejected(
                f"InfluxDB refused {report.refused:,} candles; {self.quarantine} says why",
                next_step="Correct what the reasons name, then run `algo-trader update`.",
            )
        if report.waiting:
            failing = self.failing
            if failing is not None and not isinstance(failing, RetryableError):
                raise failing
            raise ServiceUnavailable(
                "it took too long" if failing is None else failing.message,
                next_step="They are sent by the next command.",
            )
        return report.rows

    def write_pipeline_metrics(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows of `pipeline_metrics`; return how many the server has, the rest waits.

        Args:
            rows: `time` (int nanoseconds UTC) and columns of the table; missing ones are null.

        Raises:
            StackError: As `write_columns`.
        """
        if not rows:
            return 0
        columns: dict[str, pa.Array] = {
            column.name: pa.array([row.get(column.name) for row in rows], column.arrow_type)
            for column in PIPELINE_METRICS.columns
        }
        columns[TIME] = pa.array([row[TIME] for row in rows], pa.int64())
        return self.write_columns(PIPELINE_METRICS, pa.table(columns)).rows

    def candles(
        self,
        symbol: str,
        timeframe: str,
        start_ns: int | None = None,
        end_ns: int | None = None,
        *,
        session: Session = Session.RTH,
    ) -> Bars:
        """Return stored candles by rising start.

        Args:
            symbol: The instrument.
            timeframe: The span of a bar, such as 1d.
            start_ns: The first start, nanoseconds UTC; None for the beginning.
            end_ns: The instant before which bars start; None for the end.
            session: The hours that count.

        Raises:
            StackError: As `query`.
        """
        names = ", ".join(f'"{column.name}"' for column in CANDLES.columns)
        where, params = _range(symbol, timeframe, start_ns, end_ns)
        params["session"] = str(session)
        found = self.query(
            f'SELECT {names}, "time" FROM candles WHERE {where} AND session = $session '
            'ORDER BY "time"',
            params,
        )
        columns: dict[str, Any] = {
            column.name: found.column(column.name) for column in CANDLES.columns
        }
        columns["start"] = found.column(TIME).cast(pa.int64())
        adjustment = pa.scalar(str(Adjustment.SPLIT))
        columns["adjustment"] = pa.repeat(adjustment, found.num_rows)
        arrays = [columns[name].cast(BAR_SCHEMA.field(name).type) for name in BAR_SCHEMA.names]
        return Bars(pa.table(arrays, schema=BAR_SCHEMA))

    def candle_keys(self, symbol: str, timeframe: str) -> pa.Table:
        """Return time (int64 ns), session, source and revision of the stored candles."""
        where, params = _range(symbol, timeframe, None, None)
        found = self.query(
            f'SELECT "time", session, source, revision FROM candles WHERE {where}', params
        )
        return found.select(_EMPTY_KEYS.names).cast(_EMPTY_KEYS)

    def candle_count(self, symbol: str | None = None, timeframe: str | None = None) -> int:
        """Return how many candles are stored, of one symbol or timeframe or of all."""
        where, params = _range(symbol, timeframe, None, None)
        [row] = self.query_rows(f"SELECT count(*) AS n FROM candles WHERE {where}", params)
        return int(row["n"])

    def candle_span(
        self, symbol: str | None = None, timeframe: str | None = None
    ) -> tuple[int, int] | None:
        """Return the first and the last start that is stored, ns UTC; None without candles."""
        where, params = _range(symbol, timeframe, None, None)
        [row] = self.query_rows(
            f'SELECT min("time") AS first, max("time") AS last FROM candles WHERE {where}', params
        )
        if row["first"] is None:
            return None
        return int(row["first"]), int(row["last"])

    def symbols(self) -> list[str]:
        """Return the symbols of which candles are stored, sorted."""
        rows = self.query_rows("SELECT DISTINCT symbol FROM candles ORDER BY symbol")
        return [str(row["symbol"]) for row in rows]

    def reset_candles(self) -> None:
        """Remove all candles and make the empty table again.

        A corrected candle cannot be written over its old row: InfluxDB 3 does not promise which
        of the two remains (influxdb3.md §4).
        """
        self.drop_table(CANDLES.name)
        self.create_table(CANDLES)


def _range(
    symbol: str | None, timeframe: str | None, start_ns: int | None, end_ns: int | None
) -> tuple[str, dict[str, Parameter]]:
    """Return the condition of a query and its parameters."""
    given: dict[str, tuple[str, Parameter]] = {
        "symbol": ("symbol = $symbol", symbol),
        "timeframe": ("timeframe = $timeframe", None if timeframe is None else str(timeframe)),
        "start": ('"time" >= to_timestamp_nanos($start)', start_ns),
        "end": ('"time" < to_timestamp_nanos($end)', end_ns),
    }
    used = {name: pair for name, pair in given.items() if pair[1] is not None}
    conditions = [condition for condition, _ in used.values()] or ["true"]
    return " AND ".join(conditions), {name: value for name, (_, value) in used.items()}
