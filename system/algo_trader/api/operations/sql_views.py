"""The archive's datasets as DuckDB's views: files are opened here, never by DuckDB."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from system.algo_trader.market.source import Source
from system.algo_trader.storage.archive_files import ArchiveFiles
from system.algo_trader.storage.records import timeframe_of

if TYPE_CHECKING:
    import duckdb

REVISIONS: Final = "_revisions"
"""What follows the name of bars where every stored revision is meant, not the one to believe."""
_RANK: Final = " ".join(f"WHEN '{each}' THEN {each.rank}" for each in Source)
_WINNERS: Final = (
    'CREATE VIEW "{name}" AS SELECT * FROM "{revisions}" QUALIFY row_number() OVER ('
    "PARTITION BY symbol, timeframe, start, session, adjustment "
    f"ORDER BY CASE source {_RANK} END DESC, revision DESC, fetched_at DESC) = 1"
)
"""As `winners.pick_winners`, but for bars that were fetched in the same nanosecond."""


def names_of(files: ArchiveFiles) -> list[str]:
    """Return the names of what can be read."""
    names = []
    for dataset in sorted({part.dataset for part in files.parts}):
        names.append(dataset)
        if timeframe_of(dataset) is not None:
            names.append(f"{dataset}{REVISIONS}")
    return names


def dataset_of(name: str) -> str:
    """Return the dataset behind a name."""
    return name.removesuffix(REVISIONS)


def add_views(
    connection: duckdb.DuckDBPyConnection, files: ArchiveFiles, names: Iterable[str]
) -> None:
    """Let a connection read some names, and nothing else.

    Args:
        connection: Where they are wanted.
        files: The archive's.
        names: Of `names_of`.
    """
    for dataset in sorted({dataset_of(name) for name in names}):
        rows = files.dataset(dataset, files.select(dataset))
        if timeframe_of(dataset) is None:
            connection.register(dataset, rows)
            continue
        revisions = f"{dataset}{REVISIONS}"
        connection.register(revisions, rows)
        connection.execute(_WINNERS.format(name=dataset, revisions=revisions))


def sources_of(
    connection: duckdb.DuckDBPyConnection, files: ArchiveFiles, datasets: Iterable[str]
) -> tuple[list[str], bool | None]:
    """Return all sources of some datasets, and whether any row of them was made up.

    Args:
        connection: One that has them.
        files: The archive's.
        datasets: Their names.
    """
    sources: set[str] = set()
    made_up: list[bool] = []
    for dataset in datasets:
        name = dataset if timeframe_of(dataset) is None else f"{dataset}{REVISIONS}"
        columns = files.dataset(dataset, files.select(dataset)).schema.names
        wanted = [each for each in ("source", "is_synthetic") if each in columns]
        if not wanted:
            continue
        rows = connection.execute(f'SELECT DISTINCT {", ".join(wanted)} FROM "{name}"').fetchall()
        found = [dict(zip(wanted, row, strict=True)) for row in rows]
        sources |= {row["source"] for row in found if row.get("source")}
        made_up += [row["is_synthetic"] for row in found if "is_synthetic" in row]
    return sorted(sources), any(made_up) if made_up else None
