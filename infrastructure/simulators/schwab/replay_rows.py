"""Rows of prices as they were recorded: out of bokeh_sampledata, or out of a user's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from infrastructure.errors import InputError
from infrastructure.exchange.zones import Dates, local_dates
from infrastructure.simulators.schwab.bars import Bars
from infrastructure.simulators.schwab.splits import Split
from infrastructure.simulators.schwab.ticks import Ticks

BarLabel = Literal["start", "end"]
NEW_YORK: Final = "America/New_York"

_NS_PER_MINUTE: Final = 60_000_000_000
_COLUMNS: Final = ("open", "high", "low", "close", "volume")
_SYMBOL_NAMES: Final = ("symbol", "ticker")
_TIME_NAMES: Final = ("ts_event", "datetime", "time", "timestamp", "date")
_QUOTED: Final = ("bid", "ask", "bid_size", "ask_size")


@dataclass(frozen=True, slots=True)
class Rows:
    """Unadjusted rows of one symbol.

    Attributes:
        dates: Trading date of each row, datetime64[D].
        bars: The rows; `start_ns` is 0 for daily rows, whose instant the market knows.
        intraday: Whether they are minutes; else each is a whole day.
    """

    dates: Dates
    bars: Bars
    intraday: bool


def rows_from_bokeh() -> dict[str, Rows]:
    """Return bokeh_sampledata's unadjusted daily rows of AAPL, FB, GOOG, IBM and MSFT.

    Source: the Quandl WIKI Prices, 2000-03-01 to 2013-03-01, as that package's module says.
    """
    from bokeh_sampledata import stocks

    return {
        symbol: _daily(symbol, getattr(stocks, symbol))
        for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    }


def rows_from_file(
    path: Path, *, symbol: str | None = None, zone: str = NEW_YORK, bar_label: BarLabel = "start"
) -> dict[str, Rows]:
    """Read a CSV or Parquet file of daily or one-minute bars.

    Args:
        path: The file; its columns are symbol (or ticker), one of datetime, time, timestamp,
            date, and open, high, low, close, volume, in any case and order. A time of midnight
            in every row means daily bars. Trades have price and size instead of the five, and
            become minutes; beside them rows may have bid, ask, bid_size and ask_size.
        symbol: The symbol of all rows when the file has no such column.
        zone: The zone of times that name none.
        bar_label: Whether a minute's time is its start or its end.

    Raises:
        InputError: If the file cannot be read, a column is missing, a cell is not a number, or
            a symbol has two rows for one time.
    """
    frame = _read(path)
    names = {str(column).strip().lower(): column for column in frame.columns}
    if {"price", "size"} <= names.keys() and "open" not in names:
        frame, zone = _minutes_of_trades(path, frame, names, zone), "UTC"
        names, bar_label = {str(column): column for column in frame.columns}, "start"
    missing = [name for name in _COLUMNS if name not in names]
    time_name = next((name for name in _TIME_NAMES if name in names), None)
    if time_name is None:
        missing.insert(0, "date or time")
    symbol_name = next((name for name in _SYMBOL_NAMES if name in names), None)
    if symbol_name is None and symbol is None:
        missing.insert(0, "symbol")
    if missing or time_name is None:
        raise InputError(
            f"{path} has the columns {', '.join(map(str, frame.columns))} and lacks "
            f"{', '.join(missing)}",
            next_step="Add that column, or name the one symbol of the file "
            "(`--symbols SPY`; after `sim` it is `--symbol SPY`)."
            if missing == ["symbol"]
            else None,
        )
    if symbol_name is None:
        frame = frame.assign(symbol=symbol)
        names["symbol"], symbol_name = "symbol", "symbol"
    if len(frame) == 0:
        raise InputError(f"{path} has no rows")
    return {
        str(name).strip().upper(): _file_rows(path, part, names, time_name, zone, bar_label)
        for name, part in frame.groupby(names[symbol_name], sort=True)
    }


def ticks_from_file(
    path: Path, *, symbol: str | None = None, zone: str = NEW_YORK
) -> dict[str, Ticks]:
    """Read the trades, and the best bids and offers, of a file; nothing out of a file of bars.

    Arguments and errors as `rows_from_file`.
    """
    frame = _read(path)
    names = {str(column).strip().lower(): column for column in frame.columns}
    time_name = next((name for name in _TIME_NAMES if name in names), None)
    if not {"price", "size"} <= names.keys() or "open" in names or time_name is None:
        return {}
    symbol_name = next((name for name in _SYMBOL_NAMES if name in names), None)
    if symbol_name is None:
        frame, names = frame.assign(symbol=symbol), {**names, "symbol": "symbol"}
        symbol_name = "symbol"
    found = {}
    for name, part in frame.groupby(names[symbol_name], sort=True):
        times = _instants(path, part[names[time_name]], zone)
        order = np.argsort(times, kind="stable")
        part = part.iloc[order]
        values = {"last": part[names["price"]].ffill(), "size": part[names["size"]]}
        values["size"] = values["size"].where(part[names["price"]].notna())
        for column in _QUOTED:
            has = column in names
            values[column] = part[names[column]].ffill() if has else part[names["price"]] * np.nan
        found[str(name).strip().upper()] = Ticks(
            times[order], {word: each.to_numpy(dtype=np.float64) for word, each in values.items()}
        )
    return found


def _daily(symbol: str, columns: Mapping[str, Sequence[Any]]) -> Rows:
    dates = np.array(columns["date"], dtype="datetime64[D]")
    order = np.argsort(dates, kind="stable")
    numbers = {name: np.array(columns[name], dtype=np.float64)[order] for name in _COLUMNS}
    _refuse_twins(symbol, dates[order].astype(np.int64), dates[order])
    return Rows(dates[order], _bars(np.zeros(dates.size, dtype=np.int64), numbers), intraday=False)


def _bars(starts: Any, numbers: Mapping[str, Any]) -> Bars:
    volume = np.rint(numbers["volume"]).astype(np.int64)
    return Bars(starts, numbers["open"], numbers["high"], numbers["low"], numbers["close"], volume)


def _read(path: Path) -> Any:
    import pandas as pd

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return pd.read_csv(path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as CSV or Parquet: {error}") from error


def _file_rows(
    path: Path, frame: Any, names: Mapping[str, Any], time_name: str, zone: str, label: BarLabel
) -> Rows:
    times = _instants(path, frame[names[time_name]], zone)
    numbers = {name: _numbers(path, name, frame[names[name]]) for name in _COLUMNS}
    order = np.argsort(times, kind="stable")
    times = times[order]
    _refuse_twins(str(path), times, times.astype("datetime64[ns]"))
    dates = local_dates(times, zone)
    midnight = _instants(path, dates, zone)
    intraday = bool(np.any(times != midnight))
    if intraday and label == "end":
        times = times - _NS_PER_MINUTE
    starts = times if intraday else np.zeros(times.size, dtype=np.int64)
    numbers = {name: values[order] for name, values in numbers.items()}
    return Rows(dates, _bars(starts, numbers), intraday)


def _minutes_of_trades(path: Path, frame: Any, names: Mapping[str, Any], zone: str) -> Any:
    """Return trades as one-minute bars; of trades at one time the file's order holds."""
    time_name = next((name for name in _TIME_NAMES if name in names), None)
    if time_name is None:
        raise InputError(f"{path} has trades without a time")
    import pandas as pd

    symbol_name = next((name for name in _SYMBOL_NAMES if name in names), None)
    if "bid" in names or "ask" in names:
        # A quote's row has no price.
        frame = frame[frame[names["price"]].notna()]
    times = _instants(path, frame[names[time_name]], zone)
    trades = pd.DataFrame(
        {
            "datetime": pd.to_datetime(times - times % _NS_PER_MINUTE, utc=True),
            "price": _numbers(path, "price", frame[names["price"]]),
            "size": _numbers(path, "size", frame[names["size"]]),
        }
    )
    keys = ["datetime"]
    if symbol_name is not None:
        trades["symbol"] = frame[names[symbol_name]].to_numpy()
        keys = ["symbol", "datetime"]
    trades = trades.iloc[times.argsort(kind="stable")]
    grouped = trades.groupby(keys, sort=True)
    return grouped.agg(
        open=("price", "first"),
        high=("price", "max"),
        low=("price", "min"),
        close=("price", "last"),
        volume=("size", "sum"),
    ).reset_index()


