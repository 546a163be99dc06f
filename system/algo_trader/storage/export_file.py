"""Write what the archive holds to a CSV, Parquet or Arrow file that says where it came from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.continuous import parse_continuous
from infrastructure.exchange.zones import CHICAGO, local_dates
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.market.licence import licence_of
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.continuous_bars import ContinuousBars, Roll, RollAdjust
from system.algo_trader.storage.durable_file import sync_folder
from system.algo_trader.storage.parts import folder_name
from system.algo_trader.storage.records import TAPE, time_column, timeframe_of

Format = Literal["csv", "parquet", "arrow"]

FORMATS: Final[tuple[Format, ...]] = ("csv", "parquet", "arrow")
METADATA_KEY: Final = b"algo_trader"
PROVENANCE_SUFFIX: Final = ".provenance.json"
_RFC_3339: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Say what is written.

    Attributes:
        dataset: Such as `bars_1m`, `trades` or `quotes`.
        symbol: The instrument.
        start_ns: The first instant, nanoseconds UTC; None for the beginning.
        end_ns: The instant before which rows lie; None for the end.
        session: The hours that bars count.
        adjustment: What bars are adjusted for.
        rolls: What is done about the gaps of a continuous future's rolls.
    """

    dataset: str
    symbol: str
    start_ns: int | None = None
    end_ns: int | None = None
    session: Session = Session.RTH
    adjustment: Adjustment = Adjustment.RAW
    rolls: RollAdjust = RollAdjust.NONE


