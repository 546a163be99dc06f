"""Trades and quotes out of files or the archive, as the tape's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import utc_from_ns
from infrastructure.errors import InputError, NoDataError, UsageError
from infrastructure.exchange.calendars import Calendar
from infrastructure.exchange.contracts import spec
from infrastructure.exchange.symbology import Future, FutureRoot, Option, parse_symbol
from system.algo_trader.market.source import Source
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.import_file import ReadFile, instants, read_file
from system.algo_trader.storage.records import EVENT_TIME, QUOTES, TRADES
from system.algo_trader.tape.columns import Floats, Int64s, Quotes, Trades
from system.algo_trader.tape.reference import Sides

STOCK_TICK: Final = 0.0001
OPTION_TICK: Final = 0.01
QUOTE_LOOKBACK_NS: Final = 3_600_000_000_000
"""How long before the first trade the archive's quotes are read: one of them is in force then."""

Span = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class TapeData:
    """Hold what is to be classified.

    Attributes:
        symbol: What was traded.
        trades: The trades, in their order.
        quotes: Best bids and offers; None where there are none.
        flag: The source's own word on who began each trade, the codes of `Side`, int8 (n,); None
            where it says nothing.
        source: Where the trades came from.
        is_synthetic: Whether any of them was made up.
    """

    symbol: str
    trades: Trades
    quotes: Quotes | None
    flag: Sides | None
    source: str
    is_synthetic: bool


def tick_size_of(symbol: str) -> float:
    """Return the finest step in which a symbol's trades are printed, in its currency.

    Raises:
        UnknownSymbol: If the text is no symbol, or its futures root is not in the table.
    """
    found = parse_symbol(symbol)
    if isinstance(found, Future | FutureRoot):
        return float(spec(found.root).tick_size)
    return OPTION_TICK if isinstance(found, Option) else STOCK_TICK


def tape_of_files(
    paths: Sequence[Path],
    symbol: str,
    *,
    zone: str | None,
    tick_size: float,
    sampled: bool,
    span: Span = (None, None),
) -> TapeData:
    """Return the trades of one symbol out of files, and its quotes where a file has them.

    Args:
        paths: CSV or Parquet files, each of trades or of quotes: their columns say which.
        symbol: Taken where a column names symbols; else whose the rows are.
        zone: The zone of times that carry no offset.
        tick_size: The grid of all prices.
        sampled: Whether the files hold only some of the trades.
        span: First instant and the one after the last, nanoseconds UTC; None for no bound.

    Raises:
        UsageError: If a file is of bars, or its times need a zone.
        InputError: If a file cannot be read, or is not in the order of time; says where.
        NoDataError: If no file holds a trade of the symbol.
    """
    trades: list[tuple[pa.Table, Int64s]] = []
    quotes: list[tuple[pa.Table, Int64s]] = []
    for path in paths:
        read = read_file(path)
        if read.kind == "bars":
            raise UsageError(
                f"{path.name} holds bars", next_step="Name files of trades and of quotes."
            )
        # A heading alone has no types either, so that nothing could say what its times are.
        empty = not read.columns.num_rows
        times = np.empty(0, dtype=np.int64) if empty else instants(read, zone)
        rows = _of_symbol(read, times, symbol)
        (trades if read.kind == "trades" else quotes).append(rows)
    names = ", ".join(path.name for path in paths)
    if not trades:
        raise NoDataError(
            f"{names}: no trades of {symbol}", next_step="Name a file with price and size."
        )
    table, times = _within(_joined(trades, names), span)
    if not len(times):
        raise NoDataError(f"{names}: no trades of {symbol} in the time that is asked for")
    found = None if not quotes else _quotes(*_joined(quotes, names), tick_size)
    return _tape(symbol, table, times, found, tick_size, sampled, str(Source.FILE))


