"""What streams missed, as rows of the archive."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from system.algo_trader.market.stream_gap import GapState, StreamGap
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import STREAM_GAP_SCHEMA, STREAM_GAPS


def gap_table(gaps: Iterable[StreamGap]) -> pa.Table:
    """Return gaps as rows of `records.STREAM_GAP_SCHEMA`."""
    return pa.Table.from_pylist([_row(each) for each in gaps], schema=STREAM_GAP_SCHEMA)


class StreamGaps:
    """Tell what is recorded of streams' gaps; parts are read again only when there are new ones.

    Args:
        archive: Where they are recorded.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._read: tuple[str, ...] | None = None
        self._known: list[StreamGap] = []

    def all(self) -> list[StreamGap]:
        """Return every gap in its last state, by rising start.

        Raises:
            CorruptStore: If a part is missing or damaged.
        """
        paths = tuple(part.path for part in self._archive.parts(STREAM_GAPS))
        if paths != self._read:
            self._known = _last_states(self._archive.stream_gaps().to_pylist())
            self._read = paths
        return list(self._known)

    def open(self) -> list[StreamGap]:
        """Return the gaps whose bars are to be fetched; errors as in `all`."""
        return [each for each in self.all() if each.state is GapState.OPEN]

    def close(self, gap: StreamGap, *, filled: int, absent: int, at_ns: int, request: str) -> None:
        """Record that the bars of a gap were fetched; its lost updates stay lost.

        Args:
            gap: An open one.
            filled: Bars that the source delivered.
            absent: Bars that the calendar expects and the source does not have.
            at_ns: When, nanoseconds UTC.
            request: The requests' common name.

        Raises:
            StackError: Whatever the archive raises; then the gap is still open.
        """
        closed = replace(
            gap, state=GapState.BACKFILLED, filled=filled, absent=absent, recorded_at=at_ns
        )
        self._archive.append_records(STREAM_GAPS, gap_table([closed]), request)


def _last_states(rows: list[dict[str, Any]]) -> list[StreamGap]:
    found: dict[object, StreamGap] = {}
    # A stable sort: of two states of one instant, the one that was stored later counts.
    for row in sorted(rows, key=lambda row: row["recorded_at"]):
        gap = _gap(row)
        found[gap.identity] = gap
    return sorted(found.values(), key=lambda gap: (gap.start_ns, gap.service))


def _row(gap: StreamGap) -> dict[str, object]:
    return {
        "symbol": gap.service,
        "source": gap.source,
        "run_id": gap.run_id,
        "reason": gap.reason,
        "start": gap.start_ns,
        "end": gap.end_ns,
        "missing": gap.missing,
        "instruments": gap.instruments,
        "symbols": json.dumps(gap.symbols),
        "state": str(gap.state),
        "filled": gap.filled,
        "absent": gap.absent,
        "recorded_at": gap.recorded_at,
    }


def _gap(row: dict[str, Any]) -> StreamGap:
    return StreamGap(
        service=row["symbol"],
        source=row["source"],
        run_id=row["run_id"],
        reason=row["reason"],
        start_ns=row["start"],
        end_ns=row["end"],
        missing=row["missing"],
        instruments=row["instruments"],
        symbols=tuple(json.loads(row["symbols"])),
        state=GapState(row["state"]),
        filled=row["filled"],
        absent=row["absent"],
        recorded_at=row["recorded_at"],
    )