@dataclass(frozen=True, slots=True)
class Exported:
    """Say what was written.

    Attributes:
        path: The file.
        rows: How many rows it has.
        bytes: Its size.
        provenance: What the file says about itself.
    """

    path: Path
    rows: int
    bytes: int
    provenance: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON output."""
        return {
            "path": str(self.path),
            "rows": self.rows,
            "bytes": self.bytes,
            "provenance": self.provenance,
        }


def export_file(
    archive: Archive, request: ExportRequest, target: Path, form: Format, *, now_ns: int
) -> Exported:
    """Write rows to a file in one step: it is whole, or what was there before.

    Of bars, those to believe are written; of trades and quotes, all. Parquet and Arrow files carry
    their provenance in the schema's metadata, and every format has it in a file beside it.

    Args:
        archive: Where the rows are.
        request: Which.
        target: The file, or a folder that exists: then the name is made of symbol and dataset.
        form: How it is written.
        now_ns: The time of day, nanoseconds UTC.

    Raises:
        NoDataError: If there are no such rows; no file is made then.
        UsageError: If rows of that dataset cannot be exported.
        CorruptStore: If a part is damaged.
        DiskFull: If there is no space left; the old file stays.
        OperatorError: If the file system refuses.
    """
    rows, rolls = _rows(archive, request)
    if not rows.num_rows:
        raise NoDataError(
            f"the archive has no {request.dataset} of {request.symbol} in that span"
            + _other_kinds(archive, request),
            next_step="Run `algo-trader store status` to see what there is.",
        )
    provenance = _provenance(archive, request, rows, rolls, now_ns)
    if target.is_dir():
        name = f"{folder_name(request.symbol)}-{request.dataset}"
        if timeframe_of(request.dataset) is not None:
            kind = f"rolls-{request.rolls}" if rolls else request.adjustment
            name += f"-{request.session}-{kind}"
        target /= f"{name}.{form}"
    content = _encoded(_readable(rows, request.dataset), form, provenance)
    beside = target.with_name(target.name + PROVENANCE_SUFFIX)
    # A description without its file misleads nobody; a file without its description might.
    _replace(beside, (json.dumps(provenance, indent=1) + "\n").encode())
    _replace(target, content)
    return Exported(target, rows.num_rows, len(content), provenance)


def _rows(archive: Archive, request: ExportRequest) -> tuple[pa.Table, tuple[Roll, ...]]:
    """Return rows, and the rolls of a continuous future, whose bars name their contract."""
    timeframe = timeframe_of(request.dataset)
    future = parse_continuous(request.symbol)
    if timeframe is not None and future is not None:
        found = ContinuousBars(archive, request.session).bars(
            future, timeframe, request.rolls, start_ns=request.start_ns, end_ns=request.end_ns
        )
        names = pa.array(found.contracts, pa.string())
        return found.bars.table.append_column("contract", names), found.rolls
    if timeframe is not None:
        table = archive.winners(
            request.symbol,
            timeframe,
            session=request.session,
            adjustment=request.adjustment,
            start_ns=request.start_ns,
            end_ns=request.end_ns,
        ).table
        return table, ()
    if request.dataset in TAPE:
        span = (request.start_ns, request.end_ns)
        return archive.records(request.dataset, request.symbol, *span), ()
    raise UsageError(
        f"{request.dataset!r} cannot be exported",
        next_step=f"Name bars_1m or its like, or {' or '.join(TAPE)}.",
    )


def _other_kinds(archive: Archive, request: ExportRequest) -> str:
    """Return what bars of the symbol there are, in words, where others were asked for."""
    timeframe = timeframe_of(request.dataset)
    if timeframe is None:
        return ""
    table = archive.revisions(request.symbol, timeframe).table
    pairs = zip(table["session"].to_pylist(), table["adjustment"].to_pylist(), strict=True)
    kinds = sorted(set(pairs) - {(str(request.session), str(request.adjustment))})
    asked = f", session {request.session}, adjustment {request.adjustment}"
    return asked + "".join(f"; there are some of {' and '.join(kind)}" for kind in kinds)


def _provenance(
    archive: Archive,
    request: ExportRequest,
    rows: pa.Table,
    rolls: Sequence[Roll],
    now_ns: int,
) -> dict[str, Any]:
    times = pc.min_max(rows.column(time_column(request.dataset))).as_py()
    sources = sorted(set(rows.column("source").to_pylist()))
    parts = {
        part.path
        for symbol in {roll.contract for roll in rolls} or {request.symbol}
        for part in archive.parts(request.dataset, symbol, times["min"], times["max"] + 1)
    }
    commits = archive.commits()
    requests = {
        commit.request_id for commit in commits if any(part.path in parts for part in commit.parts)
    }
    facts: dict[str, Any] = {
        "dataset": request.dataset,
        "symbol": request.symbol,
        "rows": rows.num_rows,
        "first": rfc3339(times["min"]),
        "last": rfc3339(times["max"]),
        "sources": sources,
        "is_synthetic": bool(pc.any(rows.column("is_synthetic")).as_py()),
        "is_simulated": any(Source(source).is_simulated for source in sources),
        "licence": [licence_of(source) for source in sources],
        "requests": sorted(requests),
        "data_version": commits[-1].sequence,
        "exported_at": rfc3339(now_ns),
    }
    if timeframe_of(request.dataset) is not None:
        facts |= {
            "timeframe": str(timeframe_of(request.dataset)),
            "label": "start",
            "session": str(request.session),
            "adjustment": str(request.adjustment),
        }
    if rolls:
        facts["adjustment"] = f"rolls {request.rolls}"
        facts["rolls"] = [roll.as_dict() for roll in rolls]
    return facts


def _readable(rows: pa.Table, dataset: str) -> pa.Table:
    """Return rows with times as timestamps, and the session's date for daily and longer bars."""
    name = time_column(dataset)
    index = rows.schema.get_field_index(name)
    times = rows.column(name)
    found = rows.set_column(index, name, times.cast(pa.timestamp("ns", "UTC")))
    timeframe = timeframe_of(dataset)
    if timeframe is not None and not timeframe.is_intraday:
        days = local_dates(np.asarray(times.to_numpy()), CHICAGO)
        found = found.add_column(index, "date", pa.array(days.astype("datetime64[D]")))
    return found


def _encoded(rows: pa.Table, form: Format, provenance: dict[str, Any]) -> bytes:
    sink = pa.BufferOutputStream()
    table = rows.replace_schema_metadata({METADATA_KEY: json.dumps(provenance)})
    if form == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    elif form == "arrow":
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        from pyarrow import csv

        texts = [
            pc.strftime(column, _RFC_3339) if pa.types.is_timestamp(column.type) else column
            for column in table.columns
        ]
        csv.write_csv(pa.table(texts, names=table.column_names), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with told_in_a_sentence(path):
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
