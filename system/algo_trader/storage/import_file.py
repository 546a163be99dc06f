"""Read a file of bars, trades or quotes into columns, without guessing what its times mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.errors import InputError, UsageError
from infrastructure.exchange.timeframes import schwab_bar_starts
from system.algo_trader.market.timeframe import Timeframe

Label = Literal["start", "end"]
Kind = Literal["bars", "trades", "quotes"]

_KINDS: Final[dict[Kind, tuple[str, ...]]] = {
    "bars": ("open", "high", "low", "close"),
    "quotes": ("bid_price", "bid_size", "ask_price", "ask_size"),
    "trades": ("price", "size"),
}
_TEXT_TIMES: Final = ("datetime", "timestamp", "time", "date", "start", "ts_event")
_NS_TIMES: Final = ("ts_event_ns", "start_ns", "time_ns")
_TEXTS: Final = ("symbol", "aggressor", "source", "timeframe", "session", "adjustment")
_NS_RECEIVED: Final = ("ts_recv_ns", "ts_recv")
_DATE_LENGTH: Final = 10


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Hold a file's rows in its order.

    Attributes:
        kind: What the rows are.
        columns: The file's columns, lower-case names.
        time: The name of the column of times.
    """

    kind: Kind
    columns: pa.Table
    time: str


def read_file(path: Path) -> ReadFile:
    """Read a CSV or Parquet file and say what its rows are.

    Args:
        path: A file that ends with `.csv`, `.csv.gz`, `.parquet` or `.arrow`.

    Raises:
        InputError: If it cannot be read, or its columns are of no known kind.
        UsageError: If its name ends otherwise.
    """
    if path.name.endswith((".csv", ".csv.gz")):
        table = _read_csv(path)
    elif path.suffix == ".parquet":
        table = _read_parquet(path)
    elif path.suffix == ".arrow":
        table = _read_arrow(path)
    else:
        raise UsageError(
            f"{path.name} is neither CSV, Parquet nor Arrow",
            next_step="Name a .csv, .csv.gz, .parquet or .arrow file.",
        )
    table = table.rename_columns([name.strip().lower() for name in table.column_names])
    names = table.column_names
    if len(set(names)) != len(names):
        raise InputError(f"{path.name} names a column twice: {', '.join(names)}")
    kind = next((kind for kind, needed in _KINDS.items() if set(needed) <= set(names)), None)
    time = next((name for name in (*_NS_TIMES, *_TEXT_TIMES) if name in names), None)
    if kind is None or time is None:
        raise InputError(
            f"{path.name} has the columns {', '.join(names)}",
            next_step=(
                "Bars need open, high, low, close; trades price, size; quotes bid_price, bid_size, "
                "ask_price, ask_size; all need a time, such as datetime or ts_event_ns."
            ),
        )
    return ReadFile(kind, table.combine_chunks(), time)


def instants(read: ReadFile, zone: str | None) -> npt.NDArray[np.int64]:
    """Return the times of the rows, int64 nanoseconds UTC, shape (n,).

    Args:
        read: The file.
        zone: The zone of times that carry no offset, such as America/New_York.

    Raises:
        UsageError: If times carry no offset and no zone is given, or there is no such zone.
        InputError: If a time cannot be read, or did not exist or existed twice in that zone.
    """
    known = None if zone is None else _known_zone(zone)
    column = read.columns.column(read.time)
    if column.null_count:
        row = pc.index(pc.is_null(column), pa.scalar(True)).as_py()
        raise InputError(f"row {row + 1} has no {read.time}")
    if pa.types.is_integer(column.type):
        if read.time not in _NS_TIMES and read.time != "ts_event":
            raise InputError(f"{read.time} holds whole numbers, and nothing says their unit")
        numbers: npt.NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
        return numbers
    return _parsed(column, read.time, known)


def starts(
    read: ReadFile, zone: str | None, label: Label, timeframe: Timeframe
) -> npt.NDArray[np.int64]:
    """Return the starts of bars, int64 nanoseconds UTC, shape (n,).

    Daily and longer bars carry the stamp of their trading date, as the archive's others do.

    Args:
        read: A file of bars.
        zone: The zone of times that carry no offset.
        label: Whether a bar's time is its start or its end.
        timeframe: The span of a bar.

    Raises:
        UsageError: As `instants`.
        InputError: As `instants`.
    """
    if timeframe.duration_ns is None:
        texts = read.columns.column(read.time).cast(pa.string())
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        if longest > _DATE_LENGTH:
            raise InputError(
                f"{read.time} of {timeframe} bars holds a time of day: {texts[0].as_py()!r}",
                next_step="Give daily and longer bars the date of their session.",
            )
        days = (
            _parsed(texts, read.time, ZoneInfo("UTC"))
            .astype("datetime64[ns]")
            .astype("datetime64[D]")
        )
        return np.asarray(schwab_bar_starts(days, str(timeframe)))
    shift = timeframe.duration_ns if label == "end" else 0
    return instants(read, zone) - shift


def said(read: ReadFile, name: str) -> frozenset[str]:
    """Return the values of a column that describes the rows; empty when there is none.

    Args:
        read: The file.
        name: `timeframe`, `session`, `adjustment`, `source` or `is_synthetic`.
    """
    if name not in read.columns.column_names:
        return frozenset()
    values = pc.unique(read.columns.column(name)).to_pylist()
    return frozenset(str(value) for value in values if value is not None)


def received(read: ReadFile) -> pa.ChunkedArray | None:
    """Return when rows were received, int64 ns UTC; None when the file does not say."""
    name = next((name for name in _NS_RECEIVED if name in read.columns.column_names), None)
    return None if name is None else read.columns.column(name)


def _known_zone(zone: str) -> ZoneInfo:
    # A misspelt zone is refused even where no time needs one: the next file may.
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, IsADirectoryError, ValueError) as error:
        raise UsageError(
            f"there is no time zone {zone!r}", next_step="Write one such as America/New_York."
        ) from error


def _parsed(column: pa.ChunkedArray, name: str, zone: ZoneInfo | None) -> npt.NDArray[np.int64]:
    import pandas as pd

    given: Any = column.to_pandas()
    try:
        times: Any = pd.to_datetime(given, format=None if _is_time(column) else "ISO8601")
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} cannot be read as ISO 8601 times: {error}") from error
    if times.dt.tz is None:
        if zone is None:
            raise UsageError(
                f"the times of {name} carry no offset, and --tz is not given",
                next_step="Say which zone they are in, as --tz America/New_York.",
            )
        try:
            times = times.dt.tz_localize(zone, ambiguous="raise", nonexistent="raise")
        except ValueError as error:
            raise InputError(
                f"{name} holds a time that {zone} had twice or never: {error}",
                next_step="Give those times with their offset.",
            ) from error
    stamps: Any = times.dt.tz_convert("UTC").dt.as_unit("ns")
    numbers: npt.NDArray[np.int64] = stamps.to_numpy("datetime64[ns]").astype(np.int64)
    return numbers


def _is_time(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_temporal(column.type))


def _read_csv(path: Path) -> pa.Table:
    from pyarrow import csv

    try:
        with csv.open_csv(path) as reader:
            names = reader.schema.names
        text = {
            name: pa.string() for name in names if name.strip().lower() in (*_TEXT_TIMES, *_TEXTS)
        }
        options = csv.ConvertOptions(column_types=text, strings_can_be_null=True)
        return csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}") from error


def _read_arrow(path: Path) -> pa.Table:
    try:
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as an Arrow file: {error}") from error
