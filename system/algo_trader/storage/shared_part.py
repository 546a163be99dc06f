"""Parts that rows of several symbols share: what lies where in them.

A minute of a thousand symbols is one file of each dataset, not a thousand: what a commit costs is
files that have to reach the disk. Rows lie by symbol, then by time, and the file's own footer says
which symbol has how many; so one symbol's rows are read without the others'. Compaction parts
them into a file for each symbol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infrastructure.errors import CorruptStore
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.records import time_column

ROW_GROUP: Final = 32_768
"""Rows that are decoded together; a symbol's are found among so many."""

_KEY: Final = b"symbols"
_KEPT: Final = 256
"""Lists of a thousand symbols: some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Share:
    """Say where one symbol's rows lie in a file.

    Attributes:
        begin: The place of its first row.
        rows: How many it has.
        first_ns: Its earliest instant, nanoseconds UTC.
        last_ns: Its latest.
    """

    begin: int
    rows: int
    first_ns: int
    last_ns: int


def by_symbol(table: pa.Table, dataset: str) -> pa.Table:
    """Return rows by symbol, then by time, equal ones in their order, in one chunk."""
    words = table.column("symbol").combine_chunks().dictionary_encode()
    names = np.array(words.dictionary.to_pylist(), dtype=object)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(names, kind="stable")] = np.arange(len(names))
    times = table.column(time_column(dataset)).to_numpy()
    order = np.lexsort((times, rank[words.indices.to_numpy()]))
    return table.take(pa.array(order)).combine_chunks()


def shares_in(table: pa.Table, dataset: str) -> dict[str, Share]:
    """Return where each symbol's rows lie in rows that `by_symbol` has ordered."""
    if not table.num_rows:
        return {}
    runs = pc.run_end_encode(table.column("symbol").combine_chunks())
    ends = runs.run_ends.to_numpy().astype(np.int64)
    begins = np.concatenate([[0], ends[:-1]])
    times = table.column(time_column(dataset)).to_numpy()
    rows = zip(
        runs.values.to_pylist(),
        begins.tolist(),
        (ends - begins).tolist(),
        times[begins].tolist(),
        times[ends - 1].tolist(),
        strict=True,
    )
    return {name: Share(*share) for name, *share in rows}


def with_shares(table: pa.Table, dataset: str) -> pa.Table:
    """Return ordered rows with the list of their symbols, for the file's footer."""
    listed = [
        [name, share.rows, share.first_ns, share.last_ns]
        for name, share in shares_in(table, dataset).items()
    ]
    return table.replace_schema_metadata({_KEY: json.dumps(listed, separators=(",", ":"))})


@lru_cache(maxsize=_KEPT)
def shares_of(root: Path, part: Part) -> Mapping[str, Share]:
    """Return where each symbol's rows lie in a shared file, from its footer.

    Raises:
        CorruptStore: If the file is missing or its footer cannot be read.
    """
    try:
        return _listed(pq.read_metadata(root / part.path).metadata)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise CorruptStore(
            f"the archive's part {root / part.path} does not say whose rows it holds: {error}",
            next_step="Restore it from a backup.",
        ) from error


def share_of(root: Path, part: Part, symbol: str) -> Part | None:
    """Return one symbol's share of a file, None when it has none; errors as `shares_of`."""
    share = shares_of(root, part).get(symbol)
    return None if share is None else _share(part, symbol, share)


def all_shares(root: Path, part: Part) -> list[Part]:
    """Return the shares of all symbols; errors as `shares_of`."""
    return [_share(part, name, share) for name, share in shares_of(root, part).items()]


def rows_of_share(file: pq.ParquetFile, symbol: str) -> pa.Table:
    """Return one symbol's rows out of a file, decoding no group of rows that holds none of them.

    Raises:
        KeyError: If the file does not list the symbol.
    """
    share = _listed(file.metadata.metadata)[symbol]
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    ends = np.cumsum(sizes)
    first = int(np.searchsorted(ends, share.begin, side="right"))
    last = int(np.searchsorted(ends, share.begin + share.rows - 1, side="right"))
    rows = file.read_row_groups(list(range(first, last + 1)), use_threads=False)
    return rows.slice(share.begin - int(ends[first]) + sizes[first], share.rows)


def _share(part: Part, symbol: str, share: Share) -> Part:
    return msgspec.structs.replace(
        part,
        symbol=symbol,
        rows=share.rows,
        bytes=round(part.bytes * share.rows / part.rows),
        first_ns=share.first_ns,
        last_ns=share.last_ns,
    )


def _listed(metadata: Mapping[bytes, bytes]) -> dict[str, Share]:
    found, begin = {}, 0
    for name, rows, first_ns, last_ns in json.loads(metadata[_KEY]):
        found[name] = Share(begin, rows, first_ns, last_ns)
        begin += rows
    return found
