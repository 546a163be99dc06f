"""Bring a file of bars, trades or quotes into the archive, checked, and say what is missing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import Clock, rfc3339
from infrastructure.errors import InputError, UsageError
from system.algo_trader.market.bars import Bars, Int64s, Mask, Series
from system.algo_trader.market.gap import Gap
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.quality.checks import check
from system.algo_trader.quality.closing import BarCalendar, kind_of
from system.algo_trader.quality.gaps import find_gaps
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.import_file import (
    Label,
    ReadFile,
    instants,
    read_file,
    received,
    said,
    starts,
)
from system.algo_trader.storage.records import EVENT_TIME, REJECT_SCHEMA, schema_of
from system.algo_trader.storage.transaction import Appended

_AGGRESSORS: Final = ("B", "A")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Say what a file holds, where the file itself does not.

    Attributes:
        path: The file.
        zone: The zone of times without an offset; None when they have one.
        label: Whether a bar's time is its start or its end; needed for bars.
        symbol: The instrument; None when a column names it.
        timeframe: The span of a bar; needed for bars.
        session: The hours that bars count.
        adjustment: What the prices are adjusted for.
        is_synthetic: Whether the rows were made up; a file that says so itself is believed.
        into_simulation: Whether the archive is a simulator's.
    """

    path: Path
    zone: str | None = None
    label: Label | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    session: Session = Session.RTH
    adjustment: Adjustment = Adjustment.RAW
    is_synthetic: bool = False
    into_simulation: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Say what an import did.

    Attributes:
        kind: bars, trades or quotes.
        symbols: Whose rows they are.
        rows: Rows in the file.
        reordered: Rows that came before their predecessor.
        appended: What became of the accepted ones.
        rejected: How many rows each rule refused.
        still_open: Bars left out because they were not over.
        first_ns: The earliest accepted instant; None without any.
        last_ns: The latest.
        missing: Runs of bars that the calendar expects and the file lacks, by symbol.
    """

    kind: str
    symbols: tuple[str, ...]
    rows: int
    reordered: int
    appended: Appended
    rejected: dict[str, int]
    still_open: int
    first_ns: int | None
    last_ns: int | None
    missing: dict[str, tuple[Gap, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON output."""
        return {
            "kind": self.kind,
            "symbols": list(self.symbols),
            "rows": self.rows,
            "reordered": self.reordered,
            "new": self.appended.new,
            "unchanged": self.appended.unchanged,
            "revised": self.appended.revised,
            "rejected": self.rejected,
            "still_open": self.still_open,
            "first": None if self.first_ns is None else rfc3339(self.first_ns),
            "last": None if self.last_ns is None else rfc3339(self.last_ns),
            "missing": [
                {
                    "symbol": symbol,
                    "first": rfc3339(gap.first_ns),
                    "last": rfc3339(gap.last_ns),
                    "count": gap.count,
                }
                for symbol, gaps in self.missing.items()
                for gap in gaps
            ],
        }


def import_file(
    archive: Archive, request: ImportRequest, *, calendar: BarCalendar, clock: Clock
) -> ImportReport:
    """Read a file, check its rows and store them; the same file again changes nothing.

    Args:
        archive: Where to store.
        request: The file, and what it does not say itself.
        calendar: The exchange's calendar, for bars.
        clock: Says when the rows were fetched, and which bars are over.

    Raises:
        UsageError: If something is not said that the file does not say either.
        InputError: If the file cannot be read or a time is impossible.
        StackError: As `Archive.transaction`.
    """
    read = read_file(request.path)
    _refuse_contradictions(read, request)
    if not request.is_synthetic and said(read, "is_synthetic") - {"False", "false", "0"}:
        request = replace(request, is_synthetic=True)
    request_id = f"file/{request.path.name}/{_digest(request.path)}"
    if read.kind == "bars":
        return _import_bars(archive, request, read, request_id, calendar, clock)
    return _import_tape(archive, request, read, request_id, clock)


def _refuse_contradictions(read: ReadFile, request: ImportRequest) -> None:
    """Refuse a file whose own columns say something else than the request.

    Raises:
        UsageError: If they do.
        InputError: If the rows are a simulator's, and the archive is not.
    """
    if str(Source.SCHWAB_SIM) in said(read, "source") and not request.into_simulation:
        raise InputError(
            f"{request.path.name} says that its rows come from the simulator",
            next_step="Import it with --sim: simulated data is never stored as real.",
        )
    if read.kind != "bars":
        return
    for name in ("timeframe", "session", "adjustment"):
        given = getattr(request, name)
        others = said(read, name) - {str(given)}
        if given is not None and others:
            raise UsageError(
                f"{request.path.name} says {name} {', '.join(sorted(others))}, "
                f"and the command {given}",
                next_step=f"Give --{name} as the file has it, one at a time.",
            )


