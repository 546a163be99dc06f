"""Parquet parts: whole or absent, named by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infrastructure.clock import utc_from_ns
from infrastructure.errors import CorruptStore
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.manifest import Part
from system.algo_trader.storage.records import schema_of, time_column

_HASH_DIGITS: Final = 16
_DRAFT: Final = ".draft-"


def encode_part(table: pa.Table) -> bytes:
    """Return a table as Parquet bytes; the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def folder_name(symbol: str) -> str:
    """Return a symbol as the name of a folder: `BRK/B` becomes `BRK%2FB`, `..` becomes `%2E%2E`."""
    name = quote(symbol, safe="$^+=,@ ")
    return name.replace(".", "%2E") if name.strip(".") == "" else name


def write_part(root: Path, dataset: str, symbol: str, table: pa.Table) -> Part:
    """Write one part and return its description; the file is on disk when this returns.

    The folder is the day of the part's first row: for intraday bars a part holds one day, for
    daily and longer bars all that came in one batch.

    Args:
        root: The archive's folder.
        dataset: What the rows are.
        symbol: Whose they are.
        table: The rows, at least one, sorted by the dataset's time column.

    Raises:
        DiskFull: If there is no space left; then no file is left behind either.
        OperatorError: If the file system refuses.
    """
    times = pc.min_max(table.column(time_column(dataset))).as_py()
    content = encode_part(table)
    digest = hashlib.sha256(content).hexdigest()
    day = utc_from_ns(times["min"])
    folder = root / dataset / folder_name(symbol) / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}"
    path = folder / f"part-{digest[:_HASH_DIGITS]}.parquet"
    with told_in_a_sentence(path):
        _make_folders(root, folder)
        _write_whole(path, content)
    return Part(
        dataset=dataset,
        symbol=symbol,
        path=str(path.relative_to(root)),
        sha256=digest,
        bytes=len(content),
        rows=table.num_rows,
        first_ns=times["min"],
        last_ns=times["max"],
    )


def read_part(root: Path, part: Part) -> pa.Table:
    """Return the rows of a part.

    Raises:
        CorruptStore: If the file is missing or does not match its checksum.
    """
    content, damage = _content(root, part)
    if damage is not None:
        raise CorruptStore(
            f"the archive's part {root / part.path} {damage}",
            next_step="Restore it from a backup.",
        )
    table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    return table.cast(schema_of(part.dataset))


def damage_of(root: Path, part: Part) -> str | None:
    """Return what is wrong with a part's file as one sentence, None when it is whole."""
    _, damage = _content(root, part)
    return None if damage is None else f"{part.path} {damage}"


def _content(root: Path, part: Part) -> tuple[bytes, str | None]:
    try:
        content = (root / part.path).read_bytes()
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    if hashlib.sha256(content).hexdigest() != part.sha256:
        return b"", "does not match its checksum"
    return content, None


def remove_strays(root: Path, folder: Path, known: set[str]) -> int:
    """Remove what crashed writers left in a folder: drafts, and parts of no commit.

    Args:
        root: The archive's folder.
        folder: The folder of some parts.
        known: Paths of all parts that a commit names, relative to the archive.

    Returns:
        How many files were removed.
    """
    strays = [
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.startswith(_DRAFT) or str(path.relative_to(root)) not in known
    ]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{_DRAFT}{path.name}")
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


def _make_folders(root: Path, folder: Path) -> None:
    new = [path for path in (folder, *folder.parents) if path != root and not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in new:
        if root in path.parents:
            sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
