"""Every InfluxDB table, declared once.

The encoder, the servers' set-up, the archive, the API and the linter of dashboards read these
declarations; `docs/data.md` is written from them.
"""

from __future__ import annotations

from typing import Final

from infrastructure.influxdb.schema import Column, TableSchema

_SYMBOL: Final = Column("symbol", "tag", "", "The instrument as the source names it.")
_SOURCE: Final = Column("source", "tag", "", "Where the row came from.")
_SLOT: Final = Column(
    "slot", "tag", "", "0 for the first row of its nanosecond, 1 for the next: none is merged."
)
_SYNTHETIC: Final = Column("is_synthetic", "boolean", "", "Whether it was made up, never traded.")
_RECEIVED: Final = Column("ts_recv", "integer", "ns", "When it reached us, UTC; null if unknown.")
_SEQUENCE: Final = Column("sequence", "integer", "", "The source's number; null if it has none.")
_UNDERLYING: Final = Column("underlying", "tag", "", "The instrument that the options are on.")
_EXPIRY: Final = Column("expiry", "tag", "", "Expiry date, YYYY-MM-DD.")
_STRATEGY: Final = Column("strategy", "tag", "", "The strategy that acted.")
_MODE: Final = Column("mode", "tag", "", "backtest, paper or live.")
_ACCOUNT: Final = Column("account", "tag", "", "A label of ours, never the account's number.")

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

TRADES: Final = TableSchema(
    name="trades",
    tags=(_SYMBOL, _SOURCE, _SLOT),
    fields=(
        Column("price", "float", "price", "Price of the trade."),
        Column("size", "integer", "shares", "Shares or contracts traded."),
        Column("aggressor", "string", "", "Who began it: B buyer, A seller; null if unknown."),
        _SEQUENCE,
        _RECEIVED,
        _SYNTHETIC,
    ),
    description="Single trades; time is the exchange's.",
    retention="90d",
)

QUOTES: Final = TableSchema(
    name="quotes",
    tags=(_SYMBOL, _SOURCE, _SLOT),
    fields=(
        Column("bid_price", "float", "price", "Best bid; null without one."),
        Column("bid_size", "integer", "shares", "Size at the best bid."),
        Column("ask_price", "float", "price", "Best ask; null without one."),
        Column("ask_size", "integer", "shares", "Size at the best ask."),
        _SEQUENCE,
        _RECEIVED,
        _SYNTHETIC,
    ),
    description="Best bid and offer after each change; a crossed one is kept as it came.",
    retention="90d",
)

BOOKS: Final = TableSchema(
    name="books",
    tags=(
        _SYMBOL,
        _SOURCE,
        Column("side", "tag", "", "bid or ask."),
        Column("level", "tag", "", "Rank of the price, 0 for the best."),
    ),
    fields=(
        Column("price", "float", "price", "Price of the level."),
        Column("size", "integer", "shares", "Size at the level."),
        Column("orders", "integer", "", "Orders or market makers there; null if unknown."),
        _SEQUENCE,
        _RECEIVED,
        _SYNTHETIC,
    ),
    description="Levels of an order book, one row a side and level.",
    retention="30d",
)

OPTION_QUOTES: Final = TableSchema(
    name="option_quotes",
    tags=(
        _UNDERLYING,
        _EXPIRY,
        Column("strike", "tag", "price", "Strike as text, such as 4800 or 12.5."),
        Column("right", "tag", "", "C or P."),
        Column("root", "tag", "", "Root of the contract, such as SPXW."),
        _SOURCE,
    ),
    fields=(
        Column("bid", "float", "price", "Best bid; null without one."),
        Column("ask", "float", "price", "Best ask; null without one."),
        Column("last", "float", "price", "Last trade."),
        Column("volume", "integer", "contracts", "Contracts traded that day."),
        Column("open_interest", "integer", "contracts", "Open contracts of the evening before."),
        Column("iv", "float", "1/year^0.5", "Implied volatility; null where none solves."),
        Column("delta", "float", "", "Change of value a unit of the underlying."),
        Column("gamma", "float", "1/price", "Change of delta a unit of the underlying."),
        Column("theta", "float", "price/day", "Change of value a calendar day."),
        Column("vega", "float", "price", "Change of value for 0.01 of volatility."),
        Column("spot", "float", "price", "Price of the underlying at that instant."),
        _SYNTHETIC,
    ),
    description="Snapshots of option chains, one row a contract.",
    retention="90d",
)