def _import_bars(
    archive: Archive,
    request: ImportRequest,
    read: ReadFile,
    request_id: str,
    calendar: BarCalendar,
    clock: Clock,
) -> ImportReport:
    if request.label is None:
        raise UsageError(
            "whether a bar's time is its start or its end is not said",
            next_step="Add --label start or --label end.",
        )
    if request.timeframe is None:
        raise UsageError(
            "the span of the bars is not said", next_step="Add --timeframe 1m, 1d or another."
        )
    if request.zone is None and request.timeframe.is_intraday and not _has_instants(read):
        raise UsageError(
            "the zone of the times is not said", next_step="Add --tz, as --tz America/New_York."
        )
    bar_starts = starts(read, request.zone, request.label, request.timeframe)
    symbols = _symbols(read, request.symbol)
    done, rejected = Appended(), Counter[str]()
    missing: dict[str, tuple[Gap, ...]] = {}
    spans: list[int] = []
    reordered = still_open = 0
    with archive.transaction(request_id) as transaction:
        for symbol in dict.fromkeys(symbols.to_pylist()):
            series = Series(
                symbol, request.timeframe, request.session, request.adjustment, Source.FILE
            )
            mask = pc.equal(symbols, symbol).to_numpy(zero_copy_only=False)
            bars = _bars(read.columns.filter(pa.array(mask)), series, bar_starts[mask], request,
                         clock.now_ns())  # fmt: skip
            checked = check(bars, calendar=calendar, now_ns=clock.now_ns())
            done += transaction.append(checked.accepted)
            transaction.quarantine(checked.rejected)
            gaps = _missing(checked.accepted.start, series, calendar)
            transaction.record_gaps(series, gaps)
            missing[symbol] = gaps
            rejected.update(checked.rejected.by_rule())
            reordered += checked.reordered
            still_open += checked.still_open
            spans += checked.accepted.start[[0, -1]].tolist() if len(checked.accepted) else []
    return ImportReport(
        "bars",
        tuple(missing),
        read.columns.num_rows,
        reordered,
        done,
        dict(rejected),
        still_open,
        min(spans, default=None),
        max(spans, default=None),
        missing,
    )


def _import_tape(
    archive: Archive, request: ImportRequest, read: ReadFile, request_id: str, clock: Clock
) -> ImportReport:
    times = instants(read, request.zone)
    schema = schema_of(read.kind)
    symbols = _symbols(read, request.symbol)
    given: dict[str, Any] = {
        "symbol": symbols,
        "source": pa.repeat(str(Source.FILE), len(times)),
        EVENT_TIME: pa.array(times),
        "is_synthetic": pa.repeat(request.is_synthetic, len(times)),
    }
    arrived = received(read)
    if arrived is not None:
        given["ts_recv"] = arrived
    names = read.columns.column_names
    columns = []
    for field in schema:
        if field.name not in given:
            absent = pa.nulls(len(times), field.type)
            given[field.name] = read.columns.column(field.name) if field.name in names else absent
        columns.append(_cast(given[field.name], field))
    table = pa.table(columns, schema=schema)
    rules = _broken_rules(table, read.kind)
    good: Mask = np.array([rule is None for rule in rules], dtype=np.bool_)
    accepted = table.filter(pa.array(good))
    kept = times[good]
    with archive.transaction(request_id) as transaction:
        done = transaction.append_records(read.kind, accepted)
        transaction.reject(_rejects(table, rules, read.kind, clock.now_ns()))
    return ImportReport(
        read.kind,
        tuple(dict.fromkeys(symbols.to_pylist())),
        table.num_rows,
        int((np.diff(times) < 0).sum()),
        done,
        dict(Counter(rule for rule in rules if rule is not None)),
        0,
        int(kept.min()) if len(kept) else None,
        int(kept.max()) if len(kept) else None,
        {},
    )


def _has_instants(read: ReadFile) -> bool:
    column = read.columns.column(read.time)
    if pa.types.is_integer(column.type):
        return True
    if pa.types.is_timestamp(column.type):
        return column.type.tz is not None
    pattern = r"(Z|[+-]\d{2}:?\d{2})$"
    return bool(pc.all(pc.match_substring_regex(column.cast(pa.string()), pattern)).as_py())


