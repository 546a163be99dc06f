"""Trades and quotes of a file or of the archive as one tape of level one, in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import InputError, NoDataError, UsageError
from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.storage.import_file import instants, read_file, received, said
from system.algo_trader.storage.records import QUOTES, TRADES

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
T = TypeVar("T", np.int64, np.float64)

TAPE_SCHEMA: Final = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("ts_event", pa.int64(), nullable=False),
        pa.field("ts_recv", pa.int64()),
        pa.field("is_trade", pa.bool_(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("size", pa.int64()),
        *(pa.field(name, pa.float64()) for name in ("bid_price", "ask_price")),
        *(pa.field(name, pa.int64()) for name in ("bid_size", "ask_size")),
    ]
)
"""One record a row; what it is not about is null."""


def tape_of_file(path: Path, zone: str | None, symbol: str | None) -> tuple[pa.Table, bool]:
    """Return a file's trades or quotes, and whether it says that they are made up.

    Args:
        path: As `store import` takes it.
        zone: The zone of times that carry no offset.
        symbol: Whose they are, where the file has no such column.

    Raises:
        UsageError: If zone or symbol is not said; if the file holds bars.
        InputError: If it cannot be read.
    """
    read = read_file(path)
    if read.kind == "bars":
        raise UsageError(
            f"{path.name} holds bars, and a replay needs trades or quotes",
            next_step="Let the simulator play bars back: `--replay FILE` before the verb.",
        )
    if "symbol" not in read.columns.column_names and symbol is None:
        raise UsageError(
            f"{path.name} has no column of symbols",
            next_step="Name the one that it is about: --symbols before the verb.",
        )
    count = read.columns.num_rows
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "symbol": read.columns.column("symbol")
        if "symbol" in read.columns.column_names
        else pa.array([symbol] * count, pa.string()),
        "ts_event": pa.array(instants(read, zone)),
        "is_trade": pa.array(np.full(count, read.kind == "trades")),
    }
    arrived = received(read)
    if arrived is not None:
        columns["ts_recv"] = arrived
    made_up = bool(said(read, "is_synthetic") - {"False", "false", "0"})
    return _tape(read.columns, columns), made_up


def tape_of_records(
    records: Callable[[str, str], pa.Table], symbols: Sequence[str]
) -> tuple[pa.Table, bool]:
    """Return stored trades and quotes, and whether they were made up.

    Args:
        records: Returns the rows of a dataset and symbol.
        symbols: Which.

    Raises:
        NoDataError: If nothing is stored.
        InputError: If several sources tell of one symbol: played together, they count twice.
    """
    tables = []
    sources: set[str] = set()
    made_up = False
    for dataset in (TRADES, QUOTES):
        for symbol in symbols:
            rows = records(dataset, symbol)
            sources |= set(pc.unique(rows.column("source")).to_pylist())
            made_up |= bool(pc.any(rows.column("is_synthetic")).as_py())
            columns = {name: rows.column(name) for name in ("symbol", "ts_event", "ts_recv")}
            columns["is_trade"] = pa.array(np.full(rows.num_rows, dataset == TRADES))
            tables.append(_tape(rows, columns))
    if len(sources) > 1:
        raise InputError(
            f"the archive has these trades and quotes of {', '.join(sorted(sources))}",
            next_step="Name a span, with --start and --end, that has one source.",
        )
    tape = pa.concat_tables(tables)
    if not tape.num_rows:
        raise NoDataError("the archive has no trades or quotes of these symbols and this span")
    return tape, made_up


def _tape(rows: pa.Table, columns: dict[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    count = rows.num_rows
    arrays = []
    for field in TAPE_SCHEMA:
        column = columns.get(field.name)
        if column is None and field.name in rows.column_names and field.name != "ts_recv":
            column = rows.column(field.name)
        arrays.append(pa.nulls(count, field.type) if column is None else column.cast(field.type))
    return pa.table(arrays, TAPE_SCHEMA)


def ticks_of(tape: pa.Table, symbols: pa.Array) -> Ticks:
    """Return a tape as updates of level one, by rising time.

    Each row shows what is known of its symbol after it: a trade beside the quote before it, and a
    quote beside the last trade. Equal times keep the tape's order.

    Args:
        tape: Rows of `TAPE_SCHEMA`.
        symbols: The list of the symbols; others are left out.
    """
    rows = tape.filter(pc.is_in(tape.column("symbol"), symbols)).combine_chunks()
    times = rows.column("ts_event").to_numpy()
    order = np.argsort(times, kind="stable")
    rows, times = rows.take(pa.array(order)), times[order]
    symbol = pc.index_in(rows.column("symbol"), symbols).to_numpy().astype(np.int64)
    is_trade = rows.column("is_trade").to_numpy()
    arrived = pc.coalesce(rows.column("ts_recv"), rows.column("ts_event")).to_numpy()
    by_symbol = np.argsort(symbol, kind="stable")
    quoted = _last_row(symbol, ~is_trade, by_symbol)
    traded = _last_row(symbol, is_trade, by_symbol)
    volume = np.where(is_trade, _counts(rows, "size", 0), 0)
    return Ticks(
        symbol=symbol,
        order=np.arange(len(times)),
        ts_recv=arrived.astype(np.int64),
        ts_quote=_known(times, quoted, NO_TIME),
        ts_trade=_known(times, traded, NO_TIME),
        bid=_known(_prices(rows, "bid_price"), quoted, np.nan),
        ask=_known(_prices(rows, "ask_price"), quoted, np.nan),
        bid_size=_known(_counts(rows, "bid_size", NO_TIME), quoted, NO_TIME),
        ask_size=_known(_counts(rows, "ask_size", NO_TIME), quoted, NO_TIME),
        last=_known(_prices(rows, "price"), traded, np.nan),
        last_size=_known(_counts(rows, "size", NO_TIME), traded, NO_TIME),
        volume=volume,
        total=_running(symbol, volume, by_symbol),
        is_quote=~is_trade,
        is_trade=is_trade,
    )


def _last_row(symbol: Int64s, is_wanted: npt.NDArray[np.bool_], by_symbol: Int64s) -> Int64s:
    """Return for each row the last wanted row of its symbol up to it, -1 without one."""
    ours = symbol[by_symbol]
    place = np.arange(len(symbol))
    found = np.maximum.accumulate(np.where(is_wanted[by_symbol], place, -1))
    first = np.searchsorted(ours, ours, side="left")
    result = np.empty(len(symbol), dtype=np.int64)
    result[by_symbol] = np.where(found >= first, by_symbol[np.clip(found, 0, None)], -1)
    return result


def _running(symbol: Int64s, volume: Int64s, by_symbol: Int64s) -> Int64s:
    """Return what of each symbol had been traded up to each row."""
    ours, summed = symbol[by_symbol], np.cumsum(volume[by_symbol])
    first = np.searchsorted(ours, ours, side="left")
    before = np.where(first > 0, summed[np.clip(first - 1, 0, None)], 0)
    result = np.empty(len(symbol), dtype=np.int64)
    result[by_symbol] = summed - before
    return result


def _known(values: npt.NDArray[T], row: Int64s, nothing: float) -> npt.NDArray[T]:
    found = values[np.clip(row, 0, None)].copy()
    found[row < 0] = nothing
    return found


def _prices(rows: pa.Table, name: str) -> Floats:
    return np.asarray(pc.fill_null(rows.column(name), float("nan")).to_numpy())


def _counts(rows: pa.Table, name: str, nothing: int) -> Int64s:
    return np.asarray(pc.fill_null(rows.column(name), nothing).to_numpy())
