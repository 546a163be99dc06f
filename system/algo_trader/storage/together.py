"""Rows of many symbols that are stored in one file, and what of them is stored already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from system.algo_trader.market.bars import SERIES_KEY, Bars, Int64s, Mask
from system.algo_trader.storage import parts
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.records import time_column
from system.algo_trader.storage.shared_part import Share, shares_in, shares_of

_KEY = (*SERIES_KEY, "start")


def stored_around(
    root: Path, files: Iterable[Part], rows: pa.Table, dataset: str
) -> list[pa.Table]:
    """Return stored rows that may equal some of these: their symbols', within their times.

    Args:
        root: The archive's folder.
        files: Those of the dataset.
        rows: Rows of many symbols, by symbol and time.
        dataset: What they are.

    Raises:
        CorruptStore: If a file is damaged.
    """
    wanted = shares_in(rows, dataset)
    first = min(share.first_ns for share in wanted.values())
    last = max(share.last_ns for share in wanted.values())
    found = []
    for file in files:
        if file.first_ns > last or file.last_ns < first:
            continue
        if not file.shared:
            mine = wanted.get(file.symbol)
            if mine is not None and _meet(mine, file):
                found.append(parts.read_part(root, file))
            continue
        theirs = shares_of(root, file)
        meeting = [name for name, share in theirs.items() if _meets(wanted.get(name), share)]
        if meeting:
            table = parts.read_part(root, file)
            table = table.filter(pc.is_in(table.column("symbol"), pa.array(meeting)))
            earliest = min(wanted[name].first_ns for name in meeting)
            found.append(
                table.filter(pc.greater_equal(table.column(time_column(dataset)), earliest))
            )
    return found


def revised(bars: Bars, latest: Bars) -> tuple[Bars, Int64s, Mask]:
    """Return bars with the revision that each becomes, and what is stored of each.

    Args:
        bars: Bars of any series, each key once.
        latest: The newest stored revision of each key that they may have.

    Returns:
        The bars, the row of each one's stored revision, 0 where there is none, and whether there
        is one; both of shape (n,).

    Raises:
        ValueError: If a key occurs twice.
    """
    keys = pa.concat_tables([latest.table.select(_KEY), bars.table.select(_KEY)])
    code = _numbered(keys)
    known, mine = code[: len(latest)], code[len(latest) :]
    if len(np.unique(mine)) != len(mine):
        raise ValueError("two bars of one series start at the same instant")
    row = np.full(int(code.max()) + 1, -1, dtype=np.int64)
    row[known] = np.arange(len(latest))
    place = row[mine]
    exists = place >= 0
    revision = np.zeros(len(bars), dtype=np.int64)
    revision[exists] = latest.integers("revision")[place[exists]] + 1
    return bars.replace(revision=revision), np.where(exists, place, 0), exists


def _numbered(keys: pa.Table) -> Int64s:
    """Return a number for each row, equal for equal rows, shape (n,)."""
    code = np.zeros(keys.num_rows, dtype=np.int64)
    for column in keys.columns:
        index = column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        _, code = np.unique(code * (int(index.max()) + 1) + index, return_inverse=True)
    return code.reshape(-1)


def _meets(mine: Share | None, other: Share) -> bool:
    return mine is not None and _meet(mine, other)


def _meet(mine: Share, other: Share | Part) -> bool:
    return mine.first_ns <= other.last_ns and other.first_ns <= mine.last_ns