def _bars(
    rows: pa.Table, series: Series, bar_starts: Int64s, request: ImportRequest, now_ns: int
) -> Bars:
    def column(name: str, kind: pa.DataType) -> pa.Array:
        if name not in rows.column_names:
            return pa.nulls(rows.num_rows, kind)
        return _cast(rows.column(name), pa.field(name, kind))

    return Bars.of(
        series,
        start=bar_starts,
        open=column("open", pa.float64()),
        high=column("high", pa.float64()),
        low=column("low", pa.float64()),
        close=column("close", pa.float64()),
        volume=column("volume", pa.int64()),
        fetched_at=now_ns,
        is_synthetic=request.is_synthetic,
    )


def _missing(bar_starts: Int64s, series: Series, calendar: BarCalendar) -> tuple[Gap, ...]:
    """Return what is missing, for intraday bars from the first session's open to the last's end."""
    if not len(bar_starts) or not series.timeframe.is_intraday:
        return find_gaps(bar_starts, series.timeframe, series.session, calendar)
    kind = kind_of(series.session)
    spans = calendar.spans(int(bar_starts.min()), int(bar_starts.max()) + 1, kind)
    expected = calendar.expected_bar_starts(
        series.timeframe, int(spans[0, 0]), int(spans[-1, 1]), kind
    )
    rows = np.flatnonzero(~np.isin(expected, bar_starts))
    if not len(rows):
        return ()
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return tuple(Gap(int(expected[run[0]]), int(expected[run[-1]]), len(run)) for run in runs)


def _symbols(read: ReadFile, symbol: str | None) -> pa.Array:
    if symbol is not None:
        if "symbol" in read.columns.column_names:
            raise UsageError("the file names its symbols itself, and --symbol another")
        return pa.repeat(symbol, read.columns.num_rows)
    if "symbol" not in read.columns.column_names:
        raise UsageError("the file names no symbol", next_step="Add --symbol, as --symbol AAPL.")
    column = read.columns.column("symbol").combine_chunks().cast(pa.string())
    if column.null_count:
        raise InputError("a row has no symbol")
    return column


def _cast(values: Any, field: pa.Field) -> pa.Array:
    column = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{field.name} does not fit {field.type}: {error}") from error


def _broken_rules(table: pa.Table, kind: str) -> list[str | None]:
    rules: list[str | None] = [None] * table.num_rows

    def broken(mask: Any, rule: str) -> None:
        for row in np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False)):
            rules[row] = rules[row] or rule

    if kind == "trades":
        price, size = table.column("price").combine_chunks(), table.column("size").combine_chunks()
        broken(pc.is_null(price, nan_is_null=True), "missing_price")
        broken(pc.invert(pc.is_finite(price)), "price_not_finite")
        broken(pc.or_kleene(pc.is_null(size), pc.less_equal(size, 0)), "non_positive_size")
        aggressor = table.column("aggressor").combine_chunks()
        known = pc.is_in(aggressor, value_set=pa.array(_AGGRESSORS))
        broken(pc.and_(pc.is_valid(aggressor), pc.invert(known)), "unknown_aggressor")
    else:
        bid, ask = (table.column(f"{side}_price").combine_chunks() for side in ("bid", "ask"))
        broken(pc.and_(pc.is_null(bid), pc.is_null(ask)), "no_price")
        for side in (bid, ask):
            broken(pc.invert(pc.is_finite(side)), "price_not_finite")
        for name in ("bid_size", "ask_size"):
            broken(pc.less(table.column(name).combine_chunks(), 0), "negative_size")
    return rules


def _rejects(table: pa.Table, rules: list[str | None], kind: str, now_ns: int) -> pa.Table:
    bad = [index for index, rule in enumerate(rules) if rule is not None]
    rows = table.take(pa.array(bad, pa.int64())).to_pylist()
    content = [json.dumps(row, sort_keys=True) for row in rows]
    return pa.table(
        {
            "symbol": [row["symbol"] for row in rows],
            "dataset": [kind] * len(rows),
            "content": content,
            "rule": [rules[index] for index in bad],
            "reason": [
                f"row {index + 1} of the file breaks the rule {rules[index]}" for index in bad
            ],
            "detected_at": [now_ns] * len(rows),
        },
        schema=REJECT_SCHEMA,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
