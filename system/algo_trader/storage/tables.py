"""Every InfluxDB table, declared once."""

from __future__ import annotations

from typing import Final

from infrastructure.influxdb.schema import Column, TableSchema

CANDLES: Final = TableSchema(
    name="candles",
    tags=(
        Column("symbol", "tag", "", "The instrument as the source names it."),
        Column("timeframe", "tag", "", "The span of a bar, such as 1m or 1d."),
        Column("session", "tag", "", "Hours that a bar covers: rth, ext or all."),
        Column("source", "tag", "", "Where the bar came from."),
    ),
    fields=(
        Column("open", "float", "price", "The first price."),
        Column("high", "float", "price", "The highest price."),
        Column("low", "float", "price", "The lowest price."),
        Column("close", "float", "price", "The last price."),
        Column("volume", "integer", "shares", "Shares traded; null where the source has none."),
        Column("is_synthetic", "boolean", "", "Whether the bar was made up and never traded."),
        Column("revision", "integer", "", "How often the archive has corrected the bar."),
        Column("fetched_at", "integer", "ns", "When the bar was fetched, UTC."),
    ),
    description="Closed bars, split-adjusted; time is a bar's start.",
)

PIPELINE_METRICS: Final = TableSchema(
    name="pipeline_metrics",
    tags=(
        Column("job", "tag", "", "The command that measured, such as main or update."),
        Column("symbol", "tag", "", "The instrument, null for figures of the whole run."),
        Column("timeframe", "tag", "", "The timeframe, null for figures of the whole run."),
    ),
    fields=(
        Column("run_id", "string", "", "The run that measured."),
        Column("fetched", "integer", "rows", "Bars that the source delivered."),
        Column("new", "integer", "rows", "Bars that the archive did not have."),
        Column("unchanged", "integer", "rows", "Bars that the archive had already."),
        Column("revised", "integer", "rows", "Stored bars that got a new revision."),
        Column("rejected", "integer", "rows", "Bars that went to quarantine."),
        Column("gaps", "integer", "bars", "Bars that the calendar expects and nobody has."),
        Column("splits", "integer", "", "Splits found by comparing with stored bars."),
        Column("written", "integer", "rows", "Rows written to InfluxDB."),
        Column("read_back", "integer", "rows", "Rows that InfluxDB then held of this series."),
        Column("latency_ms", "float", "ms", "Time that fetching took."),
        Column("failed", "boolean", "", "Whether this part of the run failed."),
        Column("token_age_s", "float", "s", "Age of the refresh token."),
    ),
    description="What a run did, one row a series and one for the whole run.",
)

TABLES: Final[tuple[TableSchema, ...]] = (CANDLES, PIPELINE_METRICS)
"""All tables of the realm's database."""
