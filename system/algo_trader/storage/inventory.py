"""What an archive holds: datasets, spans, gaps that are still open, sizes, versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infrastructure.clock import rfc3339
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.quota import quota_of
from system.algo_trader.storage.records import timeframe_of
from system.algo_trader.storage.sweep import is_marked


@dataclass(frozen=True, slots=True)
class OpenGap:
    """Hold a recorded run of missing bars of which some are missing still.

    Attributes:
        session: The hours that count.
        first_ns: The first start that was missing, nanoseconds UTC.
        last_ns: The last one.
        missing: How many are missing still.
    """

    session: str
    first_ns: int
    last_ns: int
    missing: int


def open_gaps(archive: Archive, dataset: str, symbol: str) -> list[OpenGap]:
    """Return the recorded gaps that later bars have not closed, each missing bar once.

    Args:
        archive: The archive.
        dataset: Of bars; any other has no gaps.
        symbol: The instrument.

    Raises:
        CorruptStore: If a part is damaged.
    """
    timeframe = timeframe_of(dataset)
    if timeframe is None:
        return []
    recorded = [
        row
        for row in archive.gaps(symbol).to_pylist()
        if row["timeframe"] == timeframe
    ]  # fmt: skip
    if not recorded:
        return []
    table = archive.revisions(symbol, timeframe).table
    sessions = np.array(table.column("session").to_pylist(), dtype=object)
    starts = table.column("start").to_numpy()
    found: list[OpenGap] = []
    # The longest first: a run that a later look found shorter lies within an earlier one.
    for row in sorted(recorded, key=lambda row: row["first"] - row["last"]):
        if any(
            gap["session"] == row["session"]
            and gap["first"] <= row["first"]
            and row["last"] <= gap["last"]
            for gap in recorded
            if gap is not row and gap["last"] - gap["first"] > row["last"] - row["first"]
        ):
            continue
        inside = (sessions == row["session"]) & (starts >= row["first"]) & (starts <= row["last"])
        missing = row["count"] - len(np.unique(starts[inside]))
        if missing > 0:
            found.append(OpenGap(row["session"], row["first"], row["last"], missing))
    return sorted(found, key=lambda gap: (gap.session, gap.first_ns))


def inventory(archive: Archive) -> dict[str, Any]:
    """Return what an archive holds as plain values, times as RFC 3339.

    Raises:
        CorruptStore: If the log or a part with bars of a gap is damaged.
    """
    commits, parts, files = archive.commits(), archive.parts(), archive.files()
    datasets = []
    for span in archive.spans():
        gaps = open_gaps(archive, span.dataset, span.symbol)
        mine = [
            part for part in parts if (part.dataset, part.symbol) == (span.dataset, span.symbol)
        ]
        datasets.append(
            {
                "dataset": span.dataset,
                "symbol": span.symbol,
                "rows": span.rows,
                "parts": len(mine),
                "bytes": span.bytes,
                "first": rfc3339(span.first_ns),
                "last": rfc3339(span.last_ns),
                "missing": sum(gap.missing for gap in gaps),
                "gaps": [
                    {
                        "session": gap.session,
                        "first": rfc3339(gap.first_ns),
                        "last": rfc3339(gap.last_ns),
                        "missing": gap.missing,
                    }
                    for gap in gaps
                ],
                "schema_versions": sorted({part.schema_version for part in mine}),
            }
        )
    size = sum(file.bytes for file in files)
    quota = quota_of(archive.root)
    return {
        "root": str(archive.root),
        "datasets": datasets,
        "parts": len(files),
        "bytes": size,
        "quota_bytes": quota,
        "quota_used": None if quota is None else round(size / quota, 4),
        "data_version": commits[-1].sequence if commits else 0,
        "last_commit": rfc3339(commits[-1].committed_at_ns) if commits else None,
        "last_request": commits[-1].request_id if commits else None,
        "unfinished": is_marked(archive.root),
    }