def tape_of_archive(
    archive: Archive, symbol: str, *, tick_size: float, span: Span, sampled: bool = False
) -> TapeData:
    """Return the stored trades of a symbol, and its quotes where there are any.

    Args:
        archive: Of the realm that is asked.
        symbol: As it was stored.
        tick_size: The grid of all prices.
        span: First instant and the one after the last, nanoseconds UTC; None for no bound.
        sampled: Whether to say so of a source that is not known to leave trades out.

    Raises:
        NoDataError: If there is no trade.
        InputError: If a price is off the grid.
    """
    start_ns, end_ns = span
    rows = archive.records(TRADES, symbol, start_ns, end_ns)
    if not rows.num_rows:
        raise NoDataError(
            f"no trades of {symbol} are stored"
            + ("" if start_ns is None else " for the time that is asked for"),
            next_step="Bring some in with `algo-trader store import FILE`, or name them by --file.",
        )
    sources = sorted(set(rows.column("source").to_pylist()))
    earlier = None if start_ns is None else start_ns - QUOTE_LOOKBACK_NS
    books = archive.records(QUOTES, symbol, earlier, end_ns)
    quotes = None
    if books.num_rows:
        quotes = _quotes(books, books.column(EVENT_TIME).to_numpy(), tick_size)
    leaves_out = sampled or any(Source(source).leaves_trades_out for source in sources)
    times = rows.column(EVENT_TIME).to_numpy()
    return _tape(symbol, rows, times, quotes, tick_size, leaves_out, "+".join(sources))


def last_trade_ns(archive: Archive, symbol: str) -> int:
    """Return the instant of the last stored trade, nanoseconds UTC.

    Raises:
        NoDataError: If there is none.
    """
    parts = archive.parts(TRADES, symbol)
    if not parts:
        raise NoDataError(
            f"no trades of {symbol} are stored",
            next_step="Bring some in with `algo-trader store import FILE`, or name them by --file.",
        )
    return max(part.last_ns for part in parts)


def session_numbers(times: Int64s, calendar: Calendar) -> Int64s:
    """Return a number of each instant's session, int64 (n,), rising with each opening.

    What happens between two sessions belongs to the earlier one.

    Args:
        times: Nanoseconds UTC, never falling, (n,).
        calendar: Of the symbol.
    """
    if not times.size:
        return np.empty(0, dtype=np.int64)
    first, last = (utc_from_ns(int(times[row])).date() for row in (0, -1))
    around = calendar.sessions(first - timedelta(days=5), last + timedelta(days=2))
    opens = np.array([each.all[0][0] for each in around if each.all], dtype=np.int64)
    return np.searchsorted(opens, times, side="right").astype(np.int64)


def _of_symbol(read: ReadFile, times: Int64s, symbol: str) -> tuple[pa.Table, Int64s]:
    if "symbol" not in read.columns.column_names:
        return read.columns, times
    mine = pc.equal(read.columns.column("symbol").cast(pa.string()), symbol)
    keep = pc.fill_null(mine, False).to_numpy().astype(np.bool_)
    return read.columns.filter(pa.array(keep)), times[keep]


def _joined(rows: list[tuple[pa.Table, Int64s]], names: str) -> tuple[pa.Table, Int64s]:
    try:
        table = pa.concat_tables([table for table, _ in rows], promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"the columns of {names} do not go together: {error}") from error
    return table.combine_chunks(), np.concatenate([times for _, times in rows])


def _within(rows: tuple[pa.Table, Int64s], span: Span) -> tuple[pa.Table, Int64s]:
    table, times = rows
    keep = np.ones(len(times), dtype=np.bool_)
    if span[0] is not None:
        keep &= times >= span[0]
    if span[1] is not None:
        keep &= times < span[1]
    return table.filter(pa.array(keep)), times[keep]


def _tape(
    symbol: str,
    table: pa.Table,
    times: Int64s,
    quotes: Quotes | None,
    tick_size: float,
    sampled: bool,
    source: str,
) -> TapeData:
    trades = Trades.of(
        times,
        _floats(table, "price"),
        _floats(table, "size"),
        tick_size=tick_size,
        sampled=sampled,
    )
    made_up = "is_synthetic" in table.column_names and bool(
        pc.any(table.column("is_synthetic").cast(pa.bool_())).as_py()
    )
    return TapeData(symbol, trades, quotes, _flag(table), source, made_up)


def _quotes(table: pa.Table, times: Int64s, tick_size: float) -> Quotes:
    return Quotes.of(
        times, _floats(table, "bid_price"), _floats(table, "ask_price"), tick_size=tick_size
    )


def _flag(table: pa.Table) -> Sides | None:
    if "aggressor" not in table.column_names:
        return None
    words = pc.fill_null(table.column("aggressor").cast(pa.string()), "").to_numpy()
    codes = np.where(words == "B", 1, np.where(words == "A", -1, 0)).astype(np.int8)
    return codes if codes.any() else None


def _floats(table: pa.Table, name: str) -> Floats:
    try:
        column = table.column(name).cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"the column {name} holds something else than numbers: {error}") from error
    return np.asarray(column.to_numpy(), dtype=np.float64)
