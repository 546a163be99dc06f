"""Ticks: those of this moment, and stored trades and quotes of the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import utc_from_ns
from infrastructure.errors import NoDataError
from infrastructure.exchange.markets import calendar_of
from system.algo_trader.api.live.live_ticks import Standing
from system.algo_trader.api.operations.answer import Answer, Page, facts_of
from system.algo_trader.api.operations.candles import with_instants
from system.algo_trader.api.operations.problem import RETRY_S, Problem
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.api.operations.windows import Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.ticks import FRAME_SCHEMA
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.market.trade_bars import bars_of
from system.algo_trader.market.trade_columns import TradeColumns
from system.algo_trader.pipeline.hours import session_spans
from system.algo_trader.storage.hot_keys import QUOTE
from system.algo_trader.storage.records import EVENT_TIME, TRADES, schema_of

_HOUR_NS: Final = 3_600_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
_INSTANTS: Final = ("ts_recv", "ts_quote", "ts_trade")
OF_LEVEL_ONE: Final = frozenset(str(each) for each in Source if each.leaves_trades_out)
"""Sources whose trades are changes of the last price, not every trade."""


def realtime(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return the last updates of some symbols out of the stream `ticks`.

    Raises:
        Problem: 503, if nothing of the stream was ever read and Redis gives no answer.
        NoDataError: If no update of any of the symbols is kept.
    """
    symbols, standing = values["symbols"], stores.live.standing()
    rows = stores.live.last(symbols, values["limit"])
    _require(rows, symbols, standing)
    return _live_answer(stores, rows, symbols, standing)


def live_version(stores: Stores, values: Mapping[str, Any]) -> str:
    """Return what changes with every entry of the stream."""
    standing = stores.live.standing()
    return f"{standing.entry}{'' if standing.away_since_ns is None else '-away'}"


def _require(rows: pa.Table, symbols: list[str], standing: Standing) -> None:
    if rows.num_rows:
        return
    if standing.away_since_ns is not None:
        raise Problem(
            503, "Redis gives no answer, and nothing of these symbols is kept here",
            retry_after_s=RETRY_S,
        )  # fmt: skip
    raise NoDataError(
        f"no update of {', '.join(symbols[:5])} has come",
        next_step="Run `algo-trader stream`, or ask for history.",
    )


def _live_answer(stores: Stores, rows: pa.Table, symbols: list[str], standing: Standing) -> Answer:
    simulated = stores.realm.is_simulated
    rows = rows.append_column("is_synthetic", pa.array([simulated] * rows.num_rows, pa.bool_()))
    received = rows.column("ts_recv").to_numpy()
    facts = facts_of(
        rows,
        as_of_ns=int(received.max()),
        gaps=stores.missing_updates(symbols, int(received.min()), None),
        sampled=OF_LEVEL_ONE,
        stale_because=away_words(standing),
    )
    if simulated:
        facts = replace(facts, came_ns=_came_ns(standing, int(received.max())))
    return Answer(with_instants(rows, *_INSTANTS), facts, version=standing.entry)


def _came_ns(standing: Standing, received_ns: int) -> int | None:
    """Return when a row of a simulated market came, by this machine's clock.

    The market's time runs beside ours: the newest entry of the stream tells how far apart they are.
    """
    if standing.newest_came_ns is None or standing.newest_recv_ns is None:
        return None
    return standing.newest_came_ns - (standing.newest_recv_ns - received_ns)


def away_words(standing: Standing) -> str | None:
    """Return why what is live may be older than it should be, None when it is not."""
    if standing.away_since_ns is None:
        return None
    since = utc_from_ns(standing.away_since_ns).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"Redis has given no answer since {since}"


