"""What `store export` does with its words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from infrastructure.clock import Clock, parse_rfc3339
from infrastructure.errors import NoDataError, UsageError
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.continuous_bars import RollAdjust
from system.algo_trader.storage.export_file import (
    FORMATS,
    Exported,
    ExportRequest,
    Format,
    export_file,
)
from system.algo_trader.storage.records import TAPE, bars_dataset

_T = TypeVar("_T", Session, Adjustment, RollAdjust, Timeframe)


def run(
    root: Path,
    dataset: str,
    target: Path,
    *,
    symbols: list[str],
    timeframe: str | None,
    start: str | None,
    end: str | None,
    session: str,
    adjustment: str,
    rolls: str,
    form: str | None,
    clock: Clock,
) -> list[Exported]:
    """Write one file a symbol; arguments are the words of the command.

    Raises:
        UsageError: If a word is wrong, or several symbols are to go into one file.
        NoDataError: If there are no such rows.
        StackError: As `export_file`.
    """
    archive = Archive(root)
    name = _dataset(dataset, timeframe)
    wanted = symbols or sorted({part.symbol for part in archive.parts(name)})
    if not wanted:
        raise NoDataError(f"the archive has no {name}")
    if len(wanted) > 1 and not target.is_dir():
        raise UsageError(
            f"{len(wanted)} symbols need a folder, and {target} is none",
            next_step="Name a folder that exists, or one --symbol.",
        )
    written = _format(form, target)
    hours, prices = _member(Session, session), _member(Adjustment, adjustment)
    gaps = _member(RollAdjust, rolls)
    span = (instant(start), instant(end))
    return [
        export_file(
            archive, ExportRequest(name, symbol, *span, hours, prices, gaps), target, written,
            now_ns=clock.now_ns(),
        )
        for symbol in wanted
    ]  # fmt: skip


def instant(text: str | None) -> int | None:
    """Return a day (its beginning in UTC) or an RFC 3339 instant, nanoseconds UTC.

    Raises:
        UsageError: If it is neither.
    """
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9
        return parse_rfc3339(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no time", next_step="Write 2019-02-14 or 2019-02-14T14:30:00Z."
        ) from error


def _dataset(dataset: str, timeframe: str | None) -> str:
    if dataset in TAPE:
        return dataset
    if dataset == "bars":
        if timeframe is None:
            raise UsageError("the span of the bars is not said", next_step="Add --timeframe 1m.")
        return bars_dataset(_member(Timeframe, timeframe))
    if dataset.startswith("bars_"):
        return bars_dataset(_member(Timeframe, dataset.removeprefix("bars_")))
    raise UsageError(f"{dataset!r} cannot be exported, expected bars, {' or '.join(TAPE)}")


def _format(form: str | None, target: Path) -> Format:
    found = form or target.suffix.removeprefix(".") or "parquet"
    if found not in FORMATS:
        raise UsageError(
            f"{found!r} is no format that can be written",
            next_step=f"Add --format {' or '.join(FORMATS)}.",
        )
    return found


def _member(kind: type[_T], text: str) -> _T:
    try:
        return kind(text)
    except ValueError as error:
        expected = ", ".join(str(each) for each in kind)
        raise UsageError(f"{text!r} is none of {expected}") from error