def _instants(path: Path, column: Any, zone: str) -> Any:
    import pandas as pd

    try:
        times = pd.DatetimeIndex(pd.to_datetime(column))
        if times.tz is None:
            times = times.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} has a time that cannot be read: {error}") from error
    if times.hasnans:
        raise InputError(f"{path} has a row without a time")
    return times.tz_convert("UTC").as_unit("ns").asi8.astype(np.int64)


def _numbers(path: Path, name: str, column: Any) -> Any:
    import pandas as pd

    try:
        values = pd.to_numeric(column).to_numpy(dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: column {name} is not a number: {error}") from error
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise InputError(f"{path}: row {row} has no {name}")
    return values


def _refuse_twins(where: str, keys: Any, shown: Any) -> None:
    twins = np.flatnonzero(np.diff(keys) == 0)
    if twins.size:
        raise InputError(f"{where} has two rows for {shown[int(twins[0])]}")


def with_split(rows: Rows, split: Split) -> Rows:
    """Return unadjusted rows as they would be had a share been split on a date."""
    ratio = np.where(rows.dates >= np.datetime64(split.ex_date, "D"), split.ratio, 1.0)
    return Rows(rows.dates, rows.bars.split_adjusted(ratio), rows.intraday)


def trading_date_range(rows: Mapping[str, Rows]) -> tuple[date, date]:
    """Return the first and last trading date of all symbols."""
    first = min(part.dates[0] for part in rows.values())
    last = max(part.dates[-1] for part in rows.values())
    return first.item(), last.item()