def historical(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return one page of stored trades or quotes, or bars that trades make.

    Raises:
        NoDataError: If nothing of any of the symbols is stored.
    """
    series = _series(stores, values)
    rows, following = series.page(Page.of(values))
    return _stored_answer(stores, values, rows, following)


def historical_pages(stores: Stores, values: Mapping[str, Any]) -> Iterator[Answer]:
    """Yield all rows of a range, window by window."""
    series, left, is_first = _series(stores, values), values["limit"], True
    for rows in series.windows(values["start_time"], values["end_time"]):
        if left <= 0:
            return
        yield _stored_answer(stores, values, rows.slice(0, left), None)
        left -= rows.num_rows
        is_first = False
    if is_first:
        yield _stored_answer(stores, values, series.empty, None)


def stored_version(stores: Stores, values: Mapping[str, Any]) -> str:
    """Return what changes whenever there is something new of these symbols."""
    return stores.version(values["kind"], values["symbols"])


def _series(stores: Stores, values: Mapping[str, Any]) -> Series:
    dataset, symbols = values["kind"], values["symbols"]
    if values["interval"] != "tick" and dataset != TRADES:
        raise Problem(400, "bars are made of trades", "kind", [TRADES])
    parts = [part for symbol in symbols for part in stores.archive.parts(dataset, symbol)]
    if not parts:
        raise NoDataError(
            f"no {dataset} of {', '.join(symbols[:5])} are stored",
            next_step="Run `algo-trader stream`, or bring some in with `algo-trader store import`.",
        )

    def read(start_ns: int, end_ns: int) -> pa.Table:
        found = [stores.archive.records(dataset, symbol, start_ns, end_ns) for symbol in symbols]
        rows = pa.concat_tables(found)
        if len(symbols) > 1:
            rows = rows.sort_by([(EVENT_TIME, "ascending"), ("symbol", "ascending")])
        return rows.combine_chunks()

    spans = [(part.first_ns, part.last_ns) for part in parts]
    if values["interval"] == "tick":
        return Series(read, spans, _HOUR_NS, EVENT_TIME, schema_of(dataset).empty_table())
    timeframe = Timeframe(values["interval"])

    def bars(start_ns: int, end_ns: int) -> pa.Table:
        # A bar is made of all its trades: those before its window's end and after its own start.
        rows = read(max(0, start_ns - _DAY_NS), end_ns + _DAY_NS)
        made = _bars_of(rows, symbols, timeframe)
        times = made.column("time").to_numpy()
        return made.filter(pa.array((times >= start_ns) & (times < end_ns)))

    early = [(max(0, first - _DAY_NS), last) for first, last in spans]
    empty = _bars_of(schema_of(TRADES).empty_table(), symbols, timeframe)
    return Series(bars, early, _DAY_NS, "time", empty)


def _bars_of(trades: pa.Table, symbols: list[str], timeframe: Timeframe) -> pa.Table:
    """Return bars of stored trades by time, then symbol."""
    made = []
    for symbol in symbols:
        mine = trades.filter(pc.equal(trades.column("symbol"), symbol))
        times = mine.column(EVENT_TIME).to_numpy()
        if len(times):
            first, last = (utc_from_ns(int(times[row])).date() for row in (0, -1))
            spans = session_spans(
                calendar_of(symbol), first - timedelta(days=4), last + timedelta(days=4)
            )
            made.append(_bar_rows(mine, symbol, timeframe, spans))
    if not made:
        return _BARS.empty_table()
    rows = pa.concat_tables(made)
    return rows.sort_by([("time", "ascending"), ("symbol", "ascending")]).combine_chunks()


def _bar_rows(mine: pa.Table, symbol: str, timeframe: Timeframe, spans: Any) -> pa.Table:
    count = mine.num_rows
    bars = bars_of(
        TradeColumns.of(
            symbol=np.zeros(count),
            ts_event=mine.column(EVENT_TIME).to_numpy(),
            order=np.arange(count),
            price=mine.column("price").to_numpy(),
            size=pc.fill_null(mine.column("size"), 0).to_numpy(),
        ),
        timeframe,
        spans,
    )
    sources = "+".join(sorted(set(mine.column("source").to_pylist())))
    made_up = bool(pc.any(mine.column("is_synthetic")).as_py())
    columns = {
        "symbol": [symbol] * len(bars),
        "time": bars.start,
        **{name: getattr(bars, name) for name in ("open", "high", "low", "close")},
        **{name: getattr(bars, name) for name in ("volume", "trades")},
        "source": [sources] * len(bars),
        "is_synthetic": [made_up] * len(bars),
    }
    return pa.table(columns, schema=_BARS)


_BARS: Final = pa.schema(
    [
        pa.field("symbol", pa.string()),
        pa.field("time", pa.int64()),
        *(pa.field(name, pa.float64()) for name in ("open", "high", "low", "close")),
        pa.field("volume", pa.int64()),
        pa.field("trades", pa.int64()),
        pa.field("source", pa.string()),
        pa.field("is_synthetic", pa.bool_()),
    ]
)


def _stored_answer(
    stores: Stores, values: Mapping[str, Any], rows: pa.Table, following: Any
) -> Answer:
    name = EVENT_TIME if EVENT_TIME in rows.column_names else "time"
    times = rows.column(name).to_numpy()
    low, high = (int(times[0]), int(times[-1])) if len(times) else (None, None)
    start_ns = values["start_time"] if values["start_time"] is not None else low
    gaps = stores.missing_updates(values["symbols"], start_ns, values["end_time"] or high)
    facts = facts_of(rows, as_of_ns=high, gaps=gaps, sampled=OF_LEVEL_ONE)
    instants = [each for each in (name, "ts_recv") if each in rows.column_names]
    return Answer(with_instants(rows, *instants), facts, next=following)


def quotes(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return the newest quote of each symbol: out of the stream, else as Redis keeps it.

    Raises:
        Problem: 503, if nothing is kept here and Redis gives no answer.
        NoDataError: If nobody has a quote of any of the symbols.
    """
    symbols, standing = values["symbols"], stores.live.standing()
    rows = stores.live.newest(symbols)
    here = set(rows.column("symbol").to_pylist())
    others = [each for each in symbols if each not in here]
    if others and standing.away_since_ns is None:
        rows = pa.concat_tables([rows, _kept(stores, others)]).combine_chunks()
    _require(rows, symbols, standing)
    return _live_answer(stores, rows, symbols, standing)


def _kept(stores: Stores, symbols: list[str]) -> pa.Table:
    """Return what Redis keeps under `quote:{symbol}`, as rows of the stream."""
    pipeline = stores.redis.pipeline(transaction=False)
    for symbol in symbols:
        pipeline.add("hgetall", QUOTE.of(symbol=symbol))
    rows: dict[str, list[Any]] = {name: [] for name in (*FRAME_SCHEMA.names, "source")}
    for symbol, fields in zip(symbols, pipeline.execute(), strict=True):
        if not fields:
            continue
        found = {name.decode(): value.decode() for name, value in fields.items()}
        found |= {"symbol": symbol}
        for field in FRAME_SCHEMA:
            rows[field.name].append(_typed(field.type, found.get(field.name)))
        rows["source"].append(found.get("source"))
    schema = FRAME_SCHEMA.append(pa.field("source", pa.string()))
    return pa.table(rows, schema=schema)


def _typed(kind: pa.DataType, text: str | None) -> Any:
    if pa.types.is_boolean(kind):
        return False
    if text is None or pa.types.is_string(kind):
        return text
    return float(text) if pa.types.is_floating(kind) else int(float(text))