OPTION_EXPOSURE: Final = TableSchema(
    name="option_exposure",
    tags=(
        _UNDERLYING,
        Column("expiry", "tag", "", "Expiry date, or all for the sum."),
        Column("strike", "tag", "price", "Strike as text."),
        _SOURCE,
    ),
    fields=(
        Column("gex", "float", "USD/1%", "Net gamma exposure."),
        Column("call_gex", "float", "USD/1%", "Of the calls."),
        Column("put_gex", "float", "USD/1%", "Of the puts."),
        Column("dex", "float", "USD/1%", "Net delta exposure."),
        Column("vex", "float", "USD/0.01 vol", "Net vanna exposure."),
        Column("chex", "float", "USD/day", "Net charm exposure."),
        Column("open_interest", "integer", "contracts", "Open contracts of the strike."),
        _SYNTHETIC,
    ),
    description="Dealers' exposure by strike; signs are the convention of the run.",
    retention="90d",
)

OPTION_METRICS: Final = TableSchema(
    name="option_metrics",
    tags=(_UNDERLYING, Column("expiry", "tag", "", "Expiry date, or all for the sum."), _SOURCE),
    fields=(
        Column("spot", "float", "price", "Price of the underlying."),
        Column("gex", "float", "USD/1%", "Net gamma exposure."),
        Column("flip", "float", "price", "Where the exposure changes sign; null without one."),
        Column("call_wall", "float", "price", "Strike of the largest call exposure."),
        Column("put_wall", "float", "price", "Strike of the largest put exposure."),
        Column("max_pain", "float", "price", "Strike at which holders receive least."),
        Column("atm_iv", "float", "1/year^0.5", "Implied volatility at the money."),
        Column("iv_rank", "float", "%", "Rank within a year; null without its history."),
        Column("iv_percentile", "float", "%", "Share of days below, within a year."),
        Column("put_call_ratio", "float", "", "Puts over calls by volume; null without calls."),
        Column("expected_move", "float", "price", "One standard deviation to the expiry."),
        _SYNTHETIC,
    ),
    description="What a chain says in few numbers.",
)

TAPE_METRICS: Final = TableSchema(
    name="tape_metrics",
    tags=(_SYMBOL, Column("timeframe", "tag", "", "The span of a row."), _SOURCE),
    fields=(
        Column("buy_volume", "integer", "shares", "Shares that buyers began."),
        Column("sell_volume", "integer", "shares", "Shares that sellers began."),
        Column("unknown_volume", "integer", "shares", "Shares that no rule decides."),
        Column("delta", "integer", "shares", "Buys less sells."),
        Column("cumulative_delta", "integer", "shares", "Sum of delta since the session began."),
        Column("vwap", "float", "price", "Volume-weighted price since the session began."),
        Column("trades", "integer", "", "Number of trades."),
        Column("large_trades", "integer", "", "Trades of the block class."),
        Column("sweeps", "integer", "", "Orders that took several prices at once."),
        Column("at_bid", "float", "", "Share of the quoted volume at the bid; null without any."),
        Column("at_mid", "float", "", "Share between bid and ask."),
        Column("at_ask", "float", "", "Share at the ask."),
        Column("basis", "string", "", "What the sides rest on: nbbo, tick, mixed or unknown."),
        Column("sampled", "boolean", "", "Whether the source leaves trades out."),
        _SYNTHETIC,
    ),
    description="Buys and sells on the tape; time is the start of the span.",
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
        Column("service", "string", "", "The service of a stream; null for other figures."),
        Column("lag_ms", "float", "ms", "From the exchange's time to ours, the median."),
        Column("lag_tail_ms", "float", "ms", "From the exchange's time to ours, 99 of 100."),
        Column("reconnects", "integer", "", "Connections of a stream after the first."),
        Column("waiting_redis", "integer", "", "Frames that wait for Redis."),
        Column("waiting_archive", "integer", "", "Portions that wait for the archive."),
        Column("bars", "integer", "rows", "Bars built from ticks and given out."),
        Column("missing", "integer", "rows", "Updates known to be lost, where they are counted."),
        Column("gap_s", "float", "s", "Length of a stream's gaps."),
        Column("silent", "integer", "", "Who is silent for unusually long now."),
        Column("gaps_open", "integer", "", "Recorded gaps whose bars are not fetched yet."),
        Column("gaps_backfilled", "integer", "", "Recorded gaps whose bars were fetched."),
        Column("gaps_lost", "integer", "", "Recorded gaps of which nothing can be fetched."),
        Column("gaps_suspected", "integer", "", "Recorded silences that prove nothing."),
    ),
    description="What a run did: one row a series, service or rule, and one for the whole.",
)

