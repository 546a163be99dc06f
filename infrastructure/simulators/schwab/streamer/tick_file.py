"""Replay trades and best bids and offers out of a CSV or Parquet file as level one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from infrastructure.errors import InputError
from infrastructure.simulators.schwab.streamer.equity_line import LEVELONE_EQUITIES
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.sources import Publish

# A column of the file to the fields that it sets.
COLUMNS: Final = {
    "bid": ("bidPrice",),
    "ask": ("askPrice",),
    "bid_size": ("bidSize",),
    "ask_size": ("askSize",),
    "price": ("lastPrice", "mark"),
    "size": ("lastSize",),
}
_TIMES: Final = ("ts_event", "timestamp", "time", "datetime")
_SIZES: Final = ("bid_size", "ask_size", "size")
_NS_PER_MS: Final = 1_000_000


class TickFile:
    """Tell the rows of a file when their time comes.

    Args:
        path: CSV or Parquet. Columns: one of ts_event, timestamp, time, datetime (RFC 3339 with a
            zone, or int64 nanoseconds UTC); symbol; price and size of a trade, or bid, ask,
            bid_size, ask_size; an empty cell says nothing. Rows of one time keep their order.

    Raises:
        InputError: If the file cannot be read, lacks a column, or has a time without a zone.
    """

    def __init__(self, path: Path) -> None:
        frame = _read(path)
        names = {str(column).strip().lower(): column for column in frame.columns}
        time_name = next((name for name in _TIMES if name in names), None)
        known = [name for name in COLUMNS if name in names]
        if time_name is None or "symbol" not in names or not known:
            raise InputError(
                f"{path} has the columns {', '.join(map(str, frame.columns))}; ticks need a time "
                f"({', '.join(_TIMES)}), symbol, and some of {', '.join(COLUMNS)}"
            )
        if len(frame) == 0:
            raise InputError(f"{path} has no rows")
        times = _instants(path, frame[names[time_name]])
        order = np.argsort(times, kind="stable")
        self._times: list[int] = times[order].tolist()
        symbols = frame[names["symbol"]].astype(str).str.strip().str.upper().to_numpy()[order]
        self._symbols: list[str] = symbols.tolist()
        self._cells = {
            name: _numbers(path, name, frame[names[name]])[order].tolist() for name in known
        }
        self._known = frozenset(self._symbols)
        self._form = service_forms()[LEVELONE_EQUITIES]
        self._states: dict[str, dict[str, Any]] = {}
        self._volumes: dict[str, int] = {}
        self._opened: set[str] = set()
        self._row = 0

    @property
    def start_ns(self) -> int:
        """Return the time of the first row."""
        return self._times[0]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols in alphabetic order."""
        return tuple(sorted(self._known))

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish where a symbol stands; False for other services and symbols."""
        if service != LEVELONE_EQUITIES or key not in self._known:
            return False
        self._opened.add(key)
        values = self._form.filled({}) | self._states.get(key, {})
        extras = {"delayed": False, "assetMainType": "EQUITY", "assetSubType": "COE"}
        publish(service, key, values, extras)
        return True

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish the rows up to a moment."""
        while self._row < len(self._times) and self._times[self._row] <= now_ns:
            symbol, values = self._symbols[self._row], self._values(self._row)
            self._row += 1
            self._states.setdefault(symbol, {}).update(values)
            if symbol in self._opened:
                publish(LEVELONE_EQUITIES, symbol, values)

    def _values(self, row: int) -> dict[str, Any]:
        named: dict[str, Any] = {}
        for name, cells in self._cells.items():
            cell = cells[row]
            if cell == cell:
                value = int(cell) if name in _SIZES else cell
                named.update(dict.fromkeys(COLUMNS[name], value))
        time_ms = self._times[row] // _NS_PER_MS
        if "lastPrice" in named:
            symbol = self._symbols[row]
            self._volumes[symbol] = self._volumes.get(symbol, 0) + named.get("lastSize", 0)
            named |= {"tradeTime": time_ms, "totalVolume": self._volumes[symbol]}
        if "bidPrice" in named or "askPrice" in named:
            named["quoteTime"] = time_ms
        return self._form.numbered(named)


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


def _instants(path: Path, column: Any) -> Any:
    import pandas as pd

    if pd.api.types.is_integer_dtype(column):
        return column.to_numpy(dtype=np.int64)
    try:
        times = pd.DatetimeIndex(pd.to_datetime(column))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} has a time that cannot be read: {error}") from error
    if times.hasnans:
        raise InputError(f"{path} has a row without a time")
    if times.tz is None:
        raise InputError(f"{path} has times without a zone; write them as 2013-03-01T14:30:00Z")
    return times.tz_convert("UTC").as_unit("ns").asi8.astype(np.int64)


def _numbers(path: Path, name: str, column: Any) -> Any:
    import pandas as pd

    try:
        return pd.to_numeric(column).to_numpy(dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: column {name} is not a number: {error}") from error