COMPANY_FACTS: Final = TableSchema(
    name="company_facts",
    tags=(
        _SYMBOL,
        Column("taxonomy", "tag", "", "us-gaap, dei or another."),
        Column("concept", "tag", "", "Such as Revenues."),
        Column("unit", "tag", "", "USD, shares, USD/shares."),
        Column("accession", "tag", "", "The filing's number, which sets restatements apart."),
        Column("period_start", "tag", "", "First day of the period; null for an instant."),
    ),
    fields=(
        Column("value", "float", "unit", "The reported value."),
        Column("filed_at", "integer", "ns", "When it was filed, UTC: nobody knew it before."),
        Column("form", "string", "", "10-K, 10-Q or another."),
        Column("fiscal_year", "integer", "", "The company's fiscal year."),
        Column("fiscal_period", "string", "", "FY, Q1, Q2 or Q3."),
    ),
    description="Facts of filings; time is the end of the period.",
)

SIGNALS: Final = TableSchema(
    name="signals",
    tags=(_STRATEGY, _SYMBOL, _MODE, Column("run_id", "tag", "", "The run that decided.")),
    fields=(
        Column("action", "string", "", "buy, sell or flat."),
        Column("strength", "float", "", "Weight that the strategy gave it, -1 to 1."),
        Column("price", "float", "price", "Price when it was decided."),
        Column("reason", "string", "", "One sentence."),
    ),
    description="What strategies wanted; time is when they decided.",
)

EQUITY: Final = TableSchema(
    name="equity",
    tags=(_STRATEGY, _MODE, Column("run_id", "tag", "", "The run.")),
    fields=(
        Column("equity", "float", "USD", "Cash and positions at their marks."),
        Column("cash", "float", "USD", "Cash."),
        Column("exposure", "float", "USD", "Sum of the positions' absolute values."),
        Column("drawdown", "float", "", "Loss since the highest equity, 0 to 1."),
    ),
    description="Equity of strategies in backtests and on paper.",
)

ACCOUNTS: Final = TableSchema(
    name="accounts",
    tags=(_ACCOUNT, _SOURCE),
    fields=(
        Column("equity", "float", "USD", "Liquidation value."),
        Column("cash", "float", "USD", "Cash balance."),
        Column("buying_power", "float", "USD", "Buying power."),
        Column("day_trades", "integer", "", "Day trades left; null if not limited."),
    ),
    description="Balances of accounts.",
    private=True,
)

ORDERS: Final = TableSchema(
    name="orders",
    tags=(_ACCOUNT, Column("order_id", "tag", "", "The broker's id."), _MODE),
    fields=(
        Column("symbol", "string", "", "The instrument."),
        Column("side", "string", "", "buy or sell."),
        Column("order_type", "string", "", "market, limit or another."),
        Column("quantity", "float", "shares", "Shares or contracts asked."),
        Column("limit_price", "float", "price", "Limit; null without one."),
        Column("status", "string", "", "Status after this change."),
        Column("client_id", "string", "", "The id that we gave it."),
    ),
    description="Changes of orders, one row a change.",
    private=True,
)

FILLS: Final = TableSchema(
    name="fills",
    tags=(
        _ACCOUNT,
        Column("order_id", "tag", "", "The broker's id of the order."),
        Column("fill_id", "tag", "", "Number of the fill within its order."),
        _MODE,
    ),
    fields=(
        Column("symbol", "string", "", "The instrument."),
        Column("side", "string", "", "buy or sell."),
        Column("quantity", "float", "shares", "Shares or contracts filled."),
        Column("price", "float", "price", "Price of the fill."),
        Column("fees", "float", "USD", "Commission and fees; null until known."),
    ),
    description="Executions of orders.",
    private=True,
)

TABLES: Final[tuple[TableSchema, ...]] = (
    *(CANDLES, TRADES, QUOTES, BOOKS),
    *(OPTION_QUOTES, OPTION_EXPOSURE, OPTION_METRICS, TAPE_METRICS),
    *(PIPELINE_METRICS, COMPANY_FACTS, SIGNALS, EQUITY),
)
"""All tables of the realm's database, which dashboards may read."""

PRIVATE_TABLES: Final[tuple[TableSchema, ...]] = (ACCOUNTS, ORDERS, FILLS)
"""The tables of a person's accounts, in a database that anonymous viewers cannot read."""


def table_named(name: str) -> TableSchema:
    """Return a table's declaration.

    Raises:
        KeyError: If no table has that name.
    """
    for table in (*TABLES, *PRIVATE_TABLES):
        if table.name == name:
            return table
    raise KeyError(f"no table is named {name!r}")


def private_database(database: str) -> str:
    """Return the name of the database that holds the private tables of a realm's database."""
    return f"{database}_private"
